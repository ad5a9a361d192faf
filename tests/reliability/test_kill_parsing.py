"""A worker that parses may be killed at any point; no event is lost or counted twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.appliance import CHECKOUT, appliance


@pytest.mark.timeout(300)
def test_60_kills_of_a_parsing_worker_lose_no_event_and_double_none(tmp_path: Path) -> None:
    with appliance(tmp_path / "data") as site:
        done = subprocess.run(
            [sys.executable, "-m", "tests.reliability.kill_parsing", "60"],
            cwd=CHECKOUT, env=site.environment, capture_output=True, text=True, timeout=280,
            check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["killed"] == 60
    # Else the kills came too early to mean anything, or files were never put together.
    assert figures["batches"] > 12, figures
    assert figures["files"] <= 2, figures
