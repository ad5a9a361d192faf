"""A console that is a portal, and people with their rights."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.api.conftest import signed_in
from tests.fleet.edges.portal import be_portal


@pytest.fixture(autouse=True)
def portal(settings: Settings, tmp_path: Path) -> None:
    """Let this console be a portal; nothing is written to a primary here."""
    cache.clear()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick
    be_portal(settings, tmp_path)


@pytest.fixture
def alice(db: None) -> User:
    """May do everything with the fleet, and look at policies and groups."""
    user = User.objects.create_user("alice", password="correct horse", is_staff=True)
    rights = Permission.objects.filter(content_type__app_label__in=("fleet", "policies", "devices"))
    user.user_permissions.set(rights)
    return user


@pytest.fixture
def bob(db: None) -> User:
    """May look, and change nothing."""
    user = User.objects.create_user("bob", password="battery staple", is_staff=True)
    rights = Permission.objects.filter(content_type__app_label__in=("fleet", "policies"))
    user.user_permissions.set(rights.filter(codename__startswith="view_"))
    return user


@pytest.fixture
def api(alice: User) -> APIClient:
    """Alice's program."""
    return signed_in(alice)
