"""The folder of a spool may be another user's: what is no file there is not opened."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from logs.shippers.forward_cursor import Position
from logs.shippers.forward_reader import Reader
from logs.spool.base import Chunk, Manifest, Place, SpoolDamaged, SpoolError
from logs.spool.files import read_file, write_aside
from logs.spool.opening import open_spool
from logs.spool.other import OtherSpool
from logs.spool.seal import seal
from logs.spool.verify import recount
from logs.spool.writer import Spool

NOW = 1_772_326_956_123_456_000
CLOSED_AT = datetime(2026, 3, 1, 1, 2, 36, tzinfo=UTC)
DEVICE = "tdid_0123abcd"
SAID = "is a symbolic link: remove it, and see who put it there"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "edge", "syslog")
    made.folder.mkdir()
    return made


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file that only we may read and write."""
    path = tmp_path / "victim"
    path.write_bytes(b"a secret\n")
    return path


def lay(path: Path, victim: Path) -> None:
    """Put a link in the place of a file."""
    path.unlink(missing_ok=True)
    path.symlink_to(victim)


def closed(place: Place) -> None:
    """Have a batch with one line, sealed."""
    spool = Spool(place, device_id=DEVICE, now=NOW)
    spool.append([Chunk(b"one\n", 1, NOW, "udp", bytes(16))])
    spool.rotate()
    spool.close()
    seal(place, 1, device_id=DEVICE, writer="receiver", closed_at=CLOSED_AT)


@pytest.mark.parametrize("of", [lambda p: p.active, lambda p: p.index, lambda p: p.state])
@pytest.mark.parametrize("is_other", [False, True])
def test_a_spool_does_not_open_a_link_and_names_it(
    place: Place, victim: Path, of: Callable[[Place], Path], is_other: bool
) -> None:
    lay(of(place), victim)
    with pytest.raises(SpoolError, match=f"{of(place).name} {SAID}"):
        open_spool(place, device_id=DEVICE, now=NOW, is_other=is_other)
    assert victim.read_bytes() == b"a secret\n"


def test_a_pipe_holds_nobody_up(place: Place) -> None:
    os.mkfifo(place.active)
    with pytest.raises(SpoolError, match="syslog is no regular file"):
        open_spool(place, device_id=DEVICE, now=NOW, is_other=True)


@pytest.mark.parametrize("is_to_itself", [False, True])
def test_a_link_that_takes_the_place_of_the_open_file_is_not_followed(
    place: Place, victim: Path, is_to_itself: bool
) -> None:
    place.active.write_bytes(b"one\n")
    spool = OtherSpool(place, device_id=DEVICE, now=NOW)
    spool.look(now=NOW)
    if is_to_itself:
        place.active.rename(victim)
    lay(place.active, victim)
    spool.look(now=NOW)
    assert spool.rotate() == 1
    with pytest.raises(OSError, match=f"syslog {SAID}"):
        spool.look(now=NOW)
    assert spool.state.counters.received == 1
    spool.close()


def test_a_batch_is_not_written_through_a_link(place: Place, victim: Path) -> None:
    place.active.write_bytes(b"one\n")
    for name in ("syslog.1.part", "syslog.1.index.part"):
        lay(place.folder / name, victim)
    spool = OtherSpool(place, device_id=DEVICE, now=NOW)
    spool.look(now=NOW)
    assert spool.rotate() == 1
    spool.close()
    assert victim.read_bytes() == b"a secret\n"
    assert place.batch(1).read_bytes() == b"one\n"
    assert not place.batch(1).is_symlink()


def test_a_file_is_not_written_aside_through_a_link(tmp_path: Path, victim: Path) -> None:
    lay(tmp_path / "file.part", victim)
    lay(tmp_path / "file", victim)
    write_aside(tmp_path / "file", b"content")
    assert victim.read_bytes() == b"a secret\n"
    assert read_file(tmp_path / "file") == b"content"


def test_a_damaged_state_is_not_kept_through_a_link(place: Place, victim: Path) -> None:
    place.state.write_bytes(b"x" * 1024)
    lay(place.folder / "syslog.state.damaged", victim)
    Spool(place, device_id=DEVICE, now=NOW).close()
    assert victim.read_bytes() == b"a secret\n"
    assert (place.folder / "syslog.state.damaged").read_bytes() == b"x" * 1024


@pytest.mark.parametrize("of", [lambda p: p.batch(1), lambda p: p.batch_index(1)])
def test_what_a_link_leads_to_becomes_no_batch(
    place: Place, victim: Path, of: Callable[[Place], Path]
) -> None:
    closed(place)
    lay(of(place), victim)
    with pytest.raises(SpoolDamaged, match=f"{of(place).name} {SAID}"):
        seal(place, 1, device_id=DEVICE, writer="receiver", closed_at=CLOSED_AT)


def test_a_link_is_no_manifest(place: Place) -> None:
    closed(place)
    elsewhere = place.folder.parent / "elsewhere"
    place.manifest(1).rename(elsewhere)
    lay(place.manifest(1), elsewhere)
    with pytest.raises(SpoolDamaged, match=f"syslog.1.json {SAID}"):
        Manifest.read(place.manifest(1))


def test_a_batch_that_became_a_link_is_told_and_not_forwarded(place: Place, victim: Path) -> None:
    closed(place)
    lay(place.batch(1), victim)
    [said] = [one for one in recount(place).differences() if "cannot be read" in one]
    assert SAID in said
    with pytest.raises(OSError, match=SAID):
        Reader(place, Position(1), with_senders=False).read(100)
