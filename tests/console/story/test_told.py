"""What the pages of a device, a policy, a source and a snapshot tell in one screen."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from devices.services import record_pulls
from policies.models import Policy, Snapshot, Source
from policies.reports import shares
from policies.services import keep_alarms, record_change
from policies.states import AlarmKind
from tests.console.pages import address, pull_of
from tests.console.story.reading import links, page, part, words
from tests.enforcement.rows import applied, enforce
from tests.factories import make_device, make_gateway, republish
from tests.logs.hits_site import HitsSite
from tests.logs.rows import make_logs

pytestmark = pytest.mark.django_db
MINUS = "\N{MINUS SIGN}"


def test_a_device_tells_what_it_dropped_and_leads_to_the_line(
    alice: Client, site: HitsSite
) -> None:
    html = part(alice, "device-hits", site.berlin)
    told = words(html)
    for said in ("6 inbound dropped", "3 outbound dropped", "198.51.100.7 6", "10.1.2.4 3"):
        assert said in told, said
    ways = [one for one in links(html) if one.startswith("/admin/")]
    assert any("/reports/lines/" in one for one in ways)
    for way in ways:
        answer = alice.get(way)
        assert answer.status_code == 200, way
        assert "There is no" not in answer.content.decode(), way
    assert "198.51.100.7" not in part(alice, "device-hits", site.oslo)


def test_a_device_that_no_line_comes_from_leads_to_its_set_up(
    alice: Client, site: HitsSite
) -> None:
    now = timezone.now()
    quiet = make_device(policy=site.policy, now=now)
    way = reverse("console:set-up", args=[quiet.pk])
    assert "No log line has come" in part(alice, "device-hits", quiet)
    assert way in part(alice, "device-hits", quiet)
    make_logs(quiet, now=now)
    assert "No log line has come" not in part(alice, "device-hits", quiet)


def test_a_device_says_what_it_is_served_and_how_its_feeds_begin(
    alice: Client, site: HitsSite
) -> None:
    html = page(alice, site.berlin)
    told = words(html)
    assert f"Snapshot #{site.snapshot.number} , made 30 minutes ago" in told
    assert "2 blocked, 0 allowed" in told
    assert "198.51.100.0/24\n203.0.113.9" in html
    assert f"/{site.berlin.device_id}/threatstop-block.txt" in html
    assert address(Policy, "change", site.policy.pk) in html


def test_a_device_asks_why_with_itself_first(alice: Client, site: HitsSite) -> None:
    html = page(alice, site.oslo)
    assert f'name="device" value="{site.oslo.pk}"' in html
    asked = f"{reverse('console:why')}?address=203.0.113.9&device={site.oslo.pk}"
    told = words(alice.get(asked).content.decode())
    behind = told.partition("Devices: what they are served")[2]
    assert behind.index("fmc-oslo") < behind.index("fmc-berlin")


def test_a_page_tells_its_alarms_and_its_changes(alice: Client, site: HitsSite) -> None:
    now = timezone.now()
    assert 'id="alarms"' not in page(alice, site.berlin)
    wanted = {
        (AlarmKind.STALE, "source botnets"): "The list is from yesterday.",
        (AlarmKind.STOPPED_PULLING, "device fmc-berlin"): "It pulls no more.",
    }
    keep_alarms(kinds=[AlarmKind.STALE, AlarmKind.STOPPED_PULLING], wanted=wanted, now=now)
    record_change(
        actor="console:bob", verb="configure", subject="device fmc-berlin", now=now,
        before={"note": "a"}, after={"note": "b"},
    )  # fmt: skip
    assert "It pulls no more." in page(alice, site.berlin)
    assert "console:bob" in page(alice, site.berlin)
    assert "It pulls no more." not in page(alice, site.oslo)
    for row in (site.policy, site.botnets):
        assert "The list is from yesterday." in page(alice, row)


def test_a_policy_tells_what_each_source_adds_and_what_it_dropped(
    alice: Client, site: HitsSite
) -> None:
    told = words(part(alice, "policy-sources", site.policy))
    # What malware holds, botnets holds too.
    assert re.search(r"botnets block, 100 current .* 2 1 6", told)
    assert re.search(r"malware block, 100 current .* 1 0 3", told)


def test_lists_that_are_too_long_to_be_compared_are_not(
    alice: Client, site: HitsSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "PREFIXES_MOST", 2)
    told = words(part(alice, "policy-sources", site.policy))
    assert "Its lists have 3 prefixes together, too many" in told
    assert re.search(r"botnets block, 100 current .* 2 \N{EN DASH} 6", told)


def test_a_policy_tells_what_its_devices_dropped_by_list_and_device(
    alice: Client, site: HitsSite
) -> None:
    html = part(alice, "policy-hits", site.policy)
    told = words(html)
    for said in ("8 inbound dropped", "botnets 6", "fmc-berlin 9", "fmc-oslo 2"):
        assert said in told, said
    ways = [one for one in links(html) if "/reports/" in one]
    assert ways
    assert all("There is no" not in alice.get(one).content.decode() for one in ways)


def test_a_policy_tells_how_its_devices_do(alice: Client, site: HitsSite) -> None:
    told = words(page(alice, site.policy))
    assert "fmc-berlin waiting for its first pull nothing yet never" in told


def test_a_policy_and_a_snapshot_tell_what_came_and_went(alice: Client, site: HitsSite) -> None:
    first = site.policy.snapshots.get(number=1)
    assert "there is none before it" in part(alice, "snapshot-difference", first)
    site.policy.policy_sources.filter(source=site.malware).delete()
    second = republish(site.policy, "198.51.100.0/25", "9.1.1.1", now=timezone.now())
    for name, row in (("policy-difference", site.policy), ("snapshot-difference", second)):
        html = part(alice, name, row)
        assert f"botnets +1 {MINUS}2" in words(html)
        assert "+9.1.1.1" in html
        assert reverse("console:difference", args=[second.pk]) in html


def test_a_snapshot_tells_who_was_given_it(alice: Client, site: HitsSite) -> None:
    now = timezone.now()
    number = site.snapshot.number
    record_pulls(records=[replace(pull_of(site.berlin, at=now), snapshot_number=number)])
    gateway = make_gateway(policy=site.policy, now=now, nickname="gw-1")
    kernel = enforce(gateway, now=now)
    applied(kernel, now=now, snapshot=site.snapshot)
    told = words(part(alice, "snapshot-served", site.snapshot))
    assert re.search(r"fmc-berlin .*just now pulled", told)
    assert "fmc-oslo not given" in told
    assert re.search(r"gw-1 .* applied", told)


def test_a_snapshot_counts_only_what_was_dropped_while_it_was_in_force(
    alice: Client, site: HitsSite
) -> None:
    # Each hour of the last six but one connection in, of the last three one out.
    begin = timezone.now() - timedelta(hours=5, minutes=30)
    Snapshot.objects.filter(pk=site.snapshot.pk).update(created_at=begin)
    later = republish(site.policy, "198.51.100.0/24", now=timezone.now())
    Snapshot.objects.filter(pk=later.pk).update(created_at=begin + timedelta(hours=2))
    told = words(part(alice, "snapshot-hits", site.snapshot))
    assert "3 inbound dropped 1 outbound dropped" in told
    told = words(part(alice, "snapshot-hits", later))
    assert "3 inbound dropped 2 outbound dropped" in told


def test_a_snapshot_tells_how_its_feeds_begin_and_what_was_allowed(
    alice: Client, site: HitsSite
) -> None:
    assert "<code>198.51.100.0/24</code> <code>203.0.113.9</code>" in page(alice, site.snapshot)
    assert "Its policy allows nothing" in part(alice, "snapshot-effects", site.snapshot)


def test_a_source_tells_what_it_is_worth(alice: Client, site: HitsSite) -> None:
    told = words(part(alice, "source-worth", site.botnets))
    assert "Only it has 1 of 2 entries" in told
    assert "Only it dropped 6 of 6 connections in 30 days" in told
    Source.objects.filter(pk=site.botnets.pk).update(list_digest="")
    assert "source-worth" not in page(alice, site.botnets)
