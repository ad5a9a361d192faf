"""The pages of a device, a policy, a source and a snapshot: each tells its story in one screen."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from hypothesis import given, strategies as st

from console.story.parts import PARTS
from console.story.sizes import size_chart
from devices.models import Device
from devices.services import assign_group, change_group, create_group, record_pulls
from logs.models import EventFile
from logs.reports.places import events_dir
from policies.models import Change, Policy, Retrieval, Snapshot, Source
from policies.reports import shares
from policies.reports.sizes import WINDOW, Size, sizes_of
from policies.services import keep_alarms, record_change
from policies.states import AlarmKind, Outcome
from tests.console.pages import address, pull_of
from tests.enforcement.rows import applied, enforce
from tests.factories import make_device, make_gateway, publish, republish
from tests.fakes.events import Made, write_events
from tests.logs.hits_site import HOUR, HitsSite, make_hits
from tests.logs.rows import make_logs

pytestmark = pytest.mark.django_db
# Two of each are the session and the user.
PAGE_QUERIES = {"device": 24, "policy": 22, "source": 12, "snapshot": 8}
MINUS = "\N{MINUS SIGN}"


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Let no test be told what another one counted."""
    cache.clear()


@pytest.fixture
def site(db: None) -> HitsSite:
    """A site whose documentation addresses are blocked, with what its firewalls told of."""
    now = timezone.now()
    site = make_hits(now=now - HOUR)
    Policy.objects.update(keep_documentation=True)
    return replace(site, snapshot=publish(site.policy, now=now - HOUR / 2))


def page(client: Client, row: Model) -> str:
    answer = client.get(address(type(row), "change", row.pk))
    assert answer.status_code == 200
    return str(answer.content.decode())


def url_of(name: str, row: Model) -> str:
    return reverse("console:part", args=[name, row.pk])


def part(client: Client, name: str, row: Model) -> str:
    answer = client.get(url_of(name, row))
    assert answer.status_code == 200
    return str(answer.content.decode())


