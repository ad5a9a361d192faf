"""Batches are closed under the name of the device that sent their lines, whatever happens first."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from logs.receiver.closing import Closer
from logs.spool.base import Manifest
from logs.spool.identity import settle_identity
from logs.spool.writer import Spool
from tests.logs.receiver.desk import SECONDS, sender, wait_for
from tests.logs.spool.ledger import NOW, chunk

OLD = sender()
NEW = replace(OLD, device_id="tdid_new")


def rotated(log_dir: Path, device_id: str) -> int:
    spool = Spool(OLD.place(log_dir), device_id=device_id, now=NOW)
    spool.append([chunk("a line")])
    number = spool.rotate()
    spool.close()
    assert number is not None
    return number


def test_a_batch_that_was_moved_aside_before_its_turn_is_no_longer_closed(tmp_path: Path) -> None:
    place, kept = OLD.place(tmp_path), list[Manifest]()
    closer = Closer(clock=time.time_ns)
    number = rotated(tmp_path, OLD.device_id)
    closer.close_batch(place, number, OLD, kept.append)
    (moved,) = settle_identity(place, device_id=NEW.device_id, now=NOW)
    assert (moved.number, moved.device_id) == (number, OLD.device_id)
    # The new device's own batch may bear the same number, and is not the old one's.
    assert rotated(tmp_path, NEW.device_id) == number
    closer.start()
    closer.close_batch(place, number, NEW, kept.append)
    wait_for(lambda: kept)
    closer.stop()
    closer.join(SECONDS)
    assert [one.device_id for one in kept] == [NEW.device_id]
    assert Manifest.read(place.manifest(number)).device_id == NEW.device_id
