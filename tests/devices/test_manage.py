"""Devices are added, configured and removed whole, and what they need comes and goes with them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from devices.kinds.base import SettingRefused
from devices.models import Device
from devices.services import (
    DeviceRefused,
    add_device,
    assign_policy,
    configure_device,
    lists_of,
    own_lists,
    protect_devices,
    record_pulls,
    remove_device,
    settings_of,
)
from policies.models import Change, Policy, ProtectedAddress, Source
from policies.services import create_source
from tests.console.pages import pull_of
from tests.factories import make_device, make_policy, publish

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def add(now: datetime, nickname: str = "fmc", **settings: object) -> Device:
    given = {"device_id": f"tdid_{nickname}", "management_ip": "192.0.2.10", **settings}
    return add_device(kind="firepower", nickname=nickname, settings=given, actor="test", now=now)


def test_a_device_of_list_names_gets_a_policy_of_its_own_that_is_due(now: datetime) -> None:
    device = add(now, block_list="b.example", allow_list="a.example", dns_port="5353")
    assert device.policy.name == "fmc"
    assert device.policy.due_at == now
    assert set(Source.objects.due(now=now)) == set(device.policy.sources.all())
    found = lists_of(device)
    assert (found.block_list, found.allow_list, found.dns_port) == ("b.example", "a.example", 5353)


def test_two_devices_of_the_same_lists_share_their_sources(now: datetime) -> None:
    first, second = add(now, "one"), add(now, "two")
    assert first.policy != second.policy
    assert first.policy.sources.get() == second.policy.sources.get()
    remove_device(device=first, actor="test", now=now)
    assert second.policy.sources.count() == 1
    remove_device(device=second, actor="test", now=now)
    assert not Source.objects.exists()
    assert not Policy.objects.exists()


@pytest.mark.parametrize(
    "bad",
    [
        {"dns_port": "0"},
        {"block_list": "x" * 64 + ".example"},
        {"block_list": ""},
        {"block_list": "a.example", "allow_list": "a.example"},
        {"dns_server": "not a server!"},
    ],
)
def test_a_refused_setting_adds_nothing(bad: dict[str, str], now: datetime) -> None:
    with pytest.raises(SettingRefused):
        add(now, **bad)
    assert not Device.objects.exists()
    assert not Policy.objects.exists()
    assert not Source.objects.exists()


def test_a_source_that_a_person_made_stays_when_the_last_device_goes(now: datetime) -> None:
    settings = {"name": "b.example", "servers": [], "port": 53}
    source = create_source(name="ours", kind="dns", settings=settings, actor="test", now=now)
    device = add(now, block_list="b.example")
    assert device.policy.sources.get() == source
    remove_device(device=device, actor="test", now=now)
    assert list(Source.objects.all()) == [source]


@pytest.mark.parametrize("clash", [{"nickname": "fmc"}, {"device_id": "tdid_fmc"}])
def test_a_name_or_an_id_is_given_once(clash: dict[str, str], now: datetime) -> None:
    add(now)
    with pytest.raises(DeviceRefused, match="exists"):
        add(now, **{"nickname": "other", "device_id": "tdid_other", **clash})
    assert Device.objects.count() == 1


def test_the_database_refuses_names_that_leave_their_folder(now: datetime) -> None:
    policy = make_policy(now=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        Device.objects.create(
            nickname="../x", kind="firepower", device_id="tdid_1", policy=policy,
            management_ip="192.0.2.1", created_at=now,
        )  # fmt: skip


def test_the_management_address_is_protected_while_the_device_is_there(now: datetime) -> None:
    device = add(now)
    assert ProtectedAddress.objects.get().network == "192.0.2.10"
    configure_device(device=device, changes={"management_ip": "192.0.2.11"}, actor="test", now=now)
    assert ProtectedAddress.objects.get().network == "192.0.2.11"
    remove_device(device=device, actor="test", now=now)
    assert not ProtectedAddress.objects.exists()


def test_what_belongs_to_a_device_is_protected_and_too_wide_networks_are_not(
    now: datetime,
) -> None:
    device = add(
        now,
        management_ip="192.0.2.10",
        syslog_forward="[2001:db8::5]:514/udp, siem.example:6514/tls, 192.0.2.5:514/tcp",
        upload_proxy="http://198.51.100.8:3128",
        syslog_sources="192.0.2.10, 192.0.2.11, 198.51.0.0/16, 10.0.0.0/8",
        client_networks="203.0.113.0/24, 172.16.0.0/16, 10.0.0.0/8, 2001:db8::/32, 2001::/16",
    )
    found = dict(ProtectedAddress.objects.values_list("network", "reason"))
    assert found == {
        "192.0.2.10": "management address of fmc",
        "192.0.2.11": "syslog source of fmc",
        "198.51.0.0/16": "syslog source of fmc",
        "2001:db8::5": "where the syslog of fmc is forwarded",
        "192.0.2.5": "where the syslog of fmc is forwarded",
        "198.51.100.8": "log upload proxy of fmc",
        "203.0.113.0/24": "may fetch the feeds of fmc",
        "172.16.0.0/16": "may fetch the feeds of fmc",
        "2001:db8::/32": "may fetch the feeds of fmc",
    }
    changes = {"syslog_forward": "", "upload_proxy": "http://proxy.example:3128",
               "client_networks": "", "syslog_sources": ""}  # fmt: skip
    configure_device(device=device, changes=changes, actor="test", now=now)
    assert ProtectedAddress.objects.get().network == "192.0.2.10"


def test_who_fetches_an_open_feed_protects_nobody(now: datetime) -> None:
    device = add(now, client_networks="")
    record_pulls(records=[pull_of(device, at=now)])
    assert [row.network for row in ProtectedAddress.objects.all()] == ["192.0.2.10"]


def test_after_an_upgrade_every_device_protects_what_it_names(now: datetime) -> None:
    add(now, "one", syslog_sources="198.51.100.1")
    ProtectedAddress.objects.all().delete()
    Policy.objects.update(due_at=None)
    protect_devices(now=now)
    assert ProtectedAddress.objects.count() == 2
    assert Policy.objects.filter(due_at=now).exists()
    Policy.objects.update(due_at=None)
    protect_devices(now=now)
    assert not Policy.objects.filter(due_at=now).exists()


def test_a_management_address_is_never_in_any_feed(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.7.0/24"])
    make_device(policy=make_policy(now=now, block=["9.9.9.9"]), now=now, management_ip="5.6.7.8")
    snapshot = publish(policy, now=now)
    assert dict(snapshot.cuts)["protected"] == 1


def test_other_list_names_change_the_sources_and_leave_the_policy_due(now: datetime) -> None:
    device = add(now)
    Policy.objects.update(due_at=None)
    configure_device(
        device=device, changes={"block_list": "other.example"}, actor="test", now=now + HOUR
    )
    assert [source.settings["name"] for source in Source.objects.all()] == ["other.example"]
    assert Policy.objects.get().due_at == now + HOUR


def test_the_lists_of_a_shared_policy_are_not_changed_through_a_device(now: datetime) -> None:
    device = make_device(policy=make_policy(now=now), now=now)
    with pytest.raises(DeviceRefused, match="follows the policy"):
        configure_device(device=device, changes={"block_list": "x.example"}, actor="t", now=now)


def test_a_setting_that_is_not_named_stays_as_it_is(now: datetime) -> None:
    device = add(now, upload_proxy_user="u", upload_proxy_password="secret", note="n")
    configure_device(device=device, changes={"note": "m"}, actor="test", now=now)
    stored = settings_of(Device.objects.get())
    assert (stored["upload_proxy_password"], stored["note"]) == ("secret", "m")


def test_updates_off_pins_what_is_served_and_stops_the_policy(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.7.0/24"])
    device = make_device(policy=policy, now=now)
    first = publish(policy, now=now)
    configure_device(device=device, changes={"policy_updates": "off"}, actor="t", now=now)
    policy.refresh_from_db()
    assert policy.is_paused
    assert not Source.objects.due(now=now + 2 * HOUR).exists()
    source = policy.sources.get()
    Source.objects.filter(pk=source.pk).update(settings={"entries": ["5.6.7.8"]})
    publish(policy, now=now + HOUR, accept_change=True)
    assert Device.objects.get().published == first
    configure_device(device=device, changes={"policy_updates": "on"}, actor="t", now=now)
    assert Device.objects.get().published != first
    policy.refresh_from_db()
    assert not policy.is_paused


def test_a_device_that_is_too_small_keeps_the_last_snapshot_that_fits(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.7.8"])
    small = make_device(policy=policy, now=now, max_policy_size="2")
    large = make_device(policy=policy, now=now)
    first = publish(policy, now=now)
    source = policy.sources.get()
    Source.objects.filter(pk=source.pk).update(
        settings={"entries": ["5.6.7.8", "5.6.7.10", "5.6.7.12"]}
    )
    second = publish(policy, now=now + HOUR)
    small, large = (Device.objects.get(pk=device.pk) for device in (small, large))
    assert (small.published, small.is_too_small) == (first, True)
    assert (large.published, large.is_too_small) == (second, False)


def test_another_policy_is_followed_and_the_private_one_goes(now: datetime) -> None:
    device = add(now)
    shared = make_policy(now=now)
    assign_policy(device=device, policy=shared, actor="test", now=now)
    assert list(Policy.objects.all()) == [shared]
    assert not Source.objects.filter(kind="dns").exists()


def test_a_device_of_a_shared_policy_gets_lists_of_its_own_again(now: datetime) -> None:
    shared = make_policy(now=now)
    device = make_device(policy=shared, now=now, nickname="fmc")
    later = now + HOUR
    own_lists(
        device=device,
        settings={"block_list": "b.example", "dns_port": "5353", "note": "moved"},
        actor="test",
        now=later,
    )
    device = Device.objects.get()
    found = lists_of(device)
    assert (found.block_list, found.allow_list, found.dns_port) == ("b.example", "", 5353)
    assert (device.policy.name, device.policy.is_private, device.note) == ("fmc", True, "moved")
    assert device.policy.due_at == later
    assert Policy.objects.filter(pk=shared.pk).exists()
    change = Change.objects.get(verb="assign")
    assert change.detail["policy"] == [shared.name, "fmc"]
    assert change.detail["block_list"] == [None, "b.example"]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, SettingRefused),
        ({"block_list": ""}, SettingRefused),
        ({"allow_list": "a.example"}, SettingRefused),
        ({"block_list": "a.example", "allow_list": "a.example", "note": "x"}, SettingRefused),
        ({"block_list": "a.example", "management_ip": "nowhere"}, SettingRefused),
        ({"block_list": "a.example", "device_id": "tdid_taken"}, DeviceRefused),
    ],
)
def test_lists_that_cannot_be_leave_the_device_where_it_was(
    given: dict[str, object], error: type[Exception], now: datetime
) -> None:
    shared = make_policy(now=now)
    device = make_device(policy=shared, now=now)
    make_device(policy=shared, now=now, device_id="tdid_taken")
    with pytest.raises(error):
        own_lists(device=device, settings=given, actor="test", now=now)
    stored = Device.objects.get(pk=device.pk)
    assert (stored.policy, device.policy, stored.note) == (shared, shared, "")
    assert list(Policy.objects.all()) == [shared]


def test_the_name_of_the_policy_of_its_own_must_be_free(now: datetime) -> None:
    shared = make_policy(now=now, name="fmc")
    device = make_device(policy=shared, now=now, nickname="fmc")
    with pytest.raises(DeviceRefused, match="rename that policy"):
        own_lists(device=device, settings={"block_list": "b.example"}, actor="test", now=now)
    assert Device.objects.get().policy == shared


def test_a_device_with_lists_of_its_own_keeps_its_policy(now: datetime) -> None:
    device = add(now, block_list="b.example", allow_list="a.example")
    before = device.policy
    own_lists(device=device, settings={"block_list": "c.example"}, actor="test", now=now)
    own_lists(device=device, settings={}, actor="test", now=now)
    found = lists_of(Device.objects.get())
    assert (found.block_list, found.allow_list) == ("c.example", "a.example")
    assert list(Policy.objects.all()) == [before]


def test_what_is_written_down_of_a_new_device_names_the_policy_it_follows(now: datetime) -> None:
    shared = make_policy(now=now)
    make_device(policy=shared, now=now)
    detail = Change.objects.get(verb="add").detail
    assert detail["policy"] == [None, shared.name]
    assert "block_list" not in detail


def test_a_device_does_not_follow_the_own_policy_of_another(now: datetime) -> None:
    first, second = add(now, "one"), add(now, "two", block_list="b.example")
    with pytest.raises(DeviceRefused, match="lists of the device one"):
        assign_policy(device=second, policy=first.policy, actor="test", now=now)
    assert Device.objects.get(pk=second.pk).policy.name == "two"


def test_lists_beside_a_policy_to_follow_are_refused_not_forgotten(now: datetime) -> None:
    policy = make_policy(now=now)
    with pytest.raises(DeviceRefused, match="exclude each other"):
        make_device(policy=policy, now=now, block_list="b.example")
    assert not Device.objects.exists()


def test_every_change_is_written_down_without_secrets(now: datetime) -> None:
    device = add(now, upload_proxy_password="hunter2")
    configure_device(
        device=device, changes={"note": "x", "upload_proxy_password": "hunter3"},
        actor="console:alice", now=now + HOUR,
    )  # fmt: skip
    change = Change.objects.first()
    assert change is not None
    assert (change.actor, change.verb, change.subject) == (
        "console:alice",
        "configure",
        "device fmc",
    )
    assert change.detail["note"] == ["", "x"]
    assert "hunter" not in str(list(Change.objects.values()))


def test_another_policy_is_served_at_once_and_then_stands_while_updates_are_off(
    now: datetime,
) -> None:
    device = make_device(policy=make_policy(now=now), now=now)
    publish(device.policy, now=now)
    configure_device(device=device, changes={"policy_updates": "no"}, actor="test", now=now)
    other = make_policy(now=now)
    snapshot = publish(other, now=now)
    assign_policy(device=device, policy=other, actor="test", now=now)
    device.refresh_from_db()
    assert device.published == snapshot
