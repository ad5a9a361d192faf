"""A pretended machine for each test of the services."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.enforcement.machines import PretendedMachine


@pytest.fixture
def there(tmp_path: Path) -> PretendedMachine:
    """The machine gw1, whose kernel is memory."""
    return PretendedMachine(tmp_path / "enforce")
