"""An earlier snapshot comes back with one call, and stays until a person releases the policy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from netsets.cidr import AddressSet
from policies.models import Change, Policy, Snapshot
from policies.services import (
    Refused,
    change_policy,
    compile_policy_now,
    protect_network,
    prune,
    release_policy,
    return_to_snapshot,
)
from policies.states import PolicyState
from policies.store import get_set
from tests.factories import make_policy, publish, republish

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def policy(now: datetime) -> Policy:
    """A policy with three snapshots."""
    policy = make_policy(now=now, block=["5.6.0.1"])
    publish(policy, now=now)
    for number in (2, 3):
        republish(policy, f"5.6.0.{number}", now=now + number * HOUR)
    return policy


def go_back(policy: Policy, number: int, *, now: datetime) -> Snapshot:
    snapshot = Snapshot.objects.get(policy=policy, number=number)
    return_to_snapshot(snapshot=snapshot, actor="console:alice", now=now)
    policy.refresh_from_db()
    assert policy.current is not None
    return policy.current


def test_an_earlier_snapshot_is_published_again_under_the_next_number(
    policy: Policy, now: datetime
) -> None:
    current = go_back(policy, 1, now=now + 4 * HOUR)
    assert (current.number, policy.state) == (4, PolicyState.PINNED)
    assert get_set(current.block_digest) == AddressSet.of("5.6.0.1")
    assert current.note == "return to snapshot 1 by console:alice"
    assert current.sources[0]["name"] == policy.sources.get().name
    assert Change.objects.get(verb="return").detail == {"pinned": ["", "snapshot 1"]}


def test_a_pinned_policy_does_not_follow_its_sources_until_it_is_released(
    policy: Policy, now: datetime
) -> None:
    go_back(policy, 1, now=now + 4 * HOUR)
    republish(policy, "5.6.0.9", now=now + 5 * HOUR)
    assert (policy.state, policy.last_number) == (PolicyState.PINNED, 4)
    release_policy(policy=policy, actor="console:alice", now=now + 6 * HOUR)
    compile_policy_now(policy_id=policy.pk, now=now + 6 * HOUR)
    policy.refresh_from_db()
    assert (policy.state, policy.last_number) == (PolicyState.CURRENT, 5)
    assert policy.current is not None
    assert get_set(policy.current.block_digest) == AddressSet.of("5.6.0.9")


def test_what_is_protected_today_is_not_blocked_by_yesterdays_snapshot(
    policy: Policy, now: datetime
) -> None:
    republish(policy, "5.6.0.0/24", now=now + 4 * HOUR)
    republish(policy, "5.6.0.7", now=now + 5 * HOUR)
    protect_network(network="5.6.0.0/25", reason="ours since today", actor="test", now=now)
    current = go_back(policy, 4, now=now + 6 * HOUR)
    assert get_set(current.block_digest) == AddressSet.of("5.6.0.128/25")
    protect_network(network="5.6.0.128", reason="ours as well", actor="test", now=now)
    compile_policy_now(policy_id=policy.pk, now=now + 7 * HOUR)
    policy.refresh_from_db()
    assert policy.current is not None
    assert not AddressSet.of("5.6.0.128") & get_set(policy.current.block_digest)


def test_a_snapshot_that_breaks_an_absolute_rule_of_today_does_not_come_back(
    policy: Policy, now: datetime
) -> None:
    republish(policy, "5.8.0.0/16", now=now + 4 * HOUR)
    republish(policy, "5.6.0.3", now=now + 5 * HOUR)
    current = policy.current
    change_policy(policy=policy, changes={"widest4": 20}, actor="test", now=now)
    with pytest.raises(Refused, match="snapshot 4 cannot be published"):
        go_back(policy, 4, now=now + 6 * HOUR)
    policy.refresh_from_db()
    assert (policy.pinned, policy.current) == (None, current)
    # What was written down is what happened: there, and back again.
    changes = Change.objects.filter(verb__in=("return", "release")).order_by("id")
    assert [change.verb for change in changes] == ["return", "release"]


def test_a_return_that_fails_takes_nothing_back_that_another_person_did_meanwhile(
    policy: Policy, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    republish(policy, "5.8.0.0/16", now=now + 4 * HOUR)
    republish(policy, "5.6.0.3", now=now + 5 * HOUR)
    change_policy(policy=policy, changes={"widest4": 20}, actor="test", now=now)
    fourth, first = (Snapshot.objects.get(policy=policy, number=number) for number in (4, 1))
    real = compile_policy_now

    def compiled(**options: Any) -> Any:
        report = real(**options)
        monkeypatch.undo()
        return_to_snapshot(snapshot=first, actor="console:bob", now=now + 7 * HOUR)
        return report

    monkeypatch.setattr("policies.services.history.compile_policy_now", compiled)
    with pytest.raises(Refused, match="snapshot 4 cannot be published"):
        return_to_snapshot(snapshot=fourth, actor="console:alice", now=now + 6 * HOUR)
    policy.refresh_from_db()
    assert (policy.pinned, policy.pinned_by) == (first, "console:bob")


def test_a_return_that_a_worker_has_to_finish_is_not_held_for_its_difference(
    policy: Policy, now: datetime
) -> None:
    many = [f"5.{n}.0.0/24" for n in range(0, 40, 2)]
    republish(policy, *many, now=now + 4 * HOUR)
    assert policy.last_number == 4
    later = now + 5 * HOUR
    owner = Policy.objects.claim(pk=policy.pk, now=later, lease=timedelta(minutes=1))
    assert owner is not None
    first = Snapshot.objects.get(policy=policy, number=1)
    assert return_to_snapshot(snapshot=first, actor="console:alice", now=later) is None
    Policy.objects.release(pk=policy.pk, owner=owner)
    compile_policy_now(policy_id=policy.pk, now=later)
    policy.refresh_from_db()
    assert (policy.state, policy.last_number) == (PolicyState.PINNED, 5)
    assert policy.current is not None
    assert policy.current.note == "return to snapshot 1 by console:alice"
    assert policy.current.block_digest == first.block_digest


def test_only_a_pinned_policy_can_be_released(policy: Policy, now: datetime) -> None:
    with pytest.raises(Refused, match="not pinned"):
        release_policy(policy=policy, actor="test", now=now)


def test_a_policy_keeps_as_many_snapshots_as_it_says_and_the_pinned_one(
    policy: Policy, now: datetime
) -> None:
    go_back(policy, 1, now=now + 4 * HOUR)
    change_policy(policy=policy, changes={"keep_snapshots": 2}, actor="test", now=now)
    prune(now=now + 5 * HOUR, keep=50, held=[])
    assert sorted(policy.snapshots.values_list("number", flat=True)) == [1, 3, 4]


def test_a_snapshot_that_a_person_returns_to_during_a_prune_stays(
    policy: Policy, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Policy.objects.all

    def meanwhile() -> Iterator[Policy]:
        yield from list(real())
        go_back(policy, 1, now=now + 4 * HOUR)

    monkeypatch.setattr(Policy.objects, "all", meanwhile)
    assert prune(now=now + 5 * HOUR, keep=1, held=[]).snapshots == 1
    policy.refresh_from_db()
    assert policy.pinned == Snapshot.objects.get(policy=policy, number=1)


def test_nobody_returns_to_a_snapshot_that_is_no_longer_kept(policy: Policy, now: datetime) -> None:
    first = Snapshot.objects.get(policy=policy, number=1)
    prune(now=now + 4 * HOUR, keep=1, held=[])
    with pytest.raises(Refused, match="snapshot 1 is no longer kept"):
        return_to_snapshot(snapshot=first, actor="test", now=now + 5 * HOUR)
    policy.refresh_from_db()
    assert (policy.pinned, policy.pinned_at) == (None, None)


def test_a_policy_keeps_its_snapshots_for_as_many_days_as_it_says(
    policy: Policy, now: datetime
) -> None:
    change_policy(policy=policy, changes={"keep_days": 2}, actor="test", now=now)
    prune(now=now + timedelta(days=2, hours=2, minutes=30), keep=50, held=[])
    assert sorted(policy.snapshots.values_list("number", flat=True)) == [3]
