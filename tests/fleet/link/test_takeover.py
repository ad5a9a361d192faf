"""A device that is here already comes under a portal, and loses nothing by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from devices.models import Device
from devices.services import (
    assign_group,
    change_people,
    configure_device,
    create_group,
    published_device,
    settings_of,
)
from enforcement.services.target import wanted_of
from fleet.models import Link
from fleet.reports.link_status import status_of
from fleet.services.link import link_device, unlink_device
from fleet.services.link_overrides import override_setting, release_override
from fleet.services.link_poll import poll_link
from policies.models import Policy, ProtectedAddress
from policies.services import pack_snapshot
from tests.api.conftest import error_of, signed_in
from tests.factories import make_device, make_gateway, make_policy, publish, republish
from tests.fleet.link.portal import Entry, LaidOut
from tests.fleet.link.rows import make_link, make_place

pytestmark = pytest.mark.django_db
SECONDS = 20.0
SET: dict[str, Any] = {
    "canaries": "192.0.2.10", "management_ip": "192.0.2.77", "syslog_forward": "192.0.2.44:514/udp",
    "upload_proxy": "http://192.0.2.9:3128", "upload_proxy_user": "u",
    "upload_proxy_password": "geheim", "verdict": "reject",
}  # fmt: skip


def fresh(device: Device) -> Device:
    return Device.objects.select_related("policy__current").get(pk=device.pk)


def link(portal: LaidOut, entry: Entry, *, now: datetime) -> Device:
    return link_device(
        portal=portal.portal, device_id=entry.device_id, key_text=entry.key_text, actor="test",
        now=now, seconds=SECONDS,
    ).device  # fmt: skip


def test_what_nobody_set_on_the_portal_stays_as_it_was_here(now: datetime) -> None:
    device = make_gateway(now=now, **SET)
    before, protected = settings_of(device), ProtectedAddress.objects.count()
    make_link(device, now=now, place=make_place())
    after = settings_of(fresh(device))
    kept = {name for name in before if before[name] == after[name]}
    assert kept >= SET.keys()
    assert ProtectedAddress.objects.count() == protected
    configure_device(device=fresh(device), changes={"verdict": "drop"}, actor="test", now=now)


def test_what_is_laid_down_no_more_is_at_its_default_or_as_it_was_overridden(
    now: datetime,
) -> None:
    device = make_gateway(now=now, **SET)
    place = make_place()
    secret = {"upload_proxy_password": "other"}
    make_link(
        device, now=now, place=place, secrets=secret, verdict="drop", log_quota=2_000_000,
        canaries=("192.0.2.11",),
    )  # fmt: skip
    override_setting(device=fresh(device), name="log_quota", value="3M", actor="a", now=now)
    override_setting(
        device=fresh(device), name="upload_proxy_password", value="mine", actor="a", now=now
    )
    make_link(fresh(device), now=now, place=place)
    told = settings_of(fresh(device))
    assert (told["verdict"], told["canaries"]) == ("drop", [])
    assert (told["log_quota"], told["upload_proxy_password"]) == (3_000_000, "mine")
    assert Link.objects.get().overrides == {}
    assert told["management_ip"] == "192.0.2.77"  # never came from the portal
    configure_device(device=fresh(device), changes={"log_quota": "1M"}, actor="a", now=now)
    make_link(fresh(device), now=now, place=place)
    assert settings_of(fresh(device))["log_quota"] == 1_000_000


def test_a_secret_that_is_laid_down_no_more_is_forgotten_and_another_one_stays(
    now: datetime,
) -> None:
    device = make_gateway(now=now, **SET)
    make_link(device, now=now)
    assert settings_of(fresh(device))["upload_proxy_password"] == "geheim"
    make_link(fresh(device), now=now, secrets={"upload_proxy_password": "other"})
    make_link(fresh(device), now=now)
    assert settings_of(fresh(device))["upload_proxy_password"] == ""


def test_a_policy_that_is_laid_down_no_more_leaves_the_lists_of_the_kind(now: datetime) -> None:
    device = make_device(policy=make_policy(now=now), now=now)
    make_link(device, now=now, place=make_place())
    make_link(fresh(device), now=now, block_list=None)  # one that is published soon
    assert settings_of(fresh(device))["block_list"] == ""
    assert "policy" in fresh(device).set_by_portal
    make_link(fresh(device), now=now)
    assert settings_of(fresh(device))["block_list"] == "basic.threatstop.local"
    assert "policy" not in fresh(device).set_by_portal


def digests(device_id: str) -> set[tuple[str, str]]:
    """Return what the feed server has for a device: lists, and what is in them."""
    served = published_device(device_id)
    assert served is not None
    return {(name, feed.digest) for name, feed in served.feeds.items()}


def test_a_firewall_is_served_its_list_until_the_zones_came(portal: LaidOut, now: datetime) -> None:
    shared = make_policy(now=now, block=["1.2.3.4", "5.6.7.8"], allow=["9.9.9.9"])
    publish(shared, now=now)
    many = [f"7.{high}.{low}.1" for high in range(10) for low in range(200)]
    place = portal.publish(many, label="late", snapshot=8)
    entry = portal.enter(policy=replace(place, block_zone="gone.tscm.internal"))
    device = make_device(policy=shared, now=now, device_id=entry.device_id)
    before = digests(entry.device_id)
    link(portal, entry, now=now)
    assert (digests(entry.device_id), len(before)) == (before, 2)
    assert publish(fresh(device).policy, now=now).block_prefixes == 2  # it could not be fetched
    assert digests(entry.device_id) == before
    entry.settings = replace(entry.settings, policy=place)
    portal.write(entry)
    poll_link(link_id=Link.objects.get().pk, now=now, seconds=SECONDS)
    assert publish(fresh(device).policy, now=now).block_prefixes == len(many)
    assert digests(entry.device_id) != before


def test_a_list_that_is_the_same_as_before_is_told_by_the_portals_number(
    portal: LaidOut, now: datetime
) -> None:
    shared = make_policy(now=now, block=["1.2.3.4"])
    publish(shared, now=now)
    entry = portal.enter(policy=portal.publish(["1.2.3.4"], snapshot=8))
    device = make_device(policy=shared, now=now, device_id=entry.device_id)
    link(portal, entry, now=now)
    publish(fresh(device).policy, now=now)
    assert status_of(Link.objects.get(), now=now).snapshot == 8


@pytest.mark.parametrize("updates", [True, False])
def test_a_gateway_is_to_hold_what_its_kernel_has_until_the_zones_came(
    now: datetime, *, updates: bool
) -> None:
    gateway = make_gateway(now=now)
    publish(gateway.policy, now=now)
    configure_device(device=fresh(gateway), changes={"policy_updates": updates}, actor="a", now=now)
    before = wanted_of(fresh(gateway), now=now)
    make_link(fresh(gateway), now=now, place=make_place())
    after = wanted_of(fresh(gateway), now=now)
    assert before is not None
    assert after is not None
    assert replace(after.target, label="") == replace(before.target, label="")


def test_a_released_policy_of_the_portal_begins_with_the_list_in_force(now: datetime) -> None:
    device = make_device(policy=make_policy(now=now), now=now)
    make_link(device, now=now, place=make_place())
    chosen = make_policy(now=now, name="chosen", block=["4.4.4.4"])
    publish(chosen, now=now)
    override_setting(device=fresh(device), name="policy", value="chosen", actor="a", now=now)
    before = digests(device.device_id)
    release_override(device=fresh(device), name="policy", actor="a", now=now)
    assert fresh(device).policy.name == device.nickname
    assert (digests(device.device_id), len(before)) == (before, 2)


def test_a_list_that_was_packed_for_the_firewall_is_carried_over_packed(now: datetime) -> None:
    policy = make_policy(now=now, block=[f"1.2.{low}.1" for low in range(0, 40, 2)])
    snapshot = publish(policy, now=now)
    pack_snapshot(snapshot=snapshot, most=10, now=now)
    device = make_device(policy=policy, now=now, max_policy_size=10)
    before = digests(device.device_id)
    make_link(device, now=now, place=make_place())
    assert (digests(device.device_id), len(before)) == (before, 2)


def test_limits_that_a_person_chose_come_back_with_lists_by_name(now: datetime) -> None:
    device = make_device(policy=make_policy(now=now), now=now)
    make_link(device, now=now, block_list="x.example")
    Policy.objects.filter(name=device.nickname).update(shrink_limit=10, growth_limit=150)
    lists: dict[str, Any] = {"block_list": "y.example"}
    for values in (lists, None):
        make_link(fresh(device), now=now, place=make_place())
        assert limits(device) == (100, 100_000)
        if values is None:
            unlink_device(device=fresh(device), actor="a", now=now)
        else:
            make_link(fresh(device), now=now, **values)
        assert limits(device) == (10, 150)


def limits(device: Device) -> tuple[int, int]:
    policy = fresh(device).policy
    return (policy.shrink_limit, policy.growth_limit)


def test_a_portal_protects_a_few_addresses_and_no_network(now: datetime) -> None:
    policy = make_policy(now=now, block=["45.1.2.3", "45.9.9.9", "46.3.3.3"])
    make_gateway(now=now, policy=policy)
    publish(policy, now=now)
    linked = make_device(policy=make_policy(now=now), now=now, client_networks="45.1.0.0/16")
    assert ProtectedAddress.objects.filter(network="45.1.0.0/16").exists()
    make_link(
        linked, now=now, management_ip="198.51.100.99",
        client_networks=("45.1.0.0/16", "45.9.0.0/16", "198.51.100.1/32"),
        syslog_sources=tuple(f"198.51.100.{number}" for number in range(2, 40)),
    )  # fmt: skip
    held = ProtectedAddress.objects.filter(origin=f"device {linked.nickname}")
    networks = set(held.values_list("network", flat=True))
    assert {"198.51.100.99", "198.51.100.1", "198.51.100.2"} <= networks
    assert len(networks) == 16
    assert not any("/" in network for network in networks)
    now += timedelta(minutes=10)
    assert republish(policy, "45.1.2.3", "45.9.9.9", "46.3.3.3", now=now).block_prefixes == 3


@pytest.fixture
def mallory(now: datetime) -> User:
    """May do everything with the devices of her group, and sees no others."""
    user = User.objects.create_user("mallory", is_staff=True)
    rights = Permission.objects.filter(content_type__app_label__in=("fleet", "policies", "devices"))
    user.user_permissions.set(rights)
    group = create_group(name="hers", actor="t", now=now)
    change_people(group=group, add=[user], actor="t", now=now)
    return user


def asked(portal: LaidOut, entry: Entry) -> dict[str, str]:
    """Return what a person sends to link a device."""
    to = portal.portal
    return {
        "device_id": entry.device_id, "device_key": entry.key_text, "portal": str(to),
        "domain": to.domain, "tls_name": to.tls_name, "ca": to.ca,
    }  # fmt: skip


def test_nobody_takes_over_a_device_that_he_does_not_see(
    portal: LaidOut, mallory: User, now: datetime
) -> None:
    entry = portal.enter("iptables", policy_updates=False, canaries=())
    gateway = make_gateway(now=now, device_id=entry.device_id, canaries="192.0.2.10")
    group = create_group(name="prod", actor="t", now=now)
    assign_group(device=gateway, group=group, actor="t", now=now)
    refused = signed_in(mallory).post("/api/v1/links/", asked(portal, entry), format="json")
    assert refused.status_code == 400
    assert "is not yours to change" in error_of(refused)["detail"]
    client = Client()
    client.force_login(mallory)
    page = client.post(reverse("admin:devices_device_link"), asked(portal, entry))
    assert "is not yours to change" in page.content.decode()
    assert (fresh(gateway).portal, fresh(gateway).policy_updates) == ("", True)
    assert not Link.objects.exists()


def test_nor_one_that_he_sees_and_may_not_change(
    portal: LaidOut, mallory: User, now: datetime
) -> None:
    entry = portal.enter("iptables")
    gateway = make_gateway(now=now, device_id=entry.device_id)
    assign_group(device=gateway, group=mallory.device_groups.get(), actor="t", now=now)
    mallory.user_permissions.remove(Permission.objects.get(codename="change_device"))
    refused = signed_in(mallory).post("/api/v1/links/", asked(portal, entry), format="json")
    assert refused.status_code == 400
    assert not Link.objects.exists()


def test_a_new_device_is_in_the_group_of_who_links_it(
    portal: LaidOut, mallory: User, now: datetime
) -> None:
    api = signed_in(mallory)
    for number in range(2):
        entry = portal.enter()
        if number:
            held = make_device(policy=make_policy(now=now), now=now, device_id=entry.device_id)
            assign_group(device=held, group=mallory.device_groups.get(), actor="t", now=now)
        made = api.post("/api/v1/links/", asked(portal, entry), format="json")
        assert made.status_code == 201, made.content
        assert Device.objects.get(device_id=entry.device_id).group.name == "hers"  # type: ignore[union-attr]


def test_the_form_says_that_what_is_stored_cannot_be_read(
    portal: LaidOut, now: datetime, settings: Settings
) -> None:
    entry = portal.enter(upload_proxy_password="")
    entry.settings = replace(entry.settings, secrets={"upload_proxy_password": "geheim"})
    portal.write(entry)
    device = link(portal, entry, now=now)
    override_setting(
        device=fresh(device), name="upload_proxy_password", value="mine", actor="a", now=now
    )
    settings.TSCM_FIELD_KEYS = [Fernet.generate_key().decode()]
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    page = client.post(reverse("admin:devices_device_link"), asked(portal, entry))
    assert page.status_code == 200
    assert "TSCM_FIELD_KEYS" in page.content.decode()
