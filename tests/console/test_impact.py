"""What a source and an allow entry did to real connections, on their pages."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from logs.parsers.base import Action
from logs.reports import impact
from tests.console.test_reports import show
from tests.factories import make_device, make_policy, publish
from tests.fakes.events import Made, write_events
from tests.logs.hits_site import HOUR, HitsSite, make_hits

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(db: None) -> HitsSite:
    return make_hits(now=timezone.now())


def test_what_only_a_source_had_dropped_is_told(alice: Client, site: HitsSite) -> None:
    shown = show(alice, "worth", site.botnets.pk)
    assert "6 of 6 dropped connections of 30 days were dropped because of it alone" in shown
    assert "Most: 198.51.100.7 6" in shown
    # What malware holds, botnets holds too: nothing would change without it.
    shown = show(alice, "worth", site.malware.pk)
    assert "0 of 3 dropped connections of 30 days" in shown


def test_a_list_of_another_policy_is_a_rival_of_the_whole_site_only(
    alice: Client, site: HitsSite
) -> None:
    now = timezone.now()
    other = make_policy(now=now, name="other", block=["198.51.100.7"])
    publish(other, now=now)
    assert "6 of 6 dropped" in show(alice, "worth", site.botnets.pk)
    assert "0 of 6 dropped" in show(alice, "worth", site.botnets.pk, among="site")


def test_what_was_not_looked_at_is_told(
    alice: Client, site: HitsSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_events(site.berlin, [
        Made(timezone.now() - HOUR, outside="198.51.100.8", list=site.botnets)
    ])  # fmt: skip
    monkeypatch.setattr(impact, "ADDRESSES_MOST", 1)
    shown = show(alice, "worth", site.botnets.pk)
    assert "6 of 7 dropped" in shown
    assert "1 addresses with fewer connections were not looked at" in shown


def test_what_an_allow_entry_let_through_is_told(alice: Client) -> None:
    now = timezone.now()
    policy = make_policy(
        now=now, name="edge", block=["5.6.0.0/24"],
        allow=["5.6.0.7", "5.6.0.128-5.6.0.130", "9.1.1.1"],
    )  # fmt: skip
    snapshot = publish(policy, now=now)
    device = make_device(policy=policy, now=now)
    elsewhere = make_device(policy=make_policy(now=now), now=now)
    allowed = [("5.6.0.7", 2), ("5.6.0.129", 3), ("9.1.1.1", 1), ("9.9.9.9", 1)]
    write_events(device, [
        Made(now - HOUR, outside=outside, action=Action.ALLOWED)
        for outside, count in allowed for _ in range(count)
    ])  # fmt: skip
    write_events(elsewhere, [Made(now - HOUR, outside="5.6.0.7", action=Action.ALLOWED)])
    shown = show(alice, "effects", snapshot.pk)
    assert "5.6.0.7 1 cut 1 block 0 1 2" in shown
    assert "5.6.0.128-5.6.0.130 2 cut 1 block 0 3 3" in shown
    assert "9.1.1.1 3 no overlap 0 0 \N{EN DASH}" in shown


def test_both_are_told_by_the_api(alice: Client, site: HitsSite) -> None:
    told = alice.get(f"/api/v1/hits/sources/{site.botnets.pk}/impact/").json()
    assert (told["connections"], told["connections_only"]) == (6, 6)
    assert told["largest_only"][0]["key"] == "198.51.100.7"
    now = timezone.now()
    policy = make_policy(now=now, block=["5.6.0.0/24"], allow=["5.6.0.7", "9.1.1.1"])
    snapshot = publish(policy, now=now)
    device = make_device(policy=policy, now=now)
    write_events(device, [Made(now - HOUR, outside="5.6.0.7", action=Action.MONITORED)])
    (entry,) = alice.get(f"/api/v1/hits/snapshots/{snapshot.pk}/impact/").json()["entries"]
    assert (entry["entry"], entry["connections"], entry["addresses"]) == ("5.6.0.7", 1, 1)
    for page in ("sources", "snapshots"):
        assert alice.get(f"/api/v1/hits/{page}/999999/impact/").status_code == 404


def test_who_may_not_see_reports_sees_the_pages_without(charlie: Client, site: HitsSite) -> None:
    user = User.objects.get(username="charlie")
    user.user_permissions.set(
        Permission.objects.filter(codename__in=("view_source", "view_snapshot"))
    )
    assert "dropped connections" not in show(charlie, "worth", site.botnets.pk)
    assert "stand in no other list" in show(charlie, "worth", site.botnets.pk)
    assert show(charlie, "effects", site.snapshot.pk)
