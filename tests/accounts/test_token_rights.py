"""Tokens that are good for one thing: with such a one nothing else opens, whoever's it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from accounts.authentication import OPENS
from accounts.models import ApiToken, TokenRight
from accounts.services import create_token
from devices.services import create_group
from fleet.models import Entry
from fleet.services.entry_keys import revoke_key
from policies.models import Change
from tests.api.conftest import error_of, with_token
from tests.fleet.edges.portal import be_portal
from tsadmin.tokens import RIGHTS

ENTRIES = "/api/v1/device-entries/"
TOKENS = "/api/v1/tokens/"
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_PARAMETER = re.compile(r"\(\?P<\w+>[^)]*\)|<\w+:\w+>")


def _routes(resolver: URLResolver, prefix: str = "/") -> Iterator[tuple[str, Any]]:
    """Every route below a resolver, its parameters filled with 1, and its view."""
    for pattern in resolver.url_patterns:
        text = str(pattern.pattern).removeprefix("^").removesuffix("$").removesuffix("\\Z")
        path = prefix + _PARAMETER.sub("1", text).replace("\\.", ".")
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern, path)
        elif isinstance(pattern, URLPattern):
            yield path, pattern.callback


def endpoints() -> list[str]:
    """Every path of the API that takes tokens."""
    return sorted(
        {
            path
            for path, view in _routes(get_resolver())
            if path.startswith("/api/v1/") and _takes_tokens(view)
        }
    )


def _takes_tokens(view: Any) -> bool:
    given = getattr(view, "initkwargs", {})
    usual = getattr(getattr(view, "cls", None), "authentication_classes", ())
    return bool(given.get("authentication_classes", usual))


@pytest.fixture
def may_add(superuser: User) -> APIClient:
    """A client whose token is for adding entries; its user may do everything."""
    made = create_token(
        user=superuser,
        name="image",
        right=TokenRight.ADD_ENTRIES,
        actor="test",
        now=timezone.now(),
    )
    return with_token(made.text)


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create_superuser("alice")


def test_the_walk_finds_what_the_api_has() -> None:
    found = endpoints()
    assert {TOKENS, "/api/v1/devices/", "/api/v1/devices/1/", "/api/v1/why/"} <= set(found)
    for path in found:
        assert resolve(path).func is not None


def test_a_token_for_adding_entries_opens_nothing_else_by_any_method(may_add: APIClient) -> None:
    for path, method in product(endpoints(), METHODS):
        if (method, path) == OPENS[TokenRight.ADD_ENTRIES]:
            continue
        answer = may_add.generic(method, path, "{}", content_type="application/json")
        assert answer.status_code == 403, (method, path)
        if method != "HEAD":
            error = error_of(answer)
            assert error["code"] == "permission_denied"
            assert "This token is for adding device entries, and nothing else" in error["detail"]
            assert f"opens POST {ENTRIES} alone" in error["detail"]


MACHINE = {
    "nickname": "azure_ip_1", "kind": "iptables", "manufacturer": "Microsoft", "model": "IP",
    "registration": "0123456789abcdef",
}  # fmt: skip


def test_it_says_what_a_machine_is_and_nothing_of_what_it_gets(
    may_add: APIClient, superuser: User, settings: Settings, tmp_path: Path
) -> None:
    be_portal(settings, tmp_path)
    group = create_group(name="images", actor="test", now=timezone.now())
    group.people.add(superuser)
    User.objects.update(is_superuser=False)
    superuser.user_permissions.set(Permission.objects.filter(codename="add_entry"))
    more = {"policy": 1, "group": group.pk, "settings": {}, "note": "x", "colour": "red"}
    for name, value in more.items():
        refused = may_add.post(ENTRIES, {**MACHINE, name: value})
        assert (refused.status_code, error_of(refused)["attr"]) == (400, name)
        assert "registration alone" in error_of(refused)["detail"]
    without = {name: value for name, value in MACHINE.items() if name != "registration"}
    refused = may_add.post(ENTRIES, without)
    assert (refused.status_code, error_of(refused)["attr"]) == (400, "registration")
    assert may_add.post(ENTRIES, MACHINE).status_code == 201
    assert may_add.post(ENTRIES, MACHINE).status_code == 200
    entry = Entry.objects.get()
    assert (entry.group, entry.policy, entry.settings) == (group, None, {})


def test_a_machine_whose_keys_were_revoked_is_told_so(
    may_add: APIClient, settings: Settings, tmp_path: Path
) -> None:
    be_portal(settings, tmp_path)
    may_add.post(ENTRIES, MACHINE)
    revoke_key(entry=Entry.objects.get(), generation=1, actor="test", now=timezone.now())
    refused = may_add.post(ENTRIES, MACHINE)
    assert (refused.status_code, error_of(refused)["code"]) == (409, "revoked")


def test_it_adds_entries_at_a_rate_of_its_own(
    may_add: APIClient, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()
    be_portal(settings, tmp_path)
    rates = {"user": None, "registrations": "2/min"}
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)
    answers = [may_add.post(ENTRIES, MACHINE).status_code for _ in range(3)]
    assert answers == [201, 200, 429]


@pytest.mark.parametrize("path", [f"{ENTRIES}/", f"{ENTRIES}1/", "/api/v1//device-entries/"])
def test_what_only_looks_like_the_endpoint_stays_shut(may_add: APIClient, path: str) -> None:
    assert may_add.post(path, {}).status_code in {403, 404}


def test_it_makes_no_other_token_and_deletes_none(may_add: APIClient, superuser: User) -> None:
    for right in TokenRight:
        assert may_add.post(TOKENS, {"name": "child", "right": right}).status_code == 403
    own = ApiToken.objects.get(user=superuser)
    assert may_add.delete(f"{TOKENS}{own.pk}/").status_code == 403
    assert ApiToken.objects.get() == own


def test_a_method_told_in_a_header_does_not_count(may_add: APIClient) -> None:
    answer = may_add.get("/api/v1/devices/", HTTP_X_HTTP_METHOD_OVERRIDE="POST")
    assert answer.status_code == 403


def test_a_right_that_nothing_is_opened_for_opens_nothing(
    may_add: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(OPENS, TokenRight.ADD_ENTRIES)
    assert may_add.get("/api/v1/devices/").status_code == 403
    assert may_add.post(ENTRIES, {}).status_code == 403


def test_the_console_takes_no_token(may_add: APIClient, superuser: User) -> None:
    made = create_token(user=superuser, name="all", actor="test", now=timezone.now())
    answer = Client().get("/admin/", HTTP_AUTHORIZATION=f"Bearer {made.text}")
    assert answer.status_code == 302


def test_the_api_makes_a_token_of_either_right_and_shows_which(superuser: User) -> None:
    made = create_token(user=superuser, name="first", actor="test", now=timezone.now())
    client = with_token(made.text)
    usual = client.post(TOKENS, {"name": "usual"}).json()
    narrow = client.post(TOKENS, {"name": "narrow", "right": "add-entries"}).json()
    assert (usual["right"], narrow["right"]) == ("all", "add-entries")
    rights = {row["name"]: row["right"] for row in client.get(TOKENS).json()["results"]}
    assert rights == {"first": "all", "usual": "all", "narrow": "add-entries"}
    refused = client.post(TOKENS, {"name": "wide", "right": "everything"})
    assert (refused.status_code, error_of(refused)["attr"]) == (400, "right")
    assert with_token(narrow["token"]).get(TOKENS).status_code == 403


def test_the_record_says_what_a_token_was_made_for(superuser: User) -> None:
    create_token(
        user=superuser,
        name="image",
        right=TokenRight.ADD_ENTRIES,
        actor="test",
        now=timezone.now(),
    )
    change = Change.objects.get(subject="token image")
    assert change.detail["right"] == [None, "add-entries"]


def test_the_command_line_knows_the_same_rights() -> None:
    assert set(RIGHTS) == {right.value for right in TokenRight}
