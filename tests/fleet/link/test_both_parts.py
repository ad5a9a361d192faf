"""One console plays both parts: it publishes an entry, links to itself, and hears how that does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from devices.models import Device
from devices.services import settings_of
from fleet.models import Entry, EntryStatus, Link
from fleet.services.entries import Newcomer, add_entry, configure_entry
from fleet.services.entry_keys import revoke_key, rotate_key
from fleet.services.link import link_device
from fleet.services.link_poll import poll_link
from fleet.services.link_report import report_status
from fleet.services.statuses import read_statuses
from fleet.services.steering import Change
from policies.models import Policy
from tests.factories import make_policy, publish
from tests.fakes.portal_servers import PortalBind
from tests.fleet.portal.portals import make_portal, portal_of, publish_all, real_now

pytestmark = pytest.mark.django_db
SECONDS = 20.0


@pytest.fixture(scope="module")
def server() -> Iterator[PortalBind]:
    """The primary of the console, which nobody else writes to."""
    with PortalBind() as bind:
        yield bind


@pytest.fixture
def moment(server: PortalBind, settings: Settings) -> datetime:
    """The moment it is; the console of the test is a portal."""
    make_portal(settings, server)
    return real_now()


def test_what_a_portal_publishes_a_device_takes_and_what_it_tells_the_portal_reads(
    server: PortalBind, moment: datetime
) -> None:
    policy = make_policy(now=moment, name="edge_Block", block=["1.2.3.4", "5.6.0.0/16"])
    snapshot = publish(policy, now=moment)
    newcomer = Newcomer("gw-berlin", "iptables", {"log_size": "250k"}, policy=policy)
    made = add_entry(newcomer=newcomer, actor="test", now=moment)
    publish_all(now=moment)
    linked = link_device(
        portal=portal_of(server), device_id=made.entry.device_id, key_text=made.key_text,
        actor="test", now=moment, seconds=SECONDS,
    )  # fmt: skip
    assert linked.refused == ()
    device = Device.objects.get()
    assert (device.nickname, settings_of(device)["log_size"]) == ("gw-berlin", 250_000)
    own = Policy.objects.get(name="gw-berlin")
    assert publish(own, now=moment).block_digest == snapshot.block_digest

    entry = Entry.objects.get()
    configure_entry(entry=entry, change=Change({"verdict": "reject"}), actor="test", now=moment)
    rotate_key(entry=entry, hours=24, actor="test", now=moment)
    later = moment + timedelta(minutes=5)
    publish_all(now=later)
    polled = poll_link(link_id=linked.link.pk, now=later, seconds=SECONDS)
    assert polled is not None
    assert (polled.error, polled.refused) == ("", ())
    assert Device.objects.get().verdict == "reject"
    assert Link.objects.get().key.startswith("tscmdk2_")
    revoke_key(entry=entry, generation=1, actor="test", now=later)
    publish_all(now=later)
    publish(own, now=later)

    assert report_status(link_id=linked.link.pk, now=later, seconds=SECONDS)
    read_statuses(now=later)
    said = EntryStatus.objects.get()
    assert (said.state, said.errors) == ("waiting", [])
    assert said.serial == Link.objects.get().serial
