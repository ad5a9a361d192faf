"""A device links to its portal, and becomes what the portal says."""

from __future__ import annotations

from datetime import datetime

import pytest

from devices.models import Device
from devices.services import DeviceRefused, settings_of
from fleet.models import Link
from fleet.services.link import Here, Linked, link_device
from fleet.services.link_refused import LinkRefused, NoListsYet
from policies.models import Change, Source
from tests.factories import make_device, make_policy, publish
from tests.fleet.link.portal import Entry, LaidOut
from tests.fleet.link.rows import make_link

pytestmark = pytest.mark.django_db
SECONDS = 20.0


def link(portal: LaidOut, entry: Entry, *, now: datetime, nickname: str | None = None) -> Linked:
    return link_device(
        portal=portal.portal, device_id=entry.device_id, key_text=entry.key_text, actor="test",
        now=now, seconds=SECONDS, here=Here(nickname),
    )  # fmt: skip


def test_a_firepower_becomes_what_the_portal_lays_down(portal: LaidOut, now: datetime) -> None:
    entry = portal.enter(log_size=250_000, client_networks=("192.0.2.0/24",))
    linked = link(portal, entry, now=now)
    assert linked.is_new
    assert not linked.refused
    device = Device.objects.get()
    assert device.nickname == entry.settings.nickname
    told = settings_of(device)
    assert {name: told[name] for name in ("log_size", "client_networks", "block_list")} == {
        "log_size": 250_000,
        "client_networks": ["192.0.2.0/24"],
        "block_list": entry.settings.values["block_list"],
    }
    assert {"log_size", "block_list", "policy"} <= set(device.set_by_portal)
    assert Change.objects.filter(verb="link", subject=f"device {device}").exists()


def test_a_device_whose_lists_are_nowhere_yet_is_not_linked(portal: LaidOut, now: datetime) -> None:
    entry = portal.enter(block_list="")
    with pytest.raises(NoListsYet, match=r"does not say yet where the lists .* are"):
        link(portal, entry, now=now)
    assert not Device.objects.exists()


def test_a_device_that_is_here_is_taken_over_with_its_name_and_what_it_has_of_its_own(
    portal: LaidOut, now: datetime
) -> None:
    entry = portal.enter(policy=portal.publish(["1.2.3.4"]), log_size=250_000)
    shared = make_policy(now=now)
    device = make_device(
        policy=shared, now=now, device_id=entry.device_id.upper(), note="rack 4", log_size="1k"
    )
    linked = link(portal, entry, now=now)
    assert (linked.is_new, linked.device) == (False, device)
    told = settings_of(linked.device)
    assert (told["note"], told["log_size"]) == ("rack 4", 250_000)
    assert linked.device.policy.name == device.nickname
    assert publish(linked.device.policy, now=now).block_prefixes == 1


def test_one_of_another_name_type_or_portal_is_refused_and_stays_as_it_is(
    portal: LaidOut, now: datetime
) -> None:
    entry = portal.enter()
    device = make_device(policy=make_policy(now=now), now=now, device_id=entry.device_id)
    with pytest.raises(DeviceRefused, match=f"is named {device} here"):
        link(portal, entry, now=now, nickname="other")
    gateway = portal.enter("iptables")
    make_device(policy=make_policy(now=now), now=now, device_id=gateway.device_id)
    with pytest.raises(DeviceRefused, match="take the entry of a firepower"):
        link(portal, gateway, now=now)
    make_link(device, now=now)
    with pytest.raises(LinkRefused, match=r"is linked to 192\.0\.2\.53"):
        link(portal, entry, now=now)
    with pytest.raises(DeviceRefused, match=r"a device named .* exists"):
        link(portal, portal.enter(), now=now, nickname=device.nickname)
    assert Link.objects.count() == 1


def test_a_device_follows_the_policy_that_the_portal_publishes(
    portal: LaidOut, now: datetime
) -> None:
    place = portal.publish(["1.2.3.4", "5.6.0.0/16"], ["5.6.7.8"], snapshot=7)
    entry = portal.enter("iptables", policy=place)
    device = link(portal, entry, now=now).device
    snapshot = publish(device.policy, now=now)
    assert (snapshot.block_prefixes, snapshot.allow_prefixes) == (17, 1)
    assert set(Source.objects.values_list("kind", flat=True)) == {"zone"}
    assert Link.objects.get().settings["_policy"]["snapshot"] == 7
