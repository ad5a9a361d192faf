"""R2: a kill at any point of an apply leaves the old list or the new one enforced, whole."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.fakes.appliance import CHECKOUT

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]


def killed(how: str, kills: int) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.kill_apply", how, str(kills)],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    figures: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    # Nothing left to a blocked address and all left to an allowed one, or it had failed.
    assert figures["sent"] > 1000
    # Else the kills came too early or too late to mean anything.
    assert figures["old"] > 0 < figures["new"], figures
    return figures


@pytest.mark.parametrize(
    ("kind", "kills"),
    [
        ("replace", 80),
        ("difference", 80),
        ("nftables", 25),
        ("legacy", 10),
        ("verdict", 25),
        ("first", 25),
    ],
)
def test_hundreds_of_kills_leave_the_old_or_the_new_list_and_the_next_start_finishes(
    kind: str, kills: int
) -> None:
    figures = killed(kind, kills)
    assert figures["old"] + figures["new"] == kills


def test_a_kill_at_any_line_leaves_the_old_or_the_new_list() -> None:
    killed("lines", 0)
