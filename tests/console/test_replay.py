"""Replay before publish, on its page and beside what the guard holds."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from devices.models import DeviceGroup
from logs.parsers.base import Action
from policies.models import Policy
from tests.console.test_why import plain
from tests.factories import make_device, make_policy, make_source, publish, republish
from tests.fakes.events import Made, write_events
from tests.logs.replay_site import HOUR, ReplaySite, make_replay

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(db: None) -> ReplaySite:
    return make_replay(now=timezone.now())


def show(client: Client, policy: Policy, **query: str) -> str:
    answer = client.get(reverse("console:replay", args=[policy.pk]), query)
    assert answer.status_code == 200
    return answer.content.decode()


def read(client: Client, policy: Policy, **query: str) -> str:
    return plain(show(client, policy, **query))


def test_what_the_guard_holds_is_tried_inside_hosts_first(alice: Client, site: ReplaySite) -> None:
    html = show(alice, site.policy)
    shown = plain(html)
    assert "would drop what was let through 2 inside hosts affected" in shown
    assert (
        "It would have dropped 6 connections that were let through, of 2 inside hosts with 2 "
        "outside addresses. The other 2 would have gone the way they went." in shown
    )
    assert "10.1.2.4 5 1 10.1.2.5 1 1" in shown
    source = site.policy.sources.get()
    assert f"6.0.0.9 {source} 6.0.0.0/16 5 1" in shown
    assert "Of 2 devices that follow it" in shown
    assert "The guard holds it" in shown
    assert html.index('id="would_drop-hosts"') < html.index('id="would_drop-addresses"')
    (link,) = re.findall(r'href="([^"]*outside=6\.0\.0\.9[^"]*)"', html)
    assert "5 connections" in plain(alice.get(unescape(link)).content.decode())


def test_the_page_of_the_policy_tells_it_beside_the_decision(
    alice: Client, site: ReplaySite
) -> None:
    page = alice.get(reverse("admin:policies_policy_change", args=[site.policy.pk]))
    url = reverse("console:part", args=["policy-replay", site.policy.pk])
    html = page.content.decode()
    assert url in html
    assert reverse("console:replay", args=[site.policy.pk]) in html
    for _ in range(2):  # the second time as it was kept
        part = alice.get(url).content.decode()
        assert (
            "It would have dropped 6 connections that were let through, of 2 inside hosts" in part
        )
    site.policy.candidate.delete()
    assert "holds nothing any more" in alice.get(url).content.decode()


def test_a_compile_of_now_is_tried_without_being_published(alice: Client) -> None:
    now = timezone.now()
    policy = make_policy(now=now, block=["198.18.0.0/15", "5.6.0.0/16"])
    publish(policy, now=now - HOUR)
    device = make_device(policy=policy, now=now)
    write_events(device, [
        Made(now - HOUR, outside="7.7.7.7", action=Action.ALLOWED),
        Made(now - HOUR, outside="5.6.0.1", action=Action.ALLOWED),
        Made(now - HOUR, outside="5.6.0.2", list=policy.sources.get()),
    ])  # fmt: skip
    shown = read(alice, policy)
    assert "nothing changes All 3 connections would have gone the way they went." in shown
    assert "1 connection that went through then would be dropped now already" in shown
    assert "It would have dropped 1 connection" in read(alice, policy, against="nothing")
    policy.refresh_from_db()
    assert policy.last_number == 1


def test_one_more_source_is_tried_before_it_is_added(alice: Client) -> None:
    now = timezone.now()
    policy, other = make_policy(now=now), make_policy(now=now, block=["7.7.7.0/24"])
    for one in (policy, other):
        publish(one, now=now - HOUR)
    device = make_device(policy=policy, now=now)
    write_events(device, [Made(now - HOUR, outside="7.7.7.7", action=Action.MONITORED)])
    source = other.sources.get()
    shown = read(alice, policy, source=source.name)
    assert f"7.7.7.7 {source} 7.7.7.0/24 1 1" in shown
    assert f"now and {source}" in shown
    unread = make_source(entries=["1.1.1.1"], now=now, name="unread")
    assert "unread has no list yet" in read(alice, policy, source=unread.name)
    own = policy.sources.get()
    assert "is one of its block sources already" in read(alice, policy, source=own.name)


def test_another_policy_and_an_older_snapshot_are_tried_on_a_device(alice: Client) -> None:
    now = timezone.now()
    policy = make_policy(now=now, block=["7.7.7.0/24", "8.8.0.0/24"])
    publish(policy, now=now - 3 * HOUR)
    republish(policy, "8.8.0.0/24", now=now - 2 * HOUR)
    own = make_policy(now=now, block=["9.9.0.0/16"])
    publish(own, now=now - HOUR)
    device = make_device(policy=own, now=now, nickname="fmc-x")
    write_events(device, [
        Made(now - HOUR, outside="7.7.7.7", action=Action.ALLOWED),
        Made(now - HOUR, outside="9.9.1.1", list=own.sources.get()),
    ])  # fmt: skip
    shown = read(alice, policy, device="fmc-x")
    assert "It would have let pass 1 connection" in shown
    assert "Of 1 device chosen here" in shown
    shown = read(alice, policy, what="1", device="fmc-x")
    assert "It would have dropped 1 connection" in shown
    assert "It would have let pass 1 connection" in shown
    assert "has no snapshot 77" in read(alice, policy, what="77")


def test_without_events_it_is_told_how_to_get_them(alice: Client) -> None:
    now = timezone.now()
    policy = make_policy(now=now)
    publish(policy, now=now)
    shown = read(alice, policy)
    assert "nothing to try it on No connection of this time is stored." in shown
    assert "What a replay needs" in shown
    device = make_device(policy=policy, now=now)
    write_events(device, [Made(now - HOUR, outside="5.6.0.2", list=policy.sources.get())])
    assert "No connection that was let through is stored" in read(alice, policy)


def test_what_is_wrong_stands_at_its_field(alice: Client, site: ReplaySite) -> None:
    shown = read(
        alice, site.policy,
        what="yesterday", source="nobody", device="none", against="all", last="1y",
    )  # fmt: skip
    for said in (
        "Use held, now, or the number of a snapshot.", "There is no source 'nobody'.",
        "There is no device 'none'.", "Use in-force or nothing.", "Use one of 24h, 7d, 30d",
    ):  # fmt: skip
        assert said in shown
    source = site.policy.sources.get()
    shown = read(alice, site.policy, what="held", source=source.name)
    assert "can be added to the lists of now only" in shown


def test_older_connections_are_looked_at_where_they_are_asked_for(
    alice: Client, site: ReplaySite
) -> None:
    at = timezone.now() - timedelta(days=10)
    write_events(site.berlin, [Made(at, outside="6.0.0.9", action=Action.ALLOWED)])
    assert "dropped 6 connections" in read(alice, site.policy)
    assert "dropped 7 connections" in read(alice, site.policy, last="30d")


def test_somebody_sees_what_his_own_devices_tell(client: Client, site: ReplaySite) -> None:
    user = User.objects.create_user("oskar", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=("view_hits", "view_policy")))
    group = DeviceGroup.objects.create(name="north")
    group.people.add(user)
    site.oslo.group = group
    site.oslo.save(update_fields=["group"])
    client.force_login(user)
    assert "It would have dropped 2 connections that were let through, of 1 inside host" in read(
        client, site.policy
    )
    assert "There is no device 'fmc-berlin'" in read(client, site.policy, device="fmc-berlin")
    private = make_policy(now=timezone.now(), is_private=True)
    assert client.get(reverse("console:replay", args=[private.pk])).status_code == 404


@pytest.mark.parametrize("missing", ["view_hits", "view_policy"])
def test_it_needs_both_rights(charlie: Client, site: ReplaySite, missing: str) -> None:
    user = User.objects.get(username="charlie")
    held = {"view_hits", "view_policy"} - {missing}
    user.user_permissions.set(Permission.objects.filter(codename__in=held))
    assert charlie.get(reverse("console:replay", args=[site.policy.pk])).status_code == 403


def test_a_list_that_is_tried_is_replayed_before_it_is_a_source(
    alice: Client, site: ReplaySite
) -> None:
    form = {"kind": "memory", "settings": '{"entries": ["6.2.0.0/24", "5.0.0.0/16"]}'}
    shown = alice.post(reverse("console:try-new"), form).content.decode()
    assert "It would have dropped 1 connection that was let through, of 1 inside host" in shown
    assert "10.1.2.5" in shown
    assert "6.2.0.0/24" in shown
    form["settings"] = '{"entries": ["5.0.0.0/16"]}'
    shown = alice.post(reverse("console:try-new"), form).content.decode()
    assert "All 8 connections would have gone the way they went." in shown


def test_a_trial_tells_nothing_of_connections_to_who_may_not_see_them(
    charlie: Client, site: ReplaySite
) -> None:
    user = User.objects.get(username="charlie")
    user.user_permissions.set(Permission.objects.filter(codename="add_source"))
    form = {"kind": "memory", "settings": '{"entries": ["6.2.0.0/24"]}'}
    shown = charlie.post(reverse("console:try-new"), form).content.decode()
    assert "the list came" in shown
    assert "10.1.2.5" not in shown
    assert "Replay" not in shown
