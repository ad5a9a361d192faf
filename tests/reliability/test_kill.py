"""R1: a kill at any point leaves the old snapshot or the new one, whole; the next tick finishes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.appliance import CHECKOUT, appliance
from tests.fakes.bind import BindMissing, named


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("work", "kills"), [("refresh", 100), ("approve", 50), ("go-back", 50)])
def test_200_kills_leave_the_old_or_the_new_snapshot_and_the_next_tick_finishes(
    tmp_path: Path, work: str, kills: int
) -> None:
    if work == "refresh":
        try:
            named()
        except BindMissing as missing:
            pytest.skip(str(missing))
    with appliance(tmp_path / "data") as site:
        done = subprocess.run(
            [sys.executable, "-m", "tests.reliability.kill_at_random", work, str(kills)],
            cwd=CHECKOUT, env=site.environment, capture_output=True, text=True, timeout=280,
            check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["killed"] == kills
    # Else the kills came too early or too late to mean anything.
    assert 0 < figures["kept_old"] < kills, figures
