"""Real servers, one of each kind and way, shared by the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.foreground import NotInstalled
from tests.fakes.portal_servers import SERVERS, PortalServer

EVERY = [(kind, way) for kind in ("bind", "knot") for way in ("update", "file")]


@pytest.fixture(scope="module", params=EVERY, ids=[f"{kind} by {way}" for kind, way in EVERY])
def server(request: pytest.FixtureRequest) -> Iterator[PortalServer]:
    yield from _running(*request.param)


@pytest.fixture(scope="module", params=["bind", "knot"])
def updated(request: pytest.FixtureRequest) -> Iterator[PortalServer]:
    """A server that takes updates."""
    yield from _running(request.param, "update")


def _running(kind: str, way: str) -> Iterator[PortalServer]:
    try:
        with SERVERS[kind](way="update" if way == "update" else "file") as server:
            yield server
    except NotInstalled as error:
        pytest.skip(str(error))
