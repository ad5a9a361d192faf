"""A receiver on a disk that is really full, or read-only: it counts, and goes on when it can."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.small_disk import run_on_small_disk

PROLOGUE = """
from logs.receiver import writing
from tests.logs.receiver.desk import sender, wait_for
from tests.logs.receiver.site import receiving

writing._REOPEN_SECONDS = 0.1

def numbered(count, begin):
    return [f"<13>line {number} {'x' * 80}" for number in range(begin, begin + count)]
"""

FULL = """
with receiving(disk / "log", sender()) as site:
    site.send(*numbered(100, 0))
    site.wait_until_received(100)
    fill()
    site.send(*numbered(1000, 100))
    found = site.wait_until_received(1100)
    assert found.refused > 900, found
    assert "No space left on device" in site.spools[1].trouble, site.spools
    # A batch rotates and cannot be closed; what was there stays.
    site.receiver.ask_rotation({1: site.report.started_at})
    site.send(*numbered(10, 1100))
    site.wait_until_received(1110)
    make_room()
    site.send(*numbered(100, 2000))
    assert site.wait_until_received(1210).spooled >= found.spooled + 100, site.counters()
    site.wait_until(lambda: site.spools[1].trouble == "")
    lines = site.lines()
    assert lines[:100] == numbered(100, 0)
    assert lines[-100:] == numbered(100, 2000)
"""

READ_ONLY = """
(disk / "log").mkdir()
remount("ro")
with receiving(disk / "log", sender()) as site:
    site.send(*numbered(10, 0))
    site.wait_until(lambda: site.spools and site.spools[1].trouble)
    wait_for(lambda: site.receiver._writer._entries[1].refused == 10)
    assert "Read-only file system" in site.spools[1].trouble, site.spools
    remount("rw")
    site.wait_until_received(10)
    site.send(*numbered(10, 10))
    found = site.wait_until_received(20)
    assert (found.refused, found.spooled) == (10, 10), found
    assert site.lines() == numbered(10, 10)
"""


def test_a_receiver_on_a_full_disk_counts_what_it_refuses_and_goes_on(tmp_path: Path) -> None:
    run_on_small_disk(PROLOGUE + FULL, tmp_path, kilobytes=1024)


def test_a_receiver_on_a_read_only_disk_begins_when_it_is_writable(tmp_path: Path) -> None:
    run_on_small_disk(PROLOGUE + READ_ONLY, tmp_path)
