"""What every test of the services of logs gets: a folder of logs of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def log_dir(tmp_path: Path, settings: Settings) -> Path:
    """An empty folder in the place of the site's."""
    settings.TSCM_LOG_DIR = tmp_path / "log"
    return tmp_path / "log"
