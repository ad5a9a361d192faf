"""People at the console: Alice may do anything, Victor may look, Charlie may do nothing."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import Settings

from tscm_site.env import Bind


@pytest.fixture(autouse=True)
def known_feed_address(settings: Settings) -> None:
    """Keep the feeds' address out of this machine's interfaces."""
    settings.TSCM_FEED_BIND = Bind("192.0.2.1", 8001)


def _client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def alice(db: None) -> Client:
    """A superuser's browser."""
    return _client(User.objects.create_superuser("alice"))


@pytest.fixture
def victor(db: None) -> Client:
    """The browser of somebody who may see everything."""
    user = User.objects.create_user("victor", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return _client(user)


@pytest.fixture
def charlie(db: None) -> Client:
    """The browser of somebody who may sign in, and nothing else."""
    return _client(User.objects.create_user("charlie", is_staff=True))
