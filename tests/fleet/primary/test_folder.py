"""The folder is shared with the name server: what lies there is not believed, nor left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleet.primary.folder import Folder


@pytest.mark.parametrize("told", [b"\xff\xfe\x00", b"", b"digest\n\xc3\xa9.example\n\n"])
def test_a_damaged_note_of_what_was_told_is_none(tmp_path: Path, told: bytes) -> None:
    folder = Folder(tmp_path)
    folder.write_configuration("zones")
    (tmp_path / "told").write_bytes(told)
    assert not folder.is_told("zones")
    assert folder.gone([]) == []
    folder.note_told("zones", ["a.example"])
    assert folder.is_told("zones")
    assert folder.gone([]) == ["a.example"]


@pytest.mark.parametrize("name", ["../../kept", "..", "/etc/kept", "zones/kept"])
def test_what_is_no_name_of_a_zone_takes_no_file_out(tmp_path: Path, name: str) -> None:
    kept = tmp_path / "kept"
    kept.write_text("of the console")
    folder = Folder(tmp_path / "portal" / "tscm")
    folder.note_told("zones", [])
    (tmp_path / "portal" / "tscm" / "told").write_text(f"digest\n{name}\n../../../kept")
    folder.note_told("zones", [])
    assert kept.exists()


def test_what_a_killed_console_wrote_aside_is_removed_after_an_hour(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write_configuration("first")
    written = (tmp_path / "tscm.conf").stat().st_mtime
    asides = {tmp_path / part / f".{age}.part": age for part in (".", "zones", "held")
              for age in (60, 7200)}  # fmt: skip
    for path, age in asides.items():
        path.write_text("key")
        os.utime(path, (written - age, written - age))
    folder.write_configuration("second")
    assert {path for path in asides if path.exists()} == {
        path for path, age in asides.items() if age == 60
    }
