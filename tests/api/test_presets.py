"""The catalogue over the API, and adding a preset."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from policies.models import Change, Policy, Source
from policies.presets import PRESETS
from policies.states import Role
from tests.api.conftest import error_of, signed_in
from tests.factories import make_policy

pytestmark = pytest.mark.django_db
PRESETS_URL = "/api/v1/presets/"


def add_url(key: str) -> str:
    return f"{PRESETS_URL}{key}/add/"


def test_the_catalogue_tells_what_each_preset_is_and_whether_it_is_here(api: APIClient) -> None:
    made = api.post(add_url("spamhaus-drop"), {})
    assert made.status_code == 201, made.json()
    listed = {one["key"]: one for one in api.get(PRESETS_URL).json()}
    assert len(listed) == len(PRESETS)
    assert {key: one["source_id"] for key, one in listed.items() if one["source_id"]} == {
        "spamhaus-drop": made.json()["id"]
    }
    for one in listed.values():
        assert all(one[name] for name in ("name", "lists", "licence", "refresh_minutes"))
        assert one["url"].startswith("https://")


def test_adding_makes_the_source_and_hands_it_to_a_policy(api: APIClient, now: datetime) -> None:
    policy = make_policy(now=now)
    Policy.objects.update(due_at=None)
    made = api.post(add_url("cloudflare-v4"), {"policy": policy.pk})
    assert made.status_code == 201, made.json()
    assert made.json()["policies"] == [policy.pk]
    link = policy.policy_sources.get(source=made.json()["id"])
    assert link.role == Role.ALLOW
    policy.refresh_from_db()
    assert policy.due_at is not None
    actors = Change.objects.filter(actor="api:alice").values_list("subject", flat=True)
    assert set(actors) == {"source Cloudflare edge (IPv4)", f"policy {policy}"}


def test_the_role_is_the_one_that_is_sent(api: APIClient, now: datetime) -> None:
    policy = make_policy(now=now)
    api.post(add_url("spamhaus-drop"), {"policy": policy.pk, "role": "allow"})
    assert policy.policy_sources.filter(role=Role.ALLOW).count() == 1


def test_what_a_preset_needs_is_taken_and_not_shown(api: APIClient) -> None:
    lacking = api.post(add_url("abuseipdb"), {})
    assert (lacking.status_code, error_of(lacking)["attr"]) == (400, "settings")
    made = api.post(add_url("abuseipdb"), {"settings": {"header_value": "k3y"}})
    assert made.status_code == 201
    assert b"k3y" not in made.content + api.get(PRESETS_URL).content


def test_what_cannot_be_added_is_refused_and_nothing_is_made(api: APIClient) -> None:
    assert api.post(add_url("no-such-preset"), {}).status_code == 404
    assert api.post(add_url("spamhaus-drop"), {"policy": 999_999}).status_code == 400
    assert api.post(add_url("spamhaus-drop"), {"settings": {"url": "x"}}).status_code == 400
    assert not Source.objects.exists()
    api.post(add_url("spamhaus-drop"), {})
    twice = api.post(add_url("spamhaus-drop"), {})
    assert twice.status_code == 400
    assert "is added already" in error_of(twice)["detail"]


def test_a_policy_is_changed_only_by_who_may(bob: User, charlie: User, now: datetime) -> None:
    policy = make_policy(now=now)
    assert signed_in(charlie).get(PRESETS_URL).status_code == 403
    may_add = signed_in(bob)
    assert may_add.get(PRESETS_URL).status_code == 200
    assert may_add.post(add_url("spamhaus-drop"), {}).status_code == 403
    bob.user_permissions.add(Permission.objects.get(codename="add_source"))
    wanted = {"policy": policy.pk}
    assert may_add.post(add_url("spamhaus-drop"), wanted).status_code == 403
    assert not Source.objects.filter(kind="http").exists()
    assert may_add.post(add_url("spamhaus-drop"), {}).status_code == 201


def test_the_catalogue_costs_one_query_however_much_of_it_is_here(api: APIClient) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert api.get(PRESETS_URL).status_code == 200
        return len(found)

    queries()  # the first one also notes the use of the token
    before = queries()
    for preset in PRESETS[:5]:
        api.post(add_url(preset.key), {})
    assert queries() == before
