"""A BIND that is the primary of these tests' portals, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from pytest_django import Settings

from tests.fakes.portal_servers import PortalBind
from tests.fleet.portal.portals import make_portal, real_now


@pytest.fixture(scope="session")
def _server() -> Iterator[PortalBind]:
    with PortalBind() as bind:
        yield bind


@pytest.fixture
def server(_server: PortalBind, settings: Settings) -> PortalBind:
    """The primary; the console of the test is its portal."""
    make_portal(settings, _server)
    return _server


@pytest.fixture
def moment() -> datetime:
    """The moment it is: serials go forward from one test to the next, on one server."""
    return real_now()
