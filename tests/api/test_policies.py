"""Policies, sources, snapshots, retrievals, changes and protected addresses over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from policies.models import Change, Policy, ProtectedAddress, Retrieval, Source
from tests.api.conftest import error_of, signed_in
from tests.factories import make_device, make_policy, make_source, publish

POLICIES, SOURCES = "/api/v1/policies/", "/api/v1/sources/"
PROTECTED = "/api/v1/protected-addresses/"
LIST: dict[str, Any] = {"name": "ours", "kind": "memory", "settings": {"entries": ["1.2.3.4"]}}


def source(api: APIClient, **changes: object) -> dict[str, Any]:
    answer = api.post(SOURCES, {**LIST, **changes})
    assert answer.status_code == 201, answer.json()
    shown: dict[str, Any] = answer.json()
    return shown


def test_makes_a_source_and_a_policy_of_it(api: APIClient) -> None:
    made = source(api, refresh_minutes=30)
    assert (made["state"], made["tone"], made["refresh_minutes"]) == ("new", "neutral", 30)
    answer = api.post(
        POLICIES,
        {"name": "edge", "sources": [{"source": made["id"], "role": "block"}], "max_share": 7.5},
    )
    shown = answer.json()
    assert answer.status_code == 201, shown
    assert shown["sources"] == [
        {"source": made["id"], "name": "ours", "role": "block", "priority": 100}
    ]
    assert (shown["max_share"], shown["current"], shown["state"]) == (7.5, None, "new")
    assert shown["due_at"] is not None
    assert api.get(f"{SOURCES}{made['id']}/").json()["policies"] == [shown["id"]]


@pytest.mark.parametrize(
    ("field", "value", "attr"),
    [
        ("settings", {"entries": ["not an address"]}, "settings"),
        ("settings", {"entries": ["1.2.3.4"], "colour": "red"}, "settings"),
        ("settings", [], "settings"),
        ("kind", "pigeon", "kind"),
        ("shrink_limit", 101, "shrink_limit"),
        ("severity", 0, "severity"),
        ("severity", 6, "severity"),
        ("refresh_minutes", 1, "refresh_minutes"),
        ("refresh_minutes", 10**30, "refresh_minutes"),
        ("name", "x" * 201, "name"),
    ],
)
def test_names_the_setting_of_a_source_that_it_refuses(
    api: APIClient, field: str, value: object, attr: str
) -> None:
    answer = api.post(SOURCES, {**LIST, field: value})
    assert answer.status_code == 400
    assert error_of(answer)["attr"] == attr
    assert not Source.objects.exists()


def test_refuses_the_same_list_twice(api: APIClient) -> None:
    source(api)
    answer = api.post(SOURCES, {**LIST, "name": "twin"})
    assert (answer.status_code, error_of(answer)["attr"]) == (400, "settings")
    assert "ours" in error_of(answer)["detail"]


def test_a_source_in_use_cannot_be_deleted(api: APIClient, now: datetime) -> None:
    policy = make_policy(now=now)
    used = policy.sources.get()
    answer = api.delete(f"{SOURCES}{used.pk}/")
    assert (answer.status_code, error_of(answer)["code"]) == (409, "in_use")
    assert policy.name in error_of(answer)["detail"]
    api.patch(f"{POLICIES}{policy.pk}/", {"sources": []})
    assert api.delete(f"{SOURCES}{used.pk}/").status_code == 204


def test_new_settings_of_a_source_are_retrieved_anew_and_not_measured_against_the_old_list(
    api: APIClient, now: datetime
) -> None:
    policy = make_policy(now=now, block=[f"1.2.3.{n}" for n in range(0, 100, 2)])
    publish(policy, now=now)
    used = policy.sources.get()
    Source.objects.update(claimed_by="a worker with the old settings", claimed_until=now)
    answer = api.patch(f"{SOURCES}{used.pk}/", {"settings": {"entries": ["9.9.9.9"]}})
    assert answer.status_code == 200
    used.refresh_from_db()
    policy.refresh_from_db()
    assert (used.claimed_by, used.list_prefixes) == ("", 0)
    assert used.due_at > now
    assert policy.due_at is not None
    publish(policy, now=now, accept_change=False)
    assert Retrieval.objects.first().outcome == "changed"  # type: ignore[union-attr]


def test_a_policy_that_is_followed_cannot_be_deleted(api: APIClient, now: datetime) -> None:
    policy = make_policy(now=now)
    device = make_device(policy=policy, now=now)
    answer = api.delete(f"{POLICIES}{policy.pk}/")
    assert answer.status_code == 409
    assert device.nickname in error_of(answer)["detail"]
    api.delete(f"/api/v1/devices/{device.pk}/")
    assert api.delete(f"{POLICIES}{policy.pk}/").status_code == 204


@pytest.mark.parametrize("accepts", [True, False])
def test_an_accepted_change_is_written_down(api: APIClient, now: datetime, accepts: bool) -> None:
    policy = make_policy(now=now)
    answer = api.post(f"{POLICIES}{policy.pk}/update/", {"accept_change": accepts})
    assert answer.status_code == 202
    policy.refresh_from_db()
    assert (policy.accepted_until is not None) is accepts
    found = list(Change.objects.filter(verb="accept").values_list("actor", "subject"))
    assert found == ([("api:alice", f"policy {policy.name}")] if accepts else [])


def test_changes_a_policy_and_leaves_it_due(api: APIClient, now: datetime) -> None:
    policy = make_policy(now=now)
    Policy.objects.update(due_at=None)
    answer = api.patch(f"{POLICIES}{policy.pk}/", {"widest4": 16, "note": "narrow"})
    assert (answer.json()["widest4"], answer.json()["note"]) == (16, "narrow")
    policy.refresh_from_db()
    assert policy.due_at is not None
    change = Change.objects.get(verb="change")
    assert change.actor == "api:alice"
    assert change.detail == {"note": ["", "narrow"], "widest4": [8, 16]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../edge"),
        ("widest4", 0),
        ("widest6", 129),
        ("max_share", 0),
        ("max_share", 1e300),
        ("growth_limit", 99),
        ("empty_list_address", "nowhere"),
        ("sources", [{"source": 10**25, "role": "block"}]),
        ("sources", [{"source": 1, "role": "maybe"}]),
    ],
)
def test_names_the_field_of_a_policy_that_it_refuses(
    api: APIClient, field: str, value: object
) -> None:
    answer = api.post(POLICIES, {"name": "edge", field: value})
    assert answer.status_code == 400
    assert error_of(answer)["attr"].partition(".")[0] == field
    assert not Policy.objects.exists()


def test_a_policy_takes_a_source_once(api: APIClient) -> None:
    pk = source(api)["id"]
    twice = [{"source": pk, "role": "block"}, {"source": pk, "role": "allow"}]
    answer = api.post(POLICIES, {"name": "edge", "sources": twice})
    assert (answer.status_code, error_of(answer)["attr"]) == (400, "sources")


def test_a_devices_own_policy_keeps_its_sources(api: APIClient) -> None:
    device = api.post(
        "/api/v1/devices/",
        {
            "nickname": "fmc-9",
            "kind": "firepower",
            "device_id": "tdid_9",
            "management_ip": "192.0.2.9",
        },
    ).json()
    address = f"{POLICIES}{device['policy']}/"
    assert error_of(api.patch(address, {"sources": []}))["attr"] == "sources"
    assert error_of(api.patch(address, {"name": "mine"}))["attr"] == "name"
    assert api.patch(address, {"widest4": 12}).status_code == 200


def test_shows_counts_of_addresses_as_text(api: APIClient, now: datetime) -> None:
    policy = make_policy(now=now, block=["2400::/20", "1.2.3.4"], allow=["2400:1::/32"])
    snapshot = publish(policy, now=now)
    shown = api.get(f"/api/v1/snapshots/{snapshot.pk}/").json()
    assert shown["numbers"]["block"]["addresses6"] == str(2**108 - 2**96)
    assert shown["numbers"]["block"]["addresses4"] == "1"
    assert shown["is_current"] is True
    assert str(2**96) in [cut["addresses"] for cut in shown["cuts"]]
    assert [feed["list"] for feed in shown["feeds"]] == ["allow", "block"]
    retrieval = api.get(f"/api/v1/retrievals/?ordering=id&source={policy.sources.first().pk}")  # type: ignore[union-attr]
    assert int(retrieval.json()["results"][0]["added"]) >= 2**96


def test_protects_an_address_and_leaves_every_policy_due(api: APIClient, now: datetime) -> None:
    make_policy(now=now)
    Policy.objects.update(due_at=None)
    made = api.post(PROTECTED, {"network": "192.0.2.0/24 ", "reason": "the office"})
    assert made.status_code == 201, made.json()
    assert made.json()["network"] == "192.0.2.0/24"
    assert not Policy.objects.filter(due_at=None).exists()
    address = f"{PROTECTED}{made.json()['id']}/"
    assert error_of(api.patch(address, {"network": "192.0.2.1/24"}))["attr"] == "network"
    assert api.patch(address, {"reason": "the new office"}).json()["reason"] == "the new office"
    assert api.delete(address).status_code == 204
    assert not ProtectedAddress.objects.exists()


def test_refuses_to_protect_what_is_no_network_or_is_protected(api: APIClient) -> None:
    assert api.post(PROTECTED, {"network": "192.0.2.1", "reason": "x"}).status_code == 201
    for network in ("192.0.2.1/32", "192.0.2.300", "localhost", "fe80::1%eth0"):
        answer = api.post(PROTECTED, {"network": network, "reason": "x"})
        assert (answer.status_code, error_of(answer)["attr"]) == (400, "network")


def test_leaves_alone_what_a_device_keeps_protected(api: APIClient, now: datetime) -> None:
    make_device(policy=make_policy(now=now), now=now)
    address = f"{PROTECTED}{ProtectedAddress.objects.get().pk}/"
    assert api.delete(address).status_code == 409
    assert api.patch(address, {"reason": "x"}).status_code == 409


def test_bob_looks_and_changes_nothing(bob: User, now: datetime) -> None:
    policy = make_policy(now=now)
    publish(policy, now=now)
    client = signed_in(bob)
    for name in ("policies", "sources", "snapshots", "retrievals", "changes"):
        assert client.get(f"/api/v1/{name}/").json()["count"] >= 1
    for answer in (
        client.post(POLICIES, {"name": "bobs"}),
        client.patch(f"{POLICIES}{policy.pk}/", {"note": "bob"}),
        client.post(f"{POLICIES}{policy.pk}/update/"),
        client.delete(f"{POLICIES}{policy.pk}/"),
        client.post(SOURCES, LIST),
        client.delete(f"{SOURCES}{policy.sources.get().pk}/"),
        client.post(PROTECTED, {"network": "192.0.2.1", "reason": "x"}),
    ):
        assert answer.status_code == 403


def test_records_cannot_be_written(api: APIClient, now: datetime) -> None:
    publish(make_policy(now=now), now=now)
    for name in ("snapshots", "retrievals", "changes", "pulls"):
        for method in ("post", "put", "patch", "delete", "options"):
            answer = getattr(api, method)(f"/api/v1/{name}/")
            assert answer.status_code == 405
            assert error_of(answer)["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("name", "queries"),
    [("policies", 9), ("sources", 7), ("snapshots", 7), ("retrievals", 6), ("changes", 6)],
)
def test_lists_many_with_as_many_queries_as_few(
    api: APIClient,
    now: datetime,
    name: str,
    queries: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    api.get(POLICIES)  # the first use of a token is noted
    for _ in range(2):
        for _ in range(3):
            policy = make_policy(now=now)
            publish(policy, now=now)
            make_device(policy=policy, now=now)
        with django_assert_num_queries(queries):
            api.get(f"/api/v1/{name}/")


def test_finds_by_state_kind_and_time(api: APIClient, now: datetime) -> None:
    publish(make_policy(now=now), now=now)
    make_source(entries=["9.9.9.9"], now=now)
    assert api.get(f"{SOURCES}?kind=memory&state=new").json()["count"] == 1
    assert api.get(f"{POLICIES}?state=current").json()["count"] == 1
    at = "/api/v1/snapshots/?since=2026-11-21T12:00:00Z"
    assert api.get(at).json()["count"] == 1
    assert api.get("/api/v1/snapshots/?until=2026-11-21T12:00:00Z").json()["count"] == 0
