"""What every test gets: stores of its own, and moments that do not move."""

from __future__ import annotations

import os
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from pytest_django import Settings

hypothesis_settings.register_profile("dev", max_examples=50, deadline=None)
hypothesis_settings.register_profile(
    "ci", max_examples=300, deadline=None, derandomize=True, print_blob=True
)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(autouse=True)
def own_storages(tmp_path: Path, settings: Settings) -> Iterator[None]:
    """Give each test empty stores of sets and feeds."""
    from django.conf import settings as site
    from django.core.files.storage import storages

    changed: dict[str, Any] = deepcopy(site.STORAGES)
    for alias in ("sets", "feeds"):
        changed[alias]["OPTIONS"] = {"location": str(tmp_path / "store" / alias)}
    changed["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = changed
    yield
    storages._storages.clear()  # type: ignore[attr-defined]


@pytest.fixture
def now() -> datetime:
    """A moment."""
    return datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
