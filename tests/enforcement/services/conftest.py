"""A pretended machine and its gateway for each test of the services."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from devices.models import Device
from tests.enforcement.machines import NODE, PretendedMachine
from tests.factories import make_gateway, publish


@pytest.fixture
def there(tmp_path: Path) -> PretendedMachine:
    """The machine gw1, whose kernel is memory."""
    return PretendedMachine(tmp_path / "enforce")


@pytest.fixture
def device(db: None, now: datetime) -> Device:
    """A gateway on that machine, with a snapshot published."""
    made = make_gateway(now=now, node=NODE, nickname="gw")
    publish(made.policy, now=now)
    return made
