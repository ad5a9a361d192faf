"""Devices over the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from devices.kinds import KINDS
from devices.models import Device
from devices.services import configure_device
from policies.models import Change, Policy, Source
from tests.api.conftest import error_of, signed_in
from tests.factories import make_device, make_policy, publish

URL = "/api/v1/devices/"
NEW: dict[str, Any] = {
    "nickname": "fmc-9",
    "kind": "firepower",
    "device_id": "tdid_0000abcd",
    "management_ip": "192.0.2.9",
    "block_list": "basic.example.net",
    "dns_server": ["192.0.2.53"],
    "syslog_sources": ["192.0.2.20"],
    "client_networks": ["192.0.2.0/24"],
    "upload_proxy_password": "hunter2",
}


def test_adds_a_device_with_a_policy_of_its_own(api: APIClient) -> None:
    made = api.post(URL, NEW)
    assert made.status_code == 201, made.json()
    shown = made.json()
    sent = {key: value for key, value in NEW.items() if key != "upload_proxy_password"}
    assert {key: shown[key] for key in sent} == sent
    assert shown["feeds"] == {
        "block": "http://192.0.2.10:8001/tdid_0000abcd/threatstop-block.txt",
        "allow": "http://192.0.2.10:8001/tdid_0000abcd/threatstop-allow.txt",
    }
    assert (shown["health"]["state"], shown["health"]["tone"]) == ("not-published", "warning")
    assert shown["snapshot"] is None
    assert Policy.objects.get(pk=shown["policy"]).is_private
    assert api.get(f"{URL}{shown['id']}/").json() == shown


def test_writes_down_who_added_it_and_no_secret(api: APIClient) -> None:
    api.post(URL, NEW)
    change = Change.objects.get(subject="device fmc-9")
    assert (change.actor, change.verb) == ("api:alice", "add")
    assert "hunter2" not in str(change.detail)


def test_never_shows_the_proxy_password(api: APIClient) -> None:
    pk = api.post(URL, NEW).json()["id"]
    for answer in (api.get(URL), api.get(f"{URL}{pk}/"), api.patch(f"{URL}{pk}/", {"note": "x"})):
        assert "hunter2" not in answer.content.decode()
        assert "upload_proxy_password" not in answer.content.decode()
    device = Device.objects.get(pk=pk)
    assert device.upload_proxy_password == "hunter2"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nickname", "../fmc"),
        ("nickname", "fmc\0"),
        ("device_id", "tdid/../../etc"),
        ("management_ip", "300.1.1.1"),
        ("management_ip", "fe80::1%eth0"),
        ("kind", "typewriter"),
        ("block_list", "bad name"),
        ("block_list", 5),
        ("dns_port", 0),
        ("dns_port", "53"),
        ("client_networks", ["192.0.2.1/24"]),
        ("syslog_forward", "192.0.2.1:514"),
        ("upload_proxy", "https://192.0.2.1:8080"),
        ("max_policy_size", 10**40),
        ("policy", 10**30),
        ("policy_updates", "yes"),
    ],
)
def test_names_the_setting_that_it_refuses(api: APIClient, field: str, value: object) -> None:
    answer = api.post(URL, {**NEW, field: value})
    assert answer.status_code == 400
    if value != "fmc\0":  # such a body is refused as a whole
        assert error_of(answer)["attr"].partition(".")[0] == field
    assert not Device.objects.exists()
    assert not Policy.objects.exists()


def test_refuses_a_name_that_is_taken(api: APIClient) -> None:
    api.post(URL, NEW)
    again = api.post(URL, {**NEW, "device_id": "tdid_other"})
    assert again.status_code == 400
    assert error_of(again)["attr"] == "nickname"


def test_changes_what_is_sent_and_nothing_else(api: APIClient) -> None:
    pk = api.post(URL, NEW).json()["id"]
    answer = api.patch(f"{URL}{pk}/", {"allow_list": "allow.example.net", "policy_updates": False})
    shown = answer.json()
    assert answer.status_code == 200
    assert (shown["allow_list"], shown["policy_updates"]) == ("allow.example.net", False)
    assert shown["block_list"] == NEW["block_list"]
    assert shown["health"]["state"] == "not-published"


def test_follows_another_policy(api: APIClient, now: datetime) -> None:
    pk = api.post(URL, NEW).json()["id"]
    policy = make_policy(now=now)
    answer = api.patch(f"{URL}{pk}/", {"policy": policy.pk, "note": "moved"})
    assert (answer.json()["policy"], answer.json()["note"]) == (policy.pk, "moved")
    assert not Policy.objects.filter(is_private=True).exists()


def test_goes_back_to_a_policy_of_its_own(api: APIClient, now: datetime) -> None:
    shared = make_policy(now=now)
    refused = api.post(URL, {**NEW, "policy": shared.pk})
    assert refused.status_code == 400
    assert "exclude each other" in refused.json()["errors"][0]["detail"]
    follower = {name: NEW[name] for name in NEW if name not in {"block_list", "dns_server"}}
    pk = api.post(URL, {**follower, "policy": shared.pk}).json()["id"]
    refused = api.patch(f"{URL}{pk}/", {"policy": None, "note": "moved"})
    assert (refused.status_code, error_of(refused)["attr"]) == (400, "block_list")
    assert Device.objects.get().note == ""
    answer = api.patch(
        f"{URL}{pk}/", {"policy": None, "block_list": "own.example.net", "note": "moved"}
    )
    shown = answer.json()
    assert answer.status_code == 200, shown
    assert (shown["block_list"], shown["policy_name"]) == ("own.example.net", "fmc-9")
    assert shown["note"] == "moved"
    again = api.patch(f"{URL}{pk}/", {"policy": None})
    assert (again.status_code, again.json()["policy"]) == (200, shown["policy"])


def test_takes_a_change_whole_or_not_at_all(api: APIClient, now: datetime) -> None:
    shown = api.post(URL, NEW).json()
    policy = make_policy(now=now)
    refused = api.patch(
        f"{URL}{shown['id']}/", {"policy": policy.pk, "block_list": "x.example.net"}
    )
    assert refused.status_code == 400
    assert Device.objects.get(pk=shown["id"]).policy_id == shown["policy"]


def test_leaves_the_policy_due_when_asked_for_an_update_though_the_broker_is_away(
    api: APIClient, now: datetime
) -> None:
    policy = make_policy(now=now)
    publish(policy, now=now)
    device = make_device(policy=policy, now=now)
    Policy.objects.update(due_at=None)
    before = timezone.now()
    answer = api.post(f"{URL}{device.pk}/update/", {"accept_change": True})
    assert answer.status_code == 202
    assert answer.json()["id"] == device.pk
    policy.refresh_from_db()
    assert policy.due_at is not None
    assert policy.due_at >= before
    assert policy.accepted_until is not None
    change = Change.objects.get(verb="accept")
    assert (change.actor, change.subject) == ("api:alice", f"policy {policy.name}")
    assert not Source.objects.filter(due_at__lt=before).exists()


def test_accepts_a_change_only_for_who_may_change_policies(
    api: APIClient, alice: User, now: datetime
) -> None:
    device = make_device(policy=make_policy(now=now), now=now)
    alice.user_permissions.remove(Permission.objects.get(codename="change_policy"))
    url = f"{URL}{device.pk}/update/"
    assert api.post(url, {"accept_change": True}).status_code == 403
    assert api.post(url, {"accept_change": False}).status_code == 202
    assert not Policy.objects.exclude(accepted_until=None).exists()
    assert not Change.objects.filter(verb="accept").exists()


def test_shows_the_snapshot_that_is_served(api: APIClient, now: datetime) -> None:
    policy = make_policy(now=now, block=["1.2.3.4", "5.6.7.8"])
    snapshot = publish(policy, now=now)
    device = make_device(policy=policy, now=now)
    for changes in (
        {},
        {"max_policy_size": 1},
        {"policy_updates": False},
        {"policy_updates": True},
    ):
        configure_device(device=device, changes=changes, actor="test", now=now)
        served = Device.objects.get(pk=device.pk).published
        shown = api.get(f"{URL}{device.pk}/").json()["snapshot"]
        assert shown == (
            served and {"id": served.pk, "number": served.number, "entries": served.entries}
        )
    assert snapshot.number == 1


def test_removes_a_device(api: APIClient) -> None:
    pk = api.post(URL, NEW).json()["id"]
    assert api.delete(f"{URL}{pk}/").status_code == 204
    assert api.get(f"{URL}{pk}/").status_code == 404
    assert not Policy.objects.exists()


def test_offers_every_setting_of_every_kind() -> None:
    from devices.api.serializers import DeviceAddSerializer

    settings = {setting.name for kind in KINDS.values() for setting in kind.settings}
    assert set(DeviceAddSerializer().fields) == settings | {"nickname", "kind", "policy", "group"}


def test_lists_many_devices_with_as_many_queries_as_few(
    api: APIClient, now: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    api.get(URL)  # the first use of a token is noted
    for size in (1, 6):
        while Device.objects.count() < size:
            policy = make_policy(now=now)
            publish(policy, now=now)
            make_device(policy=policy, now=now)
        with django_assert_num_queries(10):
            assert len(api.get(URL).json()["results"]) == size


def test_filters_searches_and_orders(api: APIClient, now: datetime) -> None:
    policy = make_policy(now=now)
    for name in ("east-1", "east-2", "west-1"):
        make_device(policy=policy, now=now, nickname=name)
    assert [row["nickname"] for row in api.get(f"{URL}?search=east").json()["results"]] == [
        "east-1",
        "east-2",
    ]
    assert api.get(f"{URL}?nickname=west-1").json()["count"] == 1
    assert (
        api.get(f"{URL}?policy={policy.pk}&ordering=-nickname").json()["results"][0]["nickname"]
        == "west-1"
    )


def test_bob_looks_and_changes_nothing(api: APIClient, bob: User) -> None:
    pk = api.post(URL, NEW).json()["id"]
    client = signed_in(bob)
    assert client.get(URL).status_code == client.get(f"{URL}{pk}/").status_code == 200
    for answer in (
        client.post(URL, {**NEW, "nickname": "other", "device_id": "other"}),
        client.patch(f"{URL}{pk}/", {"note": "bob was here"}),
        client.post(f"{URL}{pk}/update/"),
        client.delete(f"{URL}{pk}/"),
    ):
        assert answer.status_code == 403
    assert Device.objects.get(pk=pk).note == ""


def test_a_silent_device_says_so(api: APIClient, now: datetime) -> None:
    policy = make_policy(now=now)
    publish(policy, now=now)
    device = make_device(policy=policy, now=now)
    Device.objects.filter(pk=device.pk).update(last_pull_at=timezone.now() - timedelta(days=1))
    health = api.get(f"{URL}{device.pk}/").json()["health"]
    assert (health["state"], health["tone"]) == ("silent", "danger")
