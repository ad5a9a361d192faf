"""A folder holds the lines of one device; those of another one are moved aside, never mixed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from logs.spool.base import Place, SpoolError, SpoolTaken
from logs.spool.identity import settle_identity
from tests.logs.spool.ledger import (
    DEVICE,
    NOW,
    check,
    chunk,
    kept_lines,
    opened,
    place_in,
    sealed,
)

OTHER = "tdid_other"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A spool of the device with a closed batch and two lines in its active file."""
    spool = opened(place_in(tmp_path))
    spool.append([chunk("a")])
    spool.rotate()
    sealed(spool.place)
    spool.append([chunk("b", "c")])
    spool.close()
    return spool.place


def test_the_same_device_finds_its_lines_where_they_were(place: Place) -> None:
    assert not settle_identity(place, device_id=DEVICE, now=NOW)
    assert kept_lines(place) == ["a", "b", "c"]


def test_another_device_begins_with_nothing_and_the_lines_before_it_stay_whole(
    place: Place,
) -> None:
    assert settle_identity(place, device_id=OTHER, now=NOW)
    assert [path.name for path in place.folder.iterdir()] == ["removed"]
    aside = Place(place.folder / "removed" / f"{DEVICE}-{NOW}", "syslog")
    assert kept_lines(aside) == ["a", "b", "c"]
    spool = opened(aside)
    check(aside, spool.state)
    spool.close()
    assert not settle_identity(place, device_id=OTHER, now=NOW + 1)


def test_without_counters_the_closed_batches_say_whose_they_are(place: Place) -> None:
    place.state.write_bytes(b"\x55" * 1024)
    assert not settle_identity(place, device_id=DEVICE, now=NOW)
    assert settle_identity(place, device_id=OTHER, now=NOW)
    assert list(place.folder.glob("syslog*")) == []


def test_nothing_is_moved_while_another_process_writes_it(place: Place) -> None:
    spool = opened(place)
    with pytest.raises(SpoolTaken):
        settle_identity(place, device_id=OTHER, now=NOW)
    assert kept_lines(place) == ["a", "b", "c"]
    spool.close()


@pytest.mark.parametrize("moved", range(1, 12))
def test_moving_that_is_killed_half_way_is_finished_and_nothing_is_taken_for_the_new_devices(
    place: Place, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    real = Path.rename
    left = iter(range(moved))

    def killed(path: Path, target: Path) -> Path:
        if next(left, None) is None:
            raise _Killed
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with suppress(_Killed):
            settle_identity(place, device_id=OTHER, now=NOW)
    settle_identity(place, device_id=OTHER, now=NOW + 1)
    assert list(place.folder.glob("syslog*")) == []
    found = "".join(
        (path / name).read_text()
        for name in ("syslog.1", "syslog.2", "syslog")
        for path in sorted((place.folder / "removed").iterdir())
        if (path / name).exists()
    )
    assert found == "a\nb\nc\n"


def test_what_was_open_is_closed_under_the_old_name_and_told(place: Place) -> None:
    moved = settle_identity(place, device_id=OTHER, now=NOW)
    assert [(one.number, one.device_id, one.lines) for one in moved] == [
        (1, DEVICE, 1), (2, DEVICE, 2),
    ]  # fmt: skip


def test_a_file_where_the_folder_belongs_is_said(tmp_path: Path) -> None:
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "edge1").write_text("a file")
    with pytest.raises(SpoolError, match="edge1: cannot be used"):
        settle_identity(Place(tmp_path / "devices" / "edge1", "syslog"), device_id="x", now=NOW)


class _Killed(BaseException):
    """Stands for a SIGKILL."""


def test_a_folder_that_cannot_be_made_is_said_with_what_to_do(place: Place) -> None:
    (place.folder / "removed").write_text("in the way")
    with pytest.raises(SpoolError, match=r"holds lines of the device tdid_edge.*by hand"):
        settle_identity(place, device_id=OTHER, now=NOW)
    assert kept_lines(place) == ["a", "b", "c"]


def test_an_empty_folder_is_anybodys(tmp_path: Path) -> None:
    assert not settle_identity(place_in(tmp_path), device_id=OTHER, now=NOW)
