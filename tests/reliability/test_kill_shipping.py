"""R3: a worker that uploads may be killed at any point; no batch is lost or changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.appliance import CHECKOUT, appliance
from tests.fakes.collector import Collector


@pytest.mark.timeout(300)
def test_200_kills_of_an_uploading_worker_lose_no_batch_and_change_none(tmp_path: Path) -> None:
    store = tmp_path / "collected"
    with (
        Collector(store) as collector,
        appliance(tmp_path / "data", TSCM_LOG_UPLOAD_URL=collector.url()) as site,
    ):
        done = subprocess.run(
            [sys.executable, "-m", "tests.reliability.kill_shipping", "200", str(store)],
            cwd=CHECKOUT, env=site.environment, capture_output=True, text=True, timeout=280,
            check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["killed"] == 200
    # Else the kills came too early to mean anything: some batches had arrived, and nobody knew.
    assert figures["batches"] > 20, figures
    assert figures["duplicates"] > 0, figures
