from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.fakes.portal_servers import PortalBind
from tests.fleet.link.portal import LaidOut
from tscm_site.env import Bind


@pytest.fixture(scope="package")
def portal() -> Iterator[LaidOut]:
    """A portal for all tests of links: one BIND, a device of its own for each test."""
    with PortalBind() as server:
        yield LaidOut(server)


@pytest.fixture(autouse=True)
def known_feed_address(settings: Settings) -> None:
    """Let nobody look for the machine's address."""
    settings.TSCM_FEED_BIND = Bind("127.0.0.1", 8001)


@pytest.fixture
def root(db: None) -> APIClient:
    """A program that may do all."""
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("alice"))
    return client
