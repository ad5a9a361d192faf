"""What may be accepted is told by the rows, and who accepted it by the history."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from policies.models import Change, Policy, Source
from policies.services import (
    accept_change,
    compile_policy_now,
    refresh_policy,
    retrieve_source,
)
from policies.states import PolicyState
from tests.factories import make_policy, publish

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
MANY = [f"5.{n}.0.0/16" for n in range(0, 40, 2)]
MORE = [f"6.{n}.0.0/16" for n in range(0, 100, 2)]


def held(now: datetime, *, by: str) -> Policy:
    """Return a published policy that something holds back, refreshed an hour later."""
    policy = make_policy(now=now, block=MANY)
    publish(policy, now=now)
    said = {
        "growth": [*MANY, *MORE],
        "shrink": MANY[:3],
        "source": MANY[:3],
        "width": ["92.0.0.0/7"],
        "nothing": MANY[:-1],
    }[by]
    limit = 50 if by == "source" else 100
    policy.sources.update(settings={"entries": said}, shrink_limit=limit)
    refresh(policy, now=now + HOUR)
    return policy


def refresh(policy: Policy, *, now: datetime) -> None:
    refresh_policy(policy=policy, clock=lambda: now)
    policy.refresh_from_db()


@pytest.mark.parametrize(
    ("by", "may_be_accepted"),
    [
        ("growth", True),
        ("shrink", True),
        ("source", True),
        ("width", False),
        ("nothing", False),
    ],
)
def test_only_what_a_change_limit_holds_awaits_acceptance(
    now: datetime, by: str, may_be_accepted: bool
) -> None:
    assert held(now, by=by).awaits_acceptance is may_be_accepted


@pytest.mark.parametrize("by", ["growth", "shrink", "source"])
def test_an_accepted_change_passes_in_a_worker_and_is_written_down(now: datetime, by: str) -> None:
    policy = held(now, by=by)
    later = now + 2 * HOUR
    accept_change(policy=policy, actor="console:alice", now=later)
    source = Source.objects.due(now=later).get()
    retrieve_source(source_id=source.pk, now=later)
    compile_policy_now(policy_id=policy.pk, now=later)
    policy.refresh_from_db()
    assert (policy.state, policy.snapshots.count()) == (PolicyState.CURRENT, 2)
    assert not policy.awaits_acceptance
    change = Change.objects.get(verb="accept")
    assert (change.actor, change.subject) == ("console:alice", f"policy {policy.name}")


def test_a_list_that_is_back_leaves_nothing_to_accept(now: datetime) -> None:
    policy = held(now, by="source")
    policy.sources.update(settings={"entries": MANY})
    refresh(policy, now=now + 2 * HOUR)
    assert not policy.awaits_acceptance


def test_a_disabled_source_leaves_nothing_to_accept(now: datetime) -> None:
    policy = held(now, by="source")
    policy.sources.update(is_enabled=False)
    assert not Policy.objects.get().awaits_acceptance
