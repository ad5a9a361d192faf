"""People who sign in with a browser, and their phones."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import one_time_codes, second_factor
from accounts.models import SecondFactor
from accounts.sso.settings import OidcSettings
from policies.models import Change

PASSWORD = "correct horse"
SIGN_IN, CODE, SET_UP, OWN = (
    "/admin/login/", "/admin/login/code/", "/admin/login/set-up/", "/admin/own/",
)  # fmt: skip
HOME = "198.51.100.9"


@pytest.fixture(autouse=True)
def known_ground(settings: Settings) -> None:
    """Hash quickly, and forget what other tests asked."""
    cache.clear()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def alice(db: None) -> User:
    """An owner."""
    return User.objects.create_superuser("alice", password=PASSWORD)


@pytest.fixture
def victor(db: None) -> User:
    """Somebody who may sign in and look at nothing."""
    return User.objects.create_user("victor", password=PASSWORD, is_staff=True)


@dataclass
class Browser:
    """A browser at an address."""

    address: str = HOME
    client: Client = field(default_factory=Client)

    def sign_in(self, name: str, password: str = PASSWORD, **form: str) -> Any:
        return self.post(SIGN_IN, username=name, password=password, **form)

    def post(self, url: str, **form: str) -> Any:
        return self.client.post(url, form, REMOTE_ADDR=self.address)

    def get(self, url: str) -> Any:
        return self.client.get(url, REMOTE_ADDR=self.address)

    def is_in(self) -> bool:
        """Tell whether the console takes it for somebody."""
        return bool(self.get("/admin/").status_code == 200)


@pytest.fixture
def browser() -> Browser:
    """A browser."""
    return Browser()


@dataclass
class Phone:
    """An app that makes codes, and the recovery codes on paper."""

    secret: str
    recovery_codes: tuple[str, ...] = ()

    def code(self, *, after: timedelta = timedelta(0), now: datetime | None = None) -> str:
        return one_time_codes.code_at(self.secret, (now or timezone.now()) + after)


def phone_of(user: User, *, now: datetime | None = None) -> Phone:
    """Set up a second factor a minute ago, so that today's code is still good."""
    then = (now or timezone.now()) - timedelta(minutes=2)
    factor = second_factor.begin_set_up(user=user, now=then)
    phone = Phone(factor.secret)
    phone.recovery_codes = second_factor.confirm_set_up(
        factor=factor, code=phone.code(now=then), actor="test", now=then
    )
    return phone


def secret_on(page: str) -> str:
    """Return the secret that a page shows for typing."""
    found = re.search(r'id="secret">([A-Z2-7 ]+)<', page)
    assert found, page
    return found[1].replace(" ", "")


def recovery_codes_on(page: str) -> list[str]:
    return re.findall(r"<code>([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})</code>", page)


def recorded() -> list[str]:
    """Return what the record of changes says, oldest first, in a line each."""
    rows = Change.objects.order_by("id")
    return [f"{row.actor} {row.verb} {row.subject}" for row in rows]


def groups_of(name: str) -> list[str]:
    return sorted(User.objects.get(username=name).groups.values_list("name", flat=True))


def oidc_settings(issuer: str) -> OidcSettings:
    return OidcSettings(
        issuer=issuer,
        client_id="tscm",
        client_secret="battery staple",
        ca=None,
        scopes="openid profile email",
        name_claim="preferred_username",
        roles_claim="groups",
        roles=(("owner", "firewall-admins"), ("auditor", "audit")),
        seconds=2,
    )


def factors() -> int:
    return SecondFactor.objects.filter(confirmed_at__isnull=False).count()
