"""A batch closes once all of it is on disk, and says of itself what is true."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from logs.spool import files
from logs.spool.base import Manifest, SpoolDamaged
from logs.spool.seal import seal, unsealed
from tests.logs.spool.ledger import (
    CLOSED_AT,
    DEVICE,
    NOW,
    SECOND,
    check,
    chunk,
    opened,
    place_in,
    sealed,
)

AT = datetime.fromtimestamp(NOW / SECOND, tz=UTC)


def test_a_closed_batch_tells_its_lines_its_digest_and_its_times(tmp_path: Path) -> None:
    spool = opened(place_in(tmp_path))
    spool.append([chunk("a", "b"), chunk("c", at=NOW + 2 * SECOND)])
    spool.rotate()
    assert unsealed(spool.place) == [1]
    (manifest,) = sealed(spool.place)
    assert manifest == Manifest(
        number=1, device_id=DEVICE, writer="receiver", lines=3, bytes=6,
        sha256=hashlib.sha256(b"a\nb\nc\n").hexdigest(), first_at=AT,
        last_at=datetime.fromtimestamp(NOW / SECOND + 2, tz=UTC), closed_at=CLOSED_AT,
    )  # fmt: skip
    assert Manifest.read(spool.place.manifest(1)) == manifest
    assert unsealed(spool.place) == []
    check(spool.place, spool.state)
    spool.close()


def test_closing_a_batch_twice_says_the_same(tmp_path: Path) -> None:
    spool = opened(place_in(tmp_path))
    spool.append([chunk("a")])
    spool.rotate()
    (first,) = sealed(spool.place)
    again = seal(spool.place, 1, device_id=DEVICE, writer="receiver", closed_at=CLOSED_AT)
    assert again == first
    spool.close()


def test_a_batch_of_many_blocks_is_told_whole(tmp_path: Path) -> None:
    spool = opened(place_in(tmp_path))
    for _ in range(30):
        spool.append([chunk(*["x" * 99] * 1000)])
    spool.rotate()
    (manifest,) = sealed(spool.place)
    assert (manifest.lines, manifest.bytes) == (30_000, 3_000_000)
    check(spool.place, spool.state)
    spool.close()


def test_without_an_index_the_times_are_those_of_the_file(tmp_path: Path) -> None:
    spool = opened(place_in(tmp_path))
    spool.append([chunk("a")])
    spool.rotate()
    spool.place.batch_index(1).unlink()
    (manifest,) = sealed(spool.place)
    changed = spool.place.batch(1).stat().st_mtime_ns / 1e9
    assert manifest.first_at == manifest.last_at == datetime.fromtimestamp(changed, tz=UTC)
    spool.close()


@pytest.mark.parametrize("index", [bytes(80), b"\xff" * 80, b"torn"], ids=["zeros", "ones", "torn"])
def test_an_index_that_says_impossible_times_is_not_believed(tmp_path: Path, index: bytes) -> None:
    spool = opened(place_in(tmp_path))
    spool.append([chunk("a")])
    spool.rotate()
    spool.place.batch_index(1).write_bytes(index)
    (manifest,) = sealed(spool.place)
    assert manifest.first_at.year > 2020
    spool.close()


def test_a_batch_that_cannot_be_put_on_disk_stays_unclosed_and_can_be_closed_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(place_in(tmp_path))
    spool.append([chunk("a")])
    spool.rotate()

    def full(fd: int, pieces: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_all", full)
        with pytest.raises(SpoolDamaged, match=r"syslog\.1: cannot be closed \(No space left"):
            sealed(spool.place)
    assert unsealed(spool.place) == [1]
    sealed(spool.place)
    check(spool.place, spool.state)
    spool.close()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"number": 1}',
        "\0" * 300,
        json.dumps({"number": 1, "first_at": "yesterday"}),
    ],
)
def test_a_file_that_is_no_manifest_is_named(tmp_path: Path, content: str) -> None:
    place = place_in(tmp_path)
    place.folder.mkdir()
    place.manifest(3).write_text(content)
    with pytest.raises(SpoolDamaged, match=r"syslog\.3\.json: is no manifest of a batch"):
        list(place.manifests())


def test_files_that_only_look_like_batches_are_none(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    place.folder.mkdir()
    for name in ("syslog.0", "syslog.01", "syslog.1.gz", "syslog.x", "syslog.7", "xsyslog.8"):
        (place.folder / name).touch()
    assert place.numbers() == [7]
