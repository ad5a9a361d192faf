"""Workers ask portals one at a time, each when it is due, and write nothing for one let go."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from devices.models import Device
from fleet.link_tasks import ask_portal, send_due
from fleet.models import Link
from fleet.protocol import client
from fleet.protocol.errors import NotReadable
from fleet.reports.link_health import LinkState, link_health
from fleet.services.link import unlink_device
from fleet.services.link_poll import Polled, due_links, poll_link, request_poll
from fleet.services.link_refused import LinkRefused
from fleet.services.link_report import report_status
from policies.models import ClaimLost
from tests.factories import make_device, make_policy
from tests.fleet.link.polling import SECONDS, linked, polled, setting
from tests.fleet.link.portal import LaidOut

pytestmark = pytest.mark.django_db


def test_only_one_worker_asks_at_a_time(portal: LaidOut, now: datetime) -> None:
    link = linked(portal, portal.enter(), now=now)
    assert Link.objects.claim(pk=link.pk, now=now, lease=timedelta(minutes=5))
    assert poll_link(link_id=link.pk, now=now, seconds=SECONDS) is None


def test_a_job_finds_out_whether_the_portal_is_still_due(
    portal: LaidOut, now: datetime, settings: Settings
) -> None:
    link = linked(portal, portal.enter(), now=now)
    Link.objects.update(due_at=now)
    assert due_links(now=now) == [link.pk]
    assert ask_portal(link_id=link.pk) == "current"
    assert ask_portal(link_id=link.pk) == "not due"
    link.refresh_from_db()
    assert link.reported_at is not None
    assert link.report_error == ""


def test_a_person_makes_it_due_at_once(portal: LaidOut, now: datetime) -> None:
    link = linked(portal, portal.enter(), now=now)
    polled(link, now=now)
    request_poll(device=link.device, now=now)
    assert due_links(now=now) == [link.pk]
    with pytest.raises(LinkRefused, match="is linked to no portal"):
        request_poll(device=make_device(policy=make_policy(now=now), now=now), now=now)


def test_what_made_it_due_while_it_was_asked_leaves_it_due(
    portal: LaidOut, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = linked(portal, portal.enter(), now=now)
    fetch = client.fetch

    def notified(**asked: Any) -> client.Fetched | None:
        found = fetch(**asked)
        Link.objects.update(due_at=now + timedelta(seconds=3))
        return found

    monkeypatch.setattr(client, "fetch", notified)
    polled(link, now=now)
    assert link.due_at == now + timedelta(seconds=3)


def test_the_beat_sends_a_job_for_each_portal_that_is_due(
    portal: LaidOut, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked(portal, portal.enter(), now=now)
    sent: list[object] = []
    monkeypatch.setattr(ask_portal, "apply_async", lambda **options: sent.append(options))
    assert send_due() == 1
    assert sent[0] == {"kwargs": {"link_id": Link.objects.get().pk}, "expires": 60.0}


def test_an_answer_to_a_question_of_before_it_was_linked_anew_is_not_taken(
    portal: LaidOut, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = portal.enter(log_size=111_000)
    link = linked(portal, entry, now=now)
    portal.lay_down(entry, log_size=222_000)
    fetch = client.fetch

    def overtaken(**asked: Any) -> client.Fetched | None:
        found = fetch(**asked)
        monkeypatch.setattr(client, "fetch", fetch)
        portal.lay_down(entry, log_size=555_000)
        linked(portal, entry, now=now)
        return found

    monkeypatch.setattr(client, "fetch", overtaken)
    assert polled(link, now=now) == Polled()
    assert (setting(link, "log_size"), link.serial) == (555_000, 3)
    assert link.due_at == now


@pytest.mark.parametrize("answers", [True, False])
def test_a_link_that_is_let_go_while_its_portal_is_asked_is_gone_quietly(
    portal: LaidOut, now: datetime, monkeypatch: pytest.MonkeyPatch, *, answers: bool
) -> None:
    link = linked(portal, portal.enter(), now=now)
    Link.objects.update(due_at=now)
    fetch = client.fetch

    def let_go(**asked: Any) -> client.Fetched | None:
        unlink_device(device=Device.objects.get(), actor="admin", now=now)
        if answers:
            return fetch(**asked)
        raise NotReadable("away")

    monkeypatch.setattr(client, "fetch", let_go)
    assert ask_portal(link_id=link.pk) == "gone"
    assert not report_status(link_id=link.pk, now=now, seconds=SECONDS)
    assert not Link.objects.exists()


def test_a_worker_that_lost_its_claim_writes_no_failure(
    portal: LaidOut, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = linked(portal, portal.enter(), now=now)

    def taken_over(**_: Any) -> None:
        Link.objects.update(claimed_by="another")
        raise NotReadable("away")

    monkeypatch.setattr(client, "fetch", taken_over)
    with pytest.raises(ClaimLost):
        poll_link(link_id=link.pk, now=now, seconds=SECONDS)
    assert Link.objects.get().failures == 0


def test_a_portal_that_is_away_is_asked_once_for_all_its_devices(
    portal: LaidOut, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = [linked(portal, portal.enter(), now=now) for _ in range(3)]
    other = linked(portal, portal.enter(), now=now)
    Link.objects.update(due_at=now)
    Link.objects.filter(pk=other.pk).update(host="localhost")  # another portal
    assert due_links(now=now) == [links[0].pk, other.pk]
    port, asked = links[0].port, []
    fetch = client.fetch

    def counted(**told: Any) -> client.Fetched | None:
        asked.append(told["device_id"])
        return fetch(**told)

    monkeypatch.setattr(client, "fetch", counted)
    Link.objects.exclude(pk=other.pk).update(port=9)
    assert ask_portal(link_id=links[0].pk).startswith("Failed to connect")
    assert len(asked) == 1
    for link in links:
        link.refresh_from_db()
        assert link_health(link).state == LinkState.FAILING
        assert "Failed to connect to Web Automation services" in link.error
        assert link.due_at > now
    assert links[1].due_at < links[0].due_at  # another one is asked first the next time
    other.refresh_from_db()
    assert (other.failures, other.due_at) == (0, now)
    # It is back: one job asks for all.
    Link.objects.exclude(pk=other.pk).update(port=port, due_at=now)
    Link.objects.claim(pk=links[2].pk, now=now, lease=timedelta(minutes=5))
    assert due_links(now=now) == [other.pk]
    Link.objects.update(claimed_by="", claimed_until=None)
    assert ask_portal(link_id=links[0].pk) == "current"
    assert set(Link.objects.exclude(pk=other.pk).values_list("failures", flat=True)) == {0}