def words(html: str) -> str:
    """Return what is read on a page or a part of one, its spaces single."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def links(html: str) -> list[str]:
    return [one.replace("&amp;", "&") for one in re.findall(r'href="([^"]+)"', html)]


def limited_to(*devices: Device, now: datetime) -> Client:
    """Return the browser of somebody who sees these devices only."""
    lena = User.objects.create_user("lena", is_staff=True)
    lena.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    group = create_group(name="north", actor="test", now=now)
    change_group(group=group, people=[lena], actor="test", now=now)
    for device in devices:
        assign_group(device=device, group=group, actor="test", now=now)
    client = Client()
    client.force_login(lena)
    return client


def rows_of(site: HitsSite) -> dict[str, Model]:
    return {
        "device": site.berlin,
        "policy": site.policy,
        "source": site.botnets,
        "snapshot": site.snapshot,
    }


def test_each_part_stands_on_its_page_and_fits_into_it(alice: Client, site: HitsSite) -> None:
    for name, told in PARTS.items():
        row = rows_of(site)[name.partition("-")[0]]
        html = part(alice, name, row)
        assert f'id="{told.panel}-part"' in html, name
        if name == "policy-replay":  # of what the guard holds
            continue
        whole = page(alice, row)
        assert url_of(name, row) in whole, name
        assert f'id="{told.panel}-part"' in whole, name
        assert "console/live.js" in whole, name


def test_who_may_not_see_a_part_is_given_neither_it_nor_its_place(
    charlie: Client, client: Client, site: HitsSite
) -> None:
    user = User.objects.get(username="charlie")
    for name in PARTS:
        row = rows_of(site)[name.partition("-")[0]]
        assert charlie.get(url_of(name, row)).status_code == 403, name
        assert client.get(url_of(name, row)).status_code == 302, name
    user.user_permissions.set(Permission.objects.filter(codename="view_device"))
    assert "data-live" not in page(charlie, site.berlin)
    assert charlie.get(url_of("device-hits", site.berlin)).status_code == 403


def test_there_is_no_part_of_another_name_or_of_a_row_that_is_gone(
    alice: Client, site: HitsSite
) -> None:
    assert alice.get(reverse("console:part", args=["device-secrets", 1])).status_code == 404
    assert alice.get(reverse("console:part", args=["device-hits", 999_999])).status_code == 404
    assert alice.post(url_of("device-hits", site.berlin)).status_code == 405


def test_a_page_does_not_wait_for_events(alice: Client, site: HitsSite) -> None:
    for name in EventFile.objects.values_list("name", flat=True):
        (events_dir() / name).unlink()
    for row in rows_of(site).values():
        assert "inbound dropped" not in page(alice, row)
    assert "inbound dropped" not in part(alice, "device-hits", site.berlin)


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


def test_the_same_is_told_for_a_minute_and_no_longer(
    alice: Client, site: HitsSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = timezone.now().replace(second=0, microsecond=0)

    def inbound(at: datetime) -> str:
        monkeypatch.setattr("console.story.views.timezone.now", lambda: at)
        return words(part(alice, "device-hits", site.berlin)).partition(" inbound")[0]

    before = inbound(begin)
    write_events(site.berlin, [Made(begin - HOUR, list=site.botnets)])
    assert inbound(begin + timedelta(seconds=59)) == before
    assert int(inbound(begin + timedelta(seconds=60))) == int(before) + 1


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


def test_whoever_sees_some_devices_is_told_of_those_alone(site: HitsSite) -> None:
    now = timezone.now()
    lena = limited_to(site.oslo, now=now)
    assert lena.get(url_of("device-hits", site.berlin)).status_code == 404
    for name, row in (
        ("policy-hits", site.policy), ("snapshot-hits", site.snapshot),
        ("snapshot-served", site.snapshot), ("device-hits", site.oslo),
        ("source-hits", site.botnets), ("policy-sources", site.policy),
    ):  # fmt: skip
        html = part(lena, name, row)
        assert "berlin" not in html, name
        assert "198.51.100.7" not in html, name
    for row in (site.policy, site.snapshot, site.botnets):
        assert "berlin" not in page(lena, row)


def test_a_source_is_paused_and_goes_on(alice: Client, victor: Client, site: HitsSite) -> None:
    pause, resume = (address(Source, verb, site.botnets.pk) for verb in ("pause", "resume"))
    assert alice.get(pause).status_code == 405
    assert victor.post(pause).status_code == 403
    assert Source.objects.get(pk=site.botnets.pk).is_enabled
    shown = words(alice.post(pause, follow=True).content.decode())
    assert "the list that is held stays in force" in shown
    assert "It is paused" in shown
    assert not Source.objects.get(pk=site.botnets.pk).is_enabled
    assert Change.objects.latest("id").detail == {"is_enabled": [True, False]}
    alice.post(resume)
    assert Source.objects.get(pk=site.botnets.pk).is_enabled
    assert alice.post(address(Source, "pause", 999_999)).status_code == 404


def test_a_device_is_held_at_what_it_has_and_follows_again(
    alice: Client, victor: Client, site: HitsSite
) -> None:
    hold, follow = (address(Device, verb, site.berlin.pk) for verb in ("hold", "follow"))
    assert alice.get(hold).status_code == 405
    assert victor.post(hold).status_code == 403
    shown = words(alice.post(hold, follow=True).content.decode())
    assert "what it is served now stays" in shown
    device = Device.objects.get(pk=site.berlin.pk)
    assert (device.policy_updates, device.pinned_snapshot) == (False, site.snapshot)
    assert "Resume updates" in page(alice, site.berlin)
    alice.post(follow)
    assert Device.objects.get(pk=site.berlin.pk).policy_updates


def test_a_policy_is_paused_at_its_snapshot(alice: Client, victor: Client, site: HitsSite) -> None:
    way = reverse("admin:policies_snapshot_return", args=[site.snapshot.pk])
    assert way in page(alice, site.policy)
    assert way not in page(victor, site.policy)
    alice.post(way)
    assert "Pause at this snapshot" not in page(alice, site.policy)
    assert "Release" in page(alice, site.policy)


def test_the_pages_take_as_many_queries_however_much_there_is(
    alice: Client, site: HitsSite
) -> None:
    def queries() -> dict[str, int]:
        counts = {}
        for name, row in rows_of(site).items():
            page(alice, row)
            with CaptureQueriesContext(connection) as captured:
                page(alice, row)
            counts[name] = len(captured)
        return counts

    before, now = queries(), timezone.now()
    for _ in range(5):
        device = make_device(policy=site.policy, now=now)
        record_pulls(records=[pull_of(one, at=now) for one in (device, site.berlin)])
    for number in range(5):
        republish(site.policy, f"198.51.100.{number}", now=now + timedelta(minutes=number))
    after = queries()
    assert after == before == PAGE_QUERIES


def test_the_length_of_a_list_is_drawn_from_its_retrievals(site: HitsSite) -> None:
    now = timezone.now()
    Retrieval.objects.all().delete()
    for days, prefixes, outcome in (
        (40, 7, Outcome.CHANGED), (20, 10, Outcome.CHANGED), (10, 0, Outcome.REFUSED),
        (5, 30, Outcome.CHANGED),
    ):  # fmt: skip
        at = now - timedelta(days=days)
        Retrieval.objects.create(
            source=site.botnets, started_at=at, finished_at=at, outcome=outcome, prefixes=prefixes
        )
    told = sizes_of(site.botnets, now=now)
    assert [one.prefixes for one in told] == [7, 10, 30, site.botnets.list_prefixes]
    assert told[0].at == now - WINDOW
    drawn = size_chart(told, now=now)
    assert "2 prefixes now; between 2 and 30 in 30 days." in drawn
    assert "No list came" in size_chart((), now=now)


NOW = datetime.fromisoformat("2026-03-01T12:00:00+00:00")


@given(st.lists(st.tuples(st.floats(-1, 40), st.integers(0, 10**8)), min_size=1, max_size=20))
def test_a_drawing_stays_within_its_frame(found: list[tuple[float, int]]) -> None:
    sizes = [Size(NOW - timedelta(days=days), number) for days, number in sorted(found)[::-1]]
    path = re.findall(r'<path d="([^"]+)"', size_chart(sizes, now=NOW))[0]
    across = [float(one) for one in re.findall(r"[MH]([-\d.]+)", path)]
    down = [float(one) for one in re.findall(r"(?:V|M[\d.]+ )([-\d.]+)", path)]
    assert across == sorted(across)
    assert all(0 <= one <= 480 for one in across)
    assert all(0 <= one <= 150 for one in down)
