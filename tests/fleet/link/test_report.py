"""A device tells its portal how it does."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.conf import settings as site

from devices.models import Device, Gateway, GatewayState
from fleet.models import Link
from fleet.reports.link_health import LinkState, link_health
from fleet.services.link_overrides import override_setting
from fleet.services.link_poll import poll_link
from fleet.services.link_report import report_status
from policies.models import Policy, Snapshot
from tests.factories import publish
from tests.fleet.link.polling import SECONDS, linked
from tests.fleet.link.portal import LaidOut
from tests.logs.rows import make_logs

pytestmark = pytest.mark.django_db


def report(link: Link, *, now: datetime) -> bool:
    return report_status(link_id=link.pk, now=now, seconds=SECONDS)


def test_a_firewall_tells_what_is_published_for_it(portal: LaidOut, now: datetime) -> None:
    entry = portal.enter(policy=portal.publish(["1.2.3.4"], snapshot=41), log_size=250_000)
    link = linked(portal, entry, now=now)
    snapshot = publish(Policy.objects.get(), now=now)
    make_logs(link.device, now=now)
    override_setting(device=link.device, name="log_size", value="300k", actor="test", now=now)
    offset = link.clock_offset
    assert offset is not None
    Link.objects.update(clock_offset=offset - 5)
    assert report(link, now=now)
    assert Link.objects.get().clock_offset == pytest.approx(offset, abs=4)
    said = portal.status(entry)
    assert said is not None
    assert (said.version, said.state, said.serial) == (site.TSCM_VERSION, "logs-failing", 1)
    assert (said.snapshot, said.digest) == (41, snapshot.block_digest)
    assert (said.reported_at, said.retrieved_at) == (now, now)
    assert said.uploaded_at == now - timedelta(hours=3)
    assert said.overrides == ("log_size",)
    assert said.errors == (Device.objects.get().log_trouble,)
    assert said.clock_offset is not None
    assert abs(said.clock_offset) < 60


def test_a_gateway_tells_what_its_kernel_holds(portal: LaidOut, now: datetime) -> None:
    entry = portal.enter("iptables", policy=portal.publish(["1.2.3.4"], snapshot=5))
    link = linked(portal, entry, now=now)
    snapshot = publish(Policy.objects.get(), now=now)
    report(link, now=now)
    first = portal.status(entry)
    assert first is not None
    assert (first.snapshot, first.digest) == (None, "")
    Gateway.objects.update(
        snapshot_number=snapshot.number, block_digest=snapshot.block_digest, checked_at=now,
        state=GatewayState.ENFORCED,
    )  # fmt: skip
    assert report(link, now=now)
    said = portal.status(entry)
    assert said is not None
    assert (said.state, said.snapshot, said.digest) == ("protected", 5, snapshot.block_digest)


def test_it_tells_what_is_wrong_in_sentences_and_no_more_than_fit(
    portal: LaidOut, now: datetime
) -> None:
    place = portal.publish(["1.2.3.4"])
    entry = portal.enter("iptables", policy=replace(place, block_zone="gone.tscm.internal"))
    link = linked(portal, entry, now=now)
    with pytest.raises(AssertionError):
        publish(Policy.objects.get(), now=now)
    Device.objects.update(log_trouble="The log service answers 503.")
    Gateway.objects.update(state=GatewayState.FAILED, detail="ipset is not there.")
    Link.objects.update(refused=[f"setting {number} is not accepted" for number in range(20)])
    report(link, now=now)
    said = portal.status(entry)
    assert said is not None
    assert said.errors[0] == "ipset is not there."
    assert said.errors[1].startswith("block or allow list gone.tscm.internal could not be fetched")
    assert "The log service answers 503." in said.errors
    assert len(said.errors) == 8


def test_nothing_is_told_twice_before_it_is_old(portal: LaidOut, now: datetime) -> None:
    entry = portal.enter(policy=portal.publish(["1.2.3.4"]))
    link = linked(portal, entry, now=now)
    assert report(link, now=now)
    assert not report(link, now=now + timedelta(minutes=5))
    assert report(link, now=now + timedelta(minutes=10))
    publish(Policy.objects.get(), now=now + timedelta(minutes=10))
    assert report(link, now=now + timedelta(minutes=11))


def test_that_it_could_not_be_told_stands_on_the_page_and_no_more(
    portal: LaidOut, now: datetime
) -> None:
    entry = portal.enter()
    link = linked(portal, entry, now=now)
    Link.objects.update(port=9)
    assert not report(link, now=now)
    link.refresh_from_db()
    assert link.failures == 0
    assert link_health(link).state == LinkState.UNTOLD
    Link.objects.update(port=portal.server.tls_port)
    assert report(link, now=now)
    link.refresh_from_db()
    assert link_health(link).state == LinkState.CURRENT


def test_a_portal_that_is_away_is_told_nothing(portal: LaidOut, now: datetime) -> None:
    link = linked(portal, portal.enter(), now=now)
    Link.objects.update(port=9)
    poll_link(link_id=link.pk, now=now, seconds=SECONDS)
    assert not report(link, now=now)
    assert Link.objects.get().report_error == ""


def test_the_number_is_that_of_the_list_in_force_not_of_the_one_that_waits(
    portal: LaidOut, now: datetime
) -> None:
    entry = portal.enter(policy=portal.publish(["1.2.3.4"], label="waits", snapshot=7))
    link = linked(portal, entry, now=now)
    publish(Policy.objects.get(), now=now)
    Device.objects.update(policy_updates=False, pinned_snapshot=Snapshot.objects.get())
    portal.publish(["4.3.2.1"], label="waits", snapshot=8)
    publish(Policy.objects.get(), now=now)
    report(link, now=now)
    said = portal.status(entry)
    assert said is not None
    assert (said.state, said.snapshot) == ("updates-off", None)
