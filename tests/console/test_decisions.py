"""What the guard holds, and earlier snapshots: decided on the pages of a policy."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from devices.models import Device
from policies.models import Candidate, Change, Policy, Snapshot
from policies.services import change_policy, compile_policy_now, protect_network, return_to_snapshot
from policies.states import PolicyState
from tests.console.pages import address
from tests.factories import hold, make_device, make_policy, publish, republish

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
DECISIONS = ("approve", "discard")


def page_of(policy: Policy) -> str:
    return address(Policy, "change", policy.pk)


def decide(client: Client, verb: str, policy: Policy, digest: str = "") -> str:
    data = {"block_digest": digest or policy.candidate.block_digest}
    answer = client.post(address(Policy, verb, policy.pk), data, follow=True)
    return answer.content.decode()


def test_the_page_says_what_is_held_and_why(alice: Client, now: datetime) -> None:
    policy = hold(now=now)
    shown = alice.get(page_of(policy)).content.decode()
    assert "Held by the guard" in shown
    assert "+3,276,800 IPv4" in shown
    assert policy.candidate.findings[0]["message"].partition(" ")[2] in shown
    assert address(Policy, "approve", policy.pk) in shown
    assert policy.candidate.block_digest in shown
    assert "Held by the guard" not in alice.get(page_of(make_policy(now=now))).content.decode()


def test_what_is_held_is_approved_where_it_is_seen(alice: Client, now: datetime) -> None:
    policy = hold(now=now)
    device = make_device(policy=policy, now=now)
    assert address(Policy, "accept", policy.pk) not in alice.get(page_of(policy)).content.decode()
    shown = alice.get(address(Device, "change", device.pk)).content.decode()
    assert address(Device, "accept", device.pk) not in shown
    assert "Look at what is held" in shown
    assert page_of(policy) in shown


def test_what_was_looked_at_is_approved_and_published(alice: Client, now: datetime) -> None:
    policy = hold(now=now)
    assert "published as snapshot 2" in decide(alice, "approve", policy)
    policy.refresh_from_db()
    assert policy.state == PolicyState.CURRENT
    assert Change.objects.get(verb="approve").actor == "console:alice"


def test_what_was_looked_at_is_discarded(alice: Client, now: datetime) -> None:
    policy = hold(now=now)
    shown = decide(alice, "discard", policy)
    assert "discarded. The snapshot in force stays" in shown
    assert "Held by the guard" not in shown
    assert Candidate.objects.get().is_discarded


@pytest.mark.parametrize("verb", DECISIONS)
def test_what_has_changed_since_is_looked_at_again(alice: Client, now: datetime, verb: str) -> None:
    policy = hold(now=now)
    digest = policy.candidate.block_digest
    protect_network(network="6.2.0.1", reason="a hospital", actor="test", now=now)
    compile_policy_now(policy_id=policy.pk, now=now + 2 * HOUR)
    assert "look at it again" in decide(alice, verb, policy, digest)
    assert not Candidate.objects.get().is_discarded
    assert policy.snapshots.count() == 1


def test_what_breaks_an_absolute_rule_has_no_button_to_approve_it(
    alice: Client, now: datetime
) -> None:
    policy = hold(now=now, more=["92.0.0.0/7"])
    shown = alice.get(page_of(policy)).content.decode()
    assert "Nobody can approve this" in shown
    assert address(Policy, "approve", policy.pk) not in shown
    assert address(Policy, "discard", policy.pk) in shown
    assert "nobody may let this pass" in decide(alice, "approve", policy)
    assert policy.snapshots.count() == 1


@pytest.mark.parametrize("verb", [*DECISIONS, "release"])
def test_decisions_are_posts_of_people_who_may_change_the_policy(
    alice: Client, victor: Client, charlie: Client, now: datetime, verb: str
) -> None:
    policy = hold(now=now)
    url = address(Policy, verb, policy.pk)
    assert alice.get(url).status_code == 405
    assert alice.post(address(Policy, verb, 999_999)).status_code == 404
    for client in (victor, charlie):
        data = {"block_digest": policy.candidate.block_digest}
        assert client.post(url, data).status_code == 403
    assert url not in victor.get(page_of(policy)).content.decode()
    assert not Candidate.objects.get().is_discarded
    assert policy.snapshots.count() == 1


@pytest.fixture
def twice(now: datetime) -> Policy:
    """A policy with two snapshots."""
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    publish(policy, now=now)
    republish(policy, "5.7.0.0/24", now=now + HOUR)
    return policy


def test_a_person_returns_to_a_snapshot_after_a_question_and_releases_it(
    alice: Client, twice: Policy
) -> None:
    first = twice.snapshots.get(number=1)
    url = address(Snapshot, "return", first.pk)
    assert f'href="{url}"' in alice.get(address(Snapshot, "change", first.pk)).content.decode()
    assert "does not follow its sources" in alice.get(url).content.decode()
    assert twice.snapshots.count() == 2
    shown = alice.post(url, follow=True).content.decode()
    assert "returned to snapshot 1" in shown
    assert "by console:alice: snapshot 1 stays until it is released" in shown
    twice.refresh_from_db()
    assert (twice.pinned, twice.state) == (first, PolicyState.PINNED)
    current = alice.get(address(Snapshot, "change", twice.current.pk)).content.decode()  # type: ignore[union-attr]
    assert "return to snapshot 1 by console:alice" in current
    assert "It follows its sources again" in decide(alice, "release", twice, "-")
    twice.refresh_from_db()
    assert twice.pinned is None
    assert "is not pinned" in decide(alice, "release", twice, "-")


def test_a_snapshot_that_cannot_come_back_says_why(
    alice: Client, twice: Policy, now: datetime
) -> None:
    change_policy(policy=twice, changes={"widest4": 25}, actor="test", now=now)
    url = address(Snapshot, "return", twice.snapshots.get(number=1).pk)
    assert "snapshot 1 cannot be published" in alice.post(url, follow=True).content.decode()
    twice.refresh_from_db()
    assert twice.pinned is None


def test_who_may_not_change_policies_returns_to_nothing(
    victor: Client, charlie: Client, twice: Policy
) -> None:
    url = address(Snapshot, "return", twice.snapshots.get(number=1).pk)
    for client in (victor, charlie):
        assert client.get(url).status_code == 403
        assert client.post(url).status_code == 403
    assert url not in victor.get(address(Snapshot, "change", 1)).content.decode()
    rights = Permission.objects.filter(codename="change_policy")
    User.objects.get(username="victor").user_permissions.add(*rights)
    assert victor.get(url).status_code == 200
    assert victor.get(address(Snapshot, "return", 999_999)).status_code in {403, 404}


def test_the_page_of_a_policy_leads_to_its_snapshots(alice: Client, twice: Policy) -> None:
    shown = alice.get(page_of(twice)).content.decode()
    for snapshot in twice.snapshots.all():
        assert address(Snapshot, "change", snapshot.pk) in shown
    every = f"{address(Snapshot, 'changelist')}?policy__id__exact={twice.pk}"
    assert every in shown
    assert alice.get(every).status_code == 200


def test_the_start_page_opens_while_a_policy_is_pinned(
    alice: Client, twice: Policy, now: datetime
) -> None:
    return_to_snapshot(snapshot=twice.snapshots.get(number=1), actor="test", now=now + 2 * HOUR)
    assert "pinned by a person" in alice.get("/admin/").content.decode()


def test_a_snapshot_tells_what_was_cut_because_of_what_and_where_it_came_from(
    alice: Client, now: datetime
) -> None:
    protect_network(network="5.6.0.9", reason="the hospital's gateway", actor="test", now=now)
    policy = make_policy(now=now, block=["5.6.0.0/24"], allow=["5.6.0.7"])
    snapshot = publish(policy, now=now)
    shown = alice.get(address(Snapshot, "change", snapshot.pk)).content.decode()
    assert "5.6.0.9: the hospital&#x27;s gateway" in shown
    for source in policy.sources.all():
        assert f"/admin/policies/source/{source.pk}/change/" in shown
    assert f"{now:%Y-%m-%d %H:%M:%S} UTC" in shown


def test_a_pinned_policy_that_is_held_says_both(
    alice: Client, twice: Policy, now: datetime
) -> None:
    return_to_snapshot(snapshot=twice.snapshots.get(number=1), actor="alice", now=now + 2 * HOUR)
    change_policy(policy=twice, changes={"widest4": 25}, actor="test", now=now)
    compile_policy_now(policy_id=twice.pk, now=now + 3 * HOUR)
    shown = alice.get(page_of(twice)).content.decode()
    assert "by alice: What it would publish waits for a decision" in shown
    assert address(Policy, "release", twice.pk) in shown
