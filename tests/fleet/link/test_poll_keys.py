"""A device and its portal change over to another key, and none that is wrong changes anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from fleet.models import Link
from fleet.protocol.base import DeviceKey
from fleet.protocol.keys import key_text, new_key
from fleet.services.link import link_device
from fleet.services.link_poll import Polled
from policies.models import Policy, Source
from tests.factories import publish
from tests.fleet.link.polling import SECONDS, linked, polled, setting
from tests.fleet.link.portal import LaidOut

pytestmark = pytest.mark.django_db


def test_keys_take_turns_and_what_is_sealed_with_either_is_read(
    portal: LaidOut, now: datetime
) -> None:
    entry = portal.enter(policy=portal.publish(["1.2.3.4"], label="turns"))
    link = linked(portal, entry, now=now)
    entry.keys.append(new_key(generation=2))
    portal.configure()
    portal.write(entry)
    polled(link, now=now)
    assert (link.key, link.next_key) == (entry.key_text, "")
    assert {source.settings["key_name"] for source in Source.objects.all()} == {
        f"g2-{entry.device_id}"
    }
    entry.settings = replace(entry.settings, secrets={"upload_proxy_password": "geheim"})
    portal.write(entry)
    assert polled(link, now=now) == Polled(is_changed=True)
    assert setting(link, "upload_proxy_password") == "geheim"
    # Then it is good no more.
    del entry.keys[0]
    entry.settings = replace(entry.settings, next_key=None)
    portal.configure()
    portal.write(entry)
    assert polled(link, now=now) == Polled(is_changed=True)
    assert (link.key, link.next_key) == (entry.key_text, "")
    assert publish(Policy.objects.get(), now=now).block_prefixes == 1


@pytest.mark.parametrize("number", [0, 1])
def test_it_links_with_either_key_while_both_are_good(
    portal: LaidOut, now: datetime, number: int
) -> None:
    entry = portal.enter()
    entry.keys.append(new_key(generation=2))
    entry.settings = replace(entry.settings, secrets={"upload_proxy_password": "geheim"})
    portal.configure()
    portal.write(entry)
    link = link_device(
        portal=portal.portal, device_id=entry.device_id, key_text=key_text(entry.keys[number]),
        actor="test", now=now, seconds=SECONDS,
    ).link  # fmt: skip
    assert setting(link, "upload_proxy_password") == "geheim"
    assert polled(link, now=now).error == ""
    assert (link.key, link.next_key) == (entry.key_text, "")


def test_a_key_that_the_portal_does_not_take_yet_waits_behind_the_old_one(
    portal: LaidOut, now: datetime
) -> None:
    entry = portal.enter()
    link = linked(portal, entry, now=now)
    held, coming = entry.key_text, new_key(generation=2)
    entry.settings = replace(entry.settings, next_key=coming)
    portal.write(entry)  # in the zone, and not in the configuration
    assert polled(link, now=now) == Polled(is_changed=True)
    assert (link.key, link.next_key) == (held, key_text(coming))
    entry.keys.append(coming)
    portal.configure()
    assert polled(link, now=now).error == ""
    assert (link.key, link.next_key) == (key_text(coming), "")


def test_a_key_that_is_wrong_says_so_and_changes_nothing(portal: LaidOut, now: datetime) -> None:
    entry = portal.enter(log_size=250_000)
    link = linked(portal, entry, now=now)
    Link.objects.update(key=key_text(DeviceKey(1, bytes(32))))
    portal.lay_down(entry, log_size=300_000)
    said = polled(link, now=now).error
    assert said.startswith("Failed to retrieve settings using Web Automation")
    assert setting(link, "log_size") == 250_000
