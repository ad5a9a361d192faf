"""What tests of the services of logs get: each a folder of logs of its own, some a sensor."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.logs.services.parse_site import policy_of, sensor_of
from tests.logs.services.site import Sensor


@pytest.fixture(autouse=True)
def log_dir(tmp_path: Path, settings: Settings) -> Path:
    """An empty folder in the place of the site's."""
    settings.TSCM_LOG_DIR = tmp_path / "log"
    return tmp_path / "log"


@pytest.fixture
def sensor(now: datetime) -> Sensor:
    """A device whose list holds a network, and one address of it once more."""
    return sensor_of(policy_of(now, "198.51.100.0/24", "198.51.100.7"), now)
