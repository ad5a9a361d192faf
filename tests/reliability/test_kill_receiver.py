"""R3: a receiver may be killed at any point; what is on disk stays, once, and is counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.fakes.appliance import CHECKOUT

KILLS = int(os.environ.get("KILLS", "200"))


def killed(what: str, kills: int) -> dict[str, int]:
    """Kill it again and again; each time the program looks at all that is there."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.kill_receiver", what, str(kills)],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    figures: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    assert figures["kills"] == kills
    return figures


@pytest.mark.timeout(300)
def test_hundreds_of_kills_under_load_lose_no_line_that_was_on_disk_and_double_none() -> None:
    figures = killed("receiver", KILLS)
    # Else the kills came too early to mean anything.
    assert figures["kept"] > 100 * KILLS, figures
    assert figures["batches"] > KILLS // 10, figures


@pytest.mark.timeout(300)
def test_hundreds_of_kills_in_the_midst_of_writing_leave_every_line_at_its_place() -> None:
    figures = killed("spool", KILLS // 2)
    assert figures["kept"] > 100 * KILLS, figures
    assert figures["mid_append"] > 0 < figures["mid_close"], figures
