"""Guard, tests, priorities of a policy and secrets of a source, over the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Self

import pytest
from django.contrib.auth.models import User
from django.db import connection
from rest_framework.test import APIClient

from netsets.critical import CRITICAL
from policies.models import Policy, SourceSecrets
from policies.services.sources import secrets_of
from policies.sources import SOURCES
from policies.sources.memory import MemorySource
from policies.sources.settings import Settings
from tests.api.conftest import error_of, signed_in
from tests.factories import make_policy, make_source, publish

POLICIES, SOURCES_AT = "/api/v1/policies/", "/api/v1/sources/"
pytestmark = pytest.mark.django_db


class LockedSource(MemorySource):
    """A kind that keeps a password."""

    label: ClassVar[str] = "Locked list"
    secrets: ClassVar[tuple[str, ...]] = ("password", "token")

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Self:
        Settings(settings).only(["entries", *cls.secrets])
        return super().from_settings({"entries": settings["entries"]})


@pytest.fixture(autouse=True)
def locked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "locked", LockedSource)


def patched(api: APIClient, policy: Policy, **changes: object) -> dict[str, Any]:
    answer = api.patch(f"{POLICIES}{policy.pk}/", changes)
    assert answer.status_code == 200, answer.json()
    shown: dict[str, Any] = answer.json()
    return shown


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("reject_limit", 40),
        ("keep_special", True),
        ("protect_critical", False),
        ("critical_except", [next(iter(CRITICAL))]),
        ("stale_entries", "drop"),
        ("merge_to4", 24),
        ("merge_to6", 48),
        ("merge_to4", None),
        ("keep_snapshots", 5),
        ("keep_days", 30),
    ],
)
def test_every_setting_of_a_policy_is_changed_and_shown(
    api: APIClient, now: datetime, column: str, value: object
) -> None:
    assert patched(api, make_policy(now=now), **{column: value})[column] == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reject_limit", 100),
        ("critical_except", ["nobody's resolver"]),
        ("critical_except", "root name servers"),
        ("stale_entries", "burn"),
        ("merge_to4", 7),
        ("merge_to6", 128),
        ("keep_snapshots", 0),
        ("keep_days", 4000),
        ("tests", [{"expect": "blocked", "network": "pager.example"}]),
        ("tests", [{"expect": "blocked", "network": "5.6.0.7/24"}]),
        ("tests", [{"expect": "perhaps", "network": "5.6.0.7"}]),
        ("tests", [{"expect": "blocked", "network": "5.6.0.7"}] * 2),
    ],
)
def test_a_setting_that_cannot_be_is_named(
    api: APIClient, now: datetime, field: str, value: object
) -> None:
    policy = make_policy(now=now)
    answer = api.patch(f"{POLICIES}{policy.pk}/", {field: value})
    assert answer.status_code == 400
    assert str(error_of(answer)["attr"]).split(".")[0] == field
    assert not policy.tests.exists()


def test_tests_are_replaced_whole_and_told_with_their_outcome(
    api: APIClient, now: datetime
) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    url = f"{POLICIES}{policy.pk}/tests/"
    wanted = [
        {"expect": "blocked", "network": "5.6.0.7", "note": ""},
        {"expect": "not-blocked", "network": "5.6.0.8", "note": "the pager"},
    ]
    assert patched(api, policy, tests=wanted)["tests"] == wanted
    assert patched(api, policy, note="tests stay")["tests"] == wanted
    assert api.get(url).json() == []
    patched(api, policy, tests=[])
    publish(policy, now=now)
    patched(api, policy, tests=wanted)
    passed, failed = api.get(url).json()
    assert (passed["network"], passed["is_passed"], passed["detail"]) == ("5.6.0.7", True, "")
    assert (failed["note"], failed["is_passed"]) == ("the pager", False)
    assert "would be blocked" in failed["detail"]


def test_sources_have_priorities(api: APIClient, now: datetime) -> None:
    policy, other = make_policy(now=now), make_source(entries=["9.9.9.9"], now=now)
    first = policy.sources.get().pk
    sources = [
        {"source": first, "role": "block"},
        {"source": other.pk, "role": "block", "priority": 7},
    ]
    shown = patched(api, policy, sources=sources)["sources"]
    assert {one["source"]: one["priority"] for one in shown} == {first: 100, other.pk: 7}
    answer = api.patch(f"{POLICIES}{policy.pk}/", {"sources": [{**sources[0], "priority": 0}]})
    assert (answer.status_code, error_of(answer)["attr"]) == (400, "sources.0.priority")


def locked_source(api: APIClient) -> dict[str, Any]:
    settings = {"entries": ["9.9.9.9"], "password": "hunter2", "token": "t0ken"}
    answer = api.post(SOURCES_AT, {"name": "x", "kind": "locked", "settings": settings})
    assert answer.status_code == 201, answer.json()
    shown: dict[str, Any] = answer.json()
    return shown


def test_secrets_are_taken_among_the_settings_and_never_shown(api: APIClient) -> None:
    made = locked_source(api)
    assert made["secrets"] == ["password", "token"]
    assert made["settings"] == {"entries": ["9.9.9.9"]}
    url = f"{SOURCES_AT}{made['id']}/"
    shown = api.patch(url, {"settings": {"entries": ["9.9.9.8"], "token": ""}})
    assert shown.json()["secrets"] == ["password"]
    kept = SourceSecrets.objects.select_related("source").get()
    assert secrets_of(kept.source) == {"password": "hunter2"}
    for page in (url, SOURCES_AT, "/api/v1/changes/"):
        said = api.get(page).content.decode()
        assert "hunter2" not in said
        assert "t0ken" not in said


def test_which_secrets_there_are_is_told_without_the_key(api: APIClient) -> None:
    made = locked_source(api)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE policies_sourcesecrets SET \"values\" = 'x'")
    assert api.get(f"{SOURCES_AT}{made['id']}/").json()["secrets"] == ["password", "token"]
    assert api.get(SOURCES_AT).json()["results"][0]["secrets"] == ["password", "token"]
    answer = api.patch(f"{SOURCES_AT}{made['id']}/", {"settings": {"entries": ["9.9.9.8"]}})
    assert (answer.status_code, error_of(answer)["attr"]) == (400, "settings")
    assert "TSCM_FIELD_KEYS" in error_of(answer)["detail"]


def test_a_source_says_whether_it_is_stale_and_what_was_read(api: APIClient, now: datetime) -> None:
    policy = make_policy(now=now)
    publish(policy, now=now)  # a moment long gone, or yet to come
    policy.sources.update(retrieved_at="2020-01-01T00:00:00Z", stale_minutes=60)
    shown = api.get(f"{SOURCES_AT}{policy.sources.get().pk}/").json()
    assert (shown["is_stale"], shown["stale_minutes"], shown["list_entries"]) == (True, 60, 2)
    retrieval = api.get("/api/v1/retrievals/").json()["results"][0]
    assert retrieval["samples"] == []


def test_who_may_not_look_sees_no_tests(charlie: User, bob: User, now: datetime) -> None:
    url = f"{POLICIES}{make_policy(now=now).pk}/tests/"
    assert signed_in(charlie).get(url).status_code == 403
    assert signed_in(bob).get(url).status_code == 200
