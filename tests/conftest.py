"""What every test gets: stores of its own, and moments that do not move."""

from __future__ import annotations

import os
import socket
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


# What a new namespace has: loopback, and what the modules of tunnels put into each.
_OF_NAMESPACES = frozenset({
    "lo", "tunl0", "gre0", "gretap0", "erspan0", "sit0",
    "ip_vti0", "ip6tnl0", "ip6gre0", "ip6_vti0",
})  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a kernel test where the kernel's tables would be the machine's own."""
    if item.get_closest_marker("kernel") is None:
        return
    if os.geteuid() != 0:
        pytest.skip("needs root, for a network namespace of its own")
    if {name for _, name in socket.if_nameindex()} - _OF_NAMESPACES:
        pytest.skip("needs a network namespace of its own, as deploy/test.sh makes it")


@pytest.fixture(autouse=True)
def own_storages(tmp_path: Path, settings: Settings) -> Iterator[None]:
    """Give each test empty stores of sets, feeds and events."""
    from django.conf import settings as site
    from django.core.files.storage import storages

    changed: dict[str, Any] = deepcopy(site.STORAGES)
    for alias in ("sets", "feeds"):
        changed[alias]["OPTIONS"] = {"location": str(tmp_path / "store" / alias)}
    changed["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = changed
    settings.TSCM_EVENTS_DIR = tmp_path / "store" / "events"
    yield
    storages._storages.clear()  # type: ignore[attr-defined]


@pytest.fixture
def now() -> datetime:
    """A moment."""
    return datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session", autouse=True)
def emptied_record() -> None:
    """Let the record of changes, which the database itself keeps, be emptied between tests."""
    from tests.record import let_tests_empty_the_record

    let_tests_empty_the_record()
