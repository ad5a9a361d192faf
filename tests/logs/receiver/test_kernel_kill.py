"""The process that keeps the kernel's lines is killed at random moments: each line comes once."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from logs.spool.base import Place, kernel_place
from logs.spool.recover import recover
from logs.spool.state import read_state
from tests.fakes.kernel_log import BOOT
from tscm_site.env import CHECKOUT

KILLS, LINES, SECONDS = 20, 200, 50


def kept(place: Place) -> bytes:
    """Return all lines: of the batches, whole, and of the active file."""
    files = [place.batch(number) for number in place.numbers()]
    return b"".join(path.read_bytes() for path in (*files, place.active) if path.exists())


@pytest.mark.timeout(180)
def test_no_line_is_lost_or_comes_twice_whenever_the_process_is_killed(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    (tmp_path / "boot_id").write_text(BOOT)
    (tmp_path / "log").mkdir()
    place = kernel_place(tmp_path / "log")
    command = [sys.executable, "-m", "tests.logs.receiver.kernel_process", str(tmp_path)]
    written = 0
    with (tmp_path / "kmsg").open("ab", buffering=0) as log:
        for _ in range(KILLS):
            with subprocess.Popen(command, cwd=CHECKOUT) as process:
                seen = len(kept(place))
                end, deadline = written + LINES, time.monotonic() + SECONDS
                while written < end:
                    log.write(b"ThreatSTOP-TSblock IN= OUT=eth0 ID=%d .\n" % written)
                    log.write(b"eth0: link up\n")
                    written += 1
                while len(kept(place)) == seen and time.monotonic() < deadline:
                    time.sleep(0.001)
                time.sleep(chance.random() * 0.02)
                process.kill()
        with subprocess.Popen(command, cwd=CHECKOUT) as process:
            deadline = time.monotonic() + SECONDS
            while b"ID=%d .\n" % (written - 1) not in kept(place) and time.monotonic() < deadline:
                time.sleep(0.01)
            process.kill()
    # A kill in the very middle of a write cuts a line in two; such a line is there, cut.
    found = [int(one) for one in re.findall(rb" ID=([0-9]+) \.\n", kept(place))]
    assert found == sorted(set(found)), f"seed {seed}"
    assert kept(place).count(b"\n") == written, f"seed {seed}"
    state = recover(
        place, read_state(place), device_id="tdid_0123abcd", least_number=1, now=time.time_ns()
    ).state
    assert state.counters.is_balanced
    assert state.counters.received == written
