"""Alice may do everything, Bob may look, Charlie may do nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.services import create_token
from tscm_site.env import Bind

SEEN = ("policies", "devices", "logs")


@pytest.fixture(autouse=True)
def known_ground(settings: Settings) -> None:
    """Forget what other tests asked, and look for no address of this machine."""
    cache.clear()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick
    settings.TSCM_FEED_BIND = Bind("192.0.2.10", 8001)


@pytest.fixture
def alice(db: None) -> User:
    """May do all with policies, devices and logs; no superuser, so that each right counts."""
    user = User.objects.create_user("alice", password="correct horse")
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=SEEN))
    return user


@pytest.fixture
def bob(db: None) -> User:
    """May look at everything and change nothing."""
    user = User.objects.create_user("bob", password="battery staple")
    may_view = Permission.objects.filter(
        content_type__app_label__in=SEEN, codename__startswith="view_"
    )
    user.user_permissions.set(may_view)
    return user


@pytest.fixture
def charlie(db: None) -> User:
    """Has an account and no rights."""
    return User.objects.create_user("charlie", password="no rights")


def signed_in(user: User, *, now: datetime | None = None) -> APIClient:
    """Return a client that sends a token of `user`, which has one as long as it is used here."""
    user.api_tokens.all().delete()
    made = create_token(user=user, name="test", actor="test", now=now or timezone.now())
    return with_token(made.text)


def with_token(text: str) -> APIClient:
    """Return a client that sends this token."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


@pytest.fixture
def api(alice: User) -> APIClient:
    """Return Alice's client."""
    return signed_in(alice)


def error_of(response: Any) -> dict[str, Any]:
    """Return the first error of an answer, and hold the answer to the shape of errors."""
    body = response.json()
    assert set(body) == {"type", "errors"}, body
    assert response["Content-Type"] == "application/json"
    error: dict[str, Any] = body["errors"][0]
    assert set(error) == {"code", "detail", "attr"}
    return error
