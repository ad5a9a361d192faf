"""Why is an address blocked? Asked over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from rest_framework.test import APIClient

from policies.models import Policy, Source
from policies.states import Role
from tests.api.conftest import error_of, signed_in
from tests.factories import make_device, make_policy, publish

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def policy(now: datetime) -> Policy:
    policy = make_policy(now=now, name="edge", block=["5.6.0.0/16"], allow=["5.6.7.8"])
    make_device(policy=policy, now=now, nickname="fmc")
    publish(policy, now=now)
    return policy


def ask(api: APIClient, **parameters: str) -> Any:
    return api.get("/api/v1/why/", parameters)


def test_an_address_is_answered_with_its_entries_and_devices(
    api: APIClient, policy: Policy, now: datetime
) -> None:
    snapshot = policy.current
    assert snapshot is not None
    source = Source.objects.get(policy_sources__role=Role.BLOCK)
    seen = now.isoformat().replace("+00:00", "Z")
    short = {"id": snapshot.pk, "number": 1, "created_at": seen}
    device = policy.devices.get()
    assert ask(api, address="5.6.1.2").json() == {
        "address": "5.6.1.2",
        "at": None,
        "blocked": "wholly",
        "policies": [
            {
                "policy": policy.pk, "name": "edge", "blocked": "wholly", "allowed": "not",
                "snapshot": short, "trouble": "", "cuts": [],
                "lists": [
                    {
                        "source": source.pk, "name": source.name, "role": "block",
                        "extent": "wholly", "crossing": [], "inside": 0, "inside_first": [],
                        "gone": [], "trouble": "",
                        "entries": [
                            {
                                "entry": "5.6.0.0/16", "line": 1, "first_seen": seen,
                                "last_seen": seen, "is_listed": True,
                            }
                        ],
                    }
                ],
            }
        ],
        "devices": [
            {
                "device": device.pk, "name": "fmc", "policy": policy.pk, "blocked": "wholly",
                "snapshot": short, "is_packed": False, "trouble": "",
            }
        ],
        "other_lists": [],
    }  # fmt: skip


def test_what_cut_an_address_is_named_with_its_list(api: APIClient, policy: Policy) -> None:
    body = ask(api, address="5.6.7.8").json()
    allow = Source.objects.get(policy_sources__role=Role.ALLOW)
    (cut,) = body["policies"][0]["cuts"]
    assert body["blocked"] == "not"
    assert (cut["reason"], cut["source"], cut["label"]) == ("allowed", allow.pk, allow.name)
    assert [(entry["entry"], entry["line"]) for entry in cut["entries"]] == [("5.6.7.8", 1)]


@pytest.mark.parametrize(
    ("asked", "address", "blocked"),
    [
        ("5.6.7.0/24", "5.6.7.0/24", "partly"),
        ("5.6.7.9/24", "5.6.7.0/24", "partly"),
        ("5.6.1.1-5.6.2.3", "5.6.1.1-5.6.2.3", "wholly"),
        (" 5.6.1.1 ", "5.6.1.1", "wholly"),
        ("2001:DB8::1", "2001:db8::1", "not"),
    ],
)
def test_prefixes_and_ranges_are_taken_too(
    asked: str, address: str, blocked: str, api: APIClient, policy: Policy
) -> None:
    body = ask(api, address=asked).json()
    assert (body["address"], body["blocked"]) == (address, blocked)


def test_a_past_moment_is_answered_from_what_was_in_force(
    api: APIClient, policy: Policy, now: datetime
) -> None:
    late = ask(api, address="5.6.1.2", at=(now + HOUR / 2).isoformat()).json()
    assert (late["blocked"], late["at"]) == ("wholly", "2026-11-21T12:30:00Z")
    assert late["devices"][0]["trouble"] == "no pull of that time is kept"
    early = ask(api, address="5.6.1.2", at="2026-11-21T11:00").json()
    assert early["blocked"] == "not"
    assert early["policies"][0]["trouble"] == "no snapshot of that moment is kept"


@pytest.mark.parametrize(
    ("parameters", "attr", "words"),
    [
        ({}, "address", "Give an address, a prefix or a range."),
        ({"address": "example.net"}, "address", "host name"),
        ({"address": "1.2.3"}, "address", "incomplete address"),
        ({"address": "1.2.3.4/33"}, "address", "prefix length"),
        ({"address": "1.2.3.9-1.2.3.4"}, "address", "range"),
        ({"address": "<script>"}, "address", "markup"),
        ({"address": ""}, "address", "1 to 200 characters"),
        ({"address": "1" * 201}, "address", "1 to 200 characters"),
        ({"address": "1.2.3.4", "at": "yesterday"}, "at", "'yesterday' is no moment"),
        ({"address": "1.2.3.4", "at": "0001-01-01T00:00+14:00"}, "at", "is no moment"),
        ({"address": "1.2.3.4", "at": "2126-01-01"}, "at", "lies in the future"),
        ({"address": "1.2.3.4", "when": "now"}, "when", "Known are address, at."),
    ],
    ids=str,
)
def test_a_question_that_means_nothing_is_refused_with_the_reason(
    parameters: dict[str, str], attr: str, words: str, api: APIClient
) -> None:
    answer = ask(api, **parameters)
    error = error_of(answer)
    assert (answer.status_code, error["attr"]) == (400, attr)
    assert words in error["detail"]


def test_an_address_given_twice_is_refused(api: APIClient) -> None:
    answer = api.get("/api/v1/why/?address=1.2.3.4&address=5.6.7.8")
    assert (answer.status_code, error_of(answer)["attr"]) == (400, "address")


def test_only_whoever_may_view_policies_may_ask(charlie: User, bob: User, policy: Policy) -> None:
    assert ask(APIClient(), address="5.6.1.2").status_code == 401
    assert ask(signed_in(charlie), address="5.6.1.2").status_code == 403
    assert ask(signed_in(bob), address="5.6.1.2").status_code == 200


def test_devices_are_shown_to_those_who_may_view_them(charlie: User, policy: Policy) -> None:
    charlie.user_permissions.set(Permission.objects.filter(codename="view_policy"))
    body = ask(signed_in(charlie), address="5.6.1.2").json()
    assert (body["blocked"], body["devices"]) == ("wholly", [])


def test_nothing_is_written(api: APIClient, policy: Policy) -> None:
    for method in (api.post, api.put, api.patch, api.delete):
        assert method("/api/v1/why/", {"address": "5.6.1.2"}).status_code == 405


def test_now_is_not_the_future(api: APIClient, policy: Policy) -> None:
    assert ask(api, address="5.6.1.2", at=timezone.now().isoformat()).status_code == 200
