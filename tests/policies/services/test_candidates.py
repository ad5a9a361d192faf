"""What trips the guard is held for a person, who looks at it, approves it or discards it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from netsets.cidr import AddressSet
from policies.models import Candidate, Change, Policy, Snapshot, Source
from policies.services import (
    MustHold,
    Outdated,
    Refused,
    approve_candidate,
    change_policy,
    compile_policy_now,
    discard_candidate,
    protect_network,
    refresh_policy,
    retrieve_source,
)
from policies.states import Expectation, PolicyState
from policies.store import feed_is_whole, feed_path, get_set
from tests.factories import make_policy, make_source, publish

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
MANY = [f"5.{n}.0.0/16" for n in range(0, 40, 2)]
MORE = [*MANY, *(f"6.{n}.0.0/16" for n in range(0, 100, 2))]


def refresh(policy: Policy, *, now: datetime) -> None:
    refresh_policy(policy=policy, clock=lambda: now)
    policy.refresh_from_db()


def say(policy: Policy, *entries: str) -> None:
    policy.sources.update(settings={"entries": list(entries)}, shrink_limit=100)


@pytest.fixture
def held(now: datetime) -> Policy:
    """A policy whose growth the guard holds back."""
    policy = make_policy(now=now, block=MANY)
    publish(policy, now=now)
    say(policy, *MORE)
    refresh(policy, now=now + HOUR)
    assert policy.state == PolicyState.HELD
    return policy


def test_what_trips_the_guard_is_kept_to_be_looked_at(held: Policy, now: datetime) -> None:
    candidate = Candidate.objects.get(policy=held)
    assert get_set(candidate.block_digest) == AddressSet.of(*MORE)
    assert candidate.numbers["added"]["addresses4"] == 50 * 65536
    assert [finding["rule"] for finding in candidate.findings] == ["growth"]
    assert candidate.may_be_approved
    assert (held.snapshots.count(), held.current) == (1, held.snapshots.get())


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz", ".txt.md5"])
def test_a_lost_file_of_a_feed_comes_back_though_the_policy_is_held(
    held: Policy, now: datetime, suffix: str
) -> None:
    assert held.current is not None
    path = feed_path(held.current.feeds.get(list="block").digest, suffix)
    whole = path.read_bytes()
    path.unlink()
    refresh(held, now=now + 2 * HOUR)
    assert (held.state, held.last_number) == (PolicyState.HELD, 1)
    assert path.read_bytes() == whole


def test_an_approved_candidate_is_published_and_says_who_approved_it(
    held: Policy, now: datetime
) -> None:
    digest = held.candidate.block_digest
    snapshot = approve_candidate(policy=held, digest=digest, actor="console:alice", now=now + HOUR)
    held.refresh_from_db()
    assert (snapshot.number, snapshot.block_digest) == (2, digest)
    assert (held.current, held.state) == (snapshot, PolicyState.CURRENT)
    assert snapshot.note == "approved by console:alice: growth"
    assert not Candidate.objects.exists()
    assert Change.objects.get(verb="approve").actor == "console:alice"


def test_an_approval_holds_for_what_was_looked_at_and_for_nothing_else(
    held: Policy, now: datetime
) -> None:
    digest = held.candidate.block_digest
    protect_network(network="6.2.0.1", reason="a hospital", actor="test", now=now)
    with pytest.raises(Refused, match="have changed since"):
        approve_candidate(policy=held, digest=digest, actor="test", now=now + HOUR)
    assert Snapshot.objects.count() == 1
    compile_policy_now(policy_id=held.pk, now=now + HOUR)
    with pytest.raises(Refused, match="look at it again"):
        approve_candidate(policy=held, digest=digest, actor="test", now=now + HOUR)


def test_a_discarded_candidate_leaves_the_snapshot_in_force_and_is_not_held_again(
    held: Policy, now: datetime
) -> None:
    discard_candidate(
        policy=held, digest=held.candidate.block_digest, actor="console:alice", now=now + HOUR
    )
    for hour in (1, 2):
        refresh(held, now=now + hour * HOUR)
        assert held.state == PolicyState.CURRENT
        assert "discarded" in held.state_detail
    assert held.snapshots.count() == 1
    say(held, *MORE, "7.7.7.7")
    refresh(held, now=now + 3 * HOUR)
    assert held.state == PolicyState.HELD
    assert Change.objects.filter(verb="discard").count() == 1


def test_a_candidate_that_comes_while_another_is_discarded_stays_held(
    held: Policy, now: datetime
) -> None:
    looked_at, others = held.candidate.block_digest, {"block_digest": "e" * 64}

    def meanwhile(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if others and sql.startswith('UPDATE "policies_candidate"'):
            held_then = {name: others.pop(name) for name in list(others)}
            Candidate.objects.update(**held_then, inputs_digest="f" * 64)
        return execute(sql, *rest)

    with connection.execute_wrapper(meanwhile), pytest.raises(Outdated, match="look at it again"):
        discard_candidate(policy=held, digest=looked_at, actor="test", now=now + HOUR)
    assert not Candidate.objects.get().is_discarded
    assert not Change.objects.filter(verb="discard").exists()


def test_what_is_protected_while_a_change_is_held_leaves_the_list_in_force(
    held: Policy, now: datetime
) -> None:
    protect_network(network="5.2.0.1", reason="a pager", actor="test", now=now)
    for hour in (2, 3):
        refresh(held, now=now + hour * HOUR)
        assert (held.state, held.last_number) == (PolicyState.HELD, 2)
    assert held.current is not None
    assert get_set(held.current.block_digest) == AddressSet.of(*MANY) - AddressSet.of("5.2.0.1")
    assert "nothing else was published" in held.current.note
    digest = held.candidate.block_digest
    approve_candidate(policy=held, digest=digest, actor="test", now=now + 4 * HOUR)
    held.refresh_from_db()
    assert held.current is not None
    assert get_set(held.current.block_digest) == AddressSet.of(*MORE) - AddressSet.of("5.2.0.1")


def test_what_is_protected_while_a_policy_waits_for_a_list_leaves_the_list_in_force(
    now: datetime,
) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    publish(policy, now=now)
    policy.policy_sources.create(source=make_source(entries=[], now=now), role="allow")
    protect_network(network="5.6.0.0/25", reason="a pager", actor="test", now=now)
    for hour in (1, 2):
        refresh(policy, now=now + hour * HOUR)
        assert (policy.state, policy.last_number) == (PolicyState.WAITING, 2)
    assert policy.current is not None
    assert get_set(policy.current.block_digest) == AddressSet.of("5.6.0.128/25")


def allow(policy: Policy, *entries: str, now: datetime) -> Source:
    source = make_source(entries=entries, now=now)
    policy.policy_sources.create(source=source, role="allow")
    return source


def test_what_is_allowed_while_a_change_is_held_leaves_the_list_in_force(
    held: Policy, now: datetime
) -> None:
    source = allow(held, "5.2.0.0/24", "9.9.9.9", now=now)
    refresh(held, now=now + 2 * HOUR)
    assert held.state == PolicyState.HELD
    assert held.current is not None
    assert get_set(held.current.block_digest) == AddressSet.of(*MANY) - AddressSet.of("5.2.0.0/24")
    assert get_set(held.current.allow_digest) == AddressSet.of("5.2.0.0/24", "9.9.9.9")
    assert source.name in [entry["name"] for entry in held.current.sources]
    protect_network(network="5.6.0.1", reason="a pager", actor="test", now=now)
    refresh(held, now=now + 3 * HOUR)
    assert [entry["name"] for entry in held.current.sources].count(source.name) == 1
    # Nothing that was allowed goes, and what the list in force was made of stays known.
    source.settings = {"entries": ["5.4.0.0/24"]}
    source.save(update_fields=["settings"])
    refresh(held, now=now + 4 * HOUR)
    assert held.current.number == 4
    allowed = AddressSet.of("5.2.0.0/24", "5.4.0.0/24", "9.9.9.9")
    assert get_set(held.current.allow_digest) == allowed
    assert get_set(held.current.block_digest) == AddressSet.of(*MANY) - allowed - AddressSet.of(
        "5.6.0.1"
    )


@pytest.mark.parametrize("is_discarded", [False, True])
def test_lost_feeds_come_back_while_a_change_is_held(
    held: Policy, now: datetime, *, is_discarded: bool
) -> None:
    if is_discarded:
        digest = held.candidate.block_digest
        discard_candidate(policy=held, digest=digest, actor="test", now=now + HOUR)
    assert held.current is not None
    feed = held.current.feeds.get(list="block")
    feed_path(feed.digest, ".txt").unlink()
    refresh(held, now=now + 2 * HOUR)
    assert held.state == (PolicyState.CURRENT if is_discarded else PolicyState.HELD)
    again = held.current.feeds.get(list="block")
    assert again.digest == feed.digest
    assert feed_is_whole(again.digest, size=again.size, gzip_size=again.gzip_size)


@pytest.mark.parametrize("entries", [["5.0.0.0/11"], ["5.0.0.0/7"]])
def test_an_allow_list_beyond_the_guard_leaves_the_list_in_force_while_a_change_is_held(
    held: Policy, now: datetime, entries: list[str]
) -> None:
    allow(held, *entries, now=now)
    refresh(held, now=now + 2 * HOUR)
    assert (held.state, held.last_number) == (PolicyState.HELD, 1)


def test_an_allow_list_that_can_hardly_be_read_changes_nothing_while_a_change_is_held(
    held: Policy, now: datetime
) -> None:
    source = allow(held, "5.2.0.0/24", now=now)
    retrieve_source(source_id=source.pk, now=now + 2 * HOUR)
    Source.objects.filter(pk=source.pk).update(list_skipped=30, list_entries=70)
    compile_policy_now(policy_id=held.pk, now=now + 2 * HOUR)
    held.refresh_from_db()
    assert (held.state, held.last_number) == (PolicyState.HELD, 1)


def test_a_candidate_is_forgotten_when_the_lists_are_back(held: Policy, now: datetime) -> None:
    say(held, *MANY)
    refresh(held, now=now + 2 * HOUR)
    assert held.state == PolicyState.CURRENT
    assert not Candidate.objects.exists()


def test_nobody_approves_what_breaks_an_absolute_rule(now: datetime) -> None:
    policy = make_policy(now=now, block=MANY)
    publish(policy, now=now)
    say(policy, *MANY, "92.0.0.0/7")
    refresh(policy, now=now + HOUR)
    candidate = policy.candidate
    assert not candidate.may_be_approved
    assert {finding["rule"] for finding in candidate.findings} >= {"width"}
    with pytest.raises(Refused, match=r"nobody may let this pass.*/7"):
        approve_candidate(policy=policy, digest=candidate.block_digest, actor="test", now=now)


def test_a_policy_test_that_fails_holds_the_policy(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    good = publish(policy, now=now)
    must = [MustHold(Expectation.NOT_BLOCKED, "5.6.0.7", "the pager of the hospital")]
    change_policy(policy=policy, changes={}, tests=must, actor="test", now=now)
    refresh(policy, now=now + HOUR)
    assert policy.state == PolicyState.HELD
    assert "the pager of the hospital" in policy.state_detail
    assert policy.current == good
    change_policy(policy=policy, changes={}, tests=[], actor="test", now=now)
    refresh(policy, now=now + 2 * HOUR)
    assert policy.state == PolicyState.CURRENT


def test_what_must_be_blocked_holds_the_policy_when_it_is_not(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    must = [MustHold(Expectation.BLOCKED, "5.6.1.0/24")]
    change_policy(policy=policy, changes={}, tests=must, actor="test", now=now)
    refresh(policy, now=now)
    assert (policy.state, policy.current) == (PolicyState.HELD, None)
    assert "5.6.1.0/24" in policy.state_detail


def test_a_test_that_means_nothing_is_refused(now: datetime) -> None:
    policy = make_policy(now=now)
    for network in ("pager.example", "5.6.0.7/24", ""):
        with pytest.raises(Refused):
            change_policy(
                policy=policy, changes={}, actor="test", now=now,
                tests=[MustHold(Expectation.BLOCKED, network)],
            )  # fmt: skip
    assert not policy.tests.exists()


def test_a_list_of_which_too_much_is_unreadable_is_held(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    publish(policy, now=now)
    policy.sources.update(list_skipped=30, list_entries=70)
    compile_policy_now(policy_id=policy.pk, now=now + HOUR)
    policy.refresh_from_db()
    assert policy.state == PolicyState.HELD
    assert "30 of 100 entries" in policy.state_detail
    change_policy(policy=policy, changes={"reject_limit": 40}, actor="test", now=now)
    compile_policy_now(policy_id=policy.pk, now=now + HOUR)
    policy.refresh_from_db()
    assert policy.state == PolicyState.CURRENT


def test_a_note_longer_than_its_column_is_refused(now: datetime) -> None:
    policy = make_policy(now=now)
    with pytest.raises(Refused, match="up to 200 characters"):
        change_policy(
            policy=policy, changes={}, actor="test", now=now,
            tests=[MustHold(Expectation.BLOCKED, "5.6.0.7", "x" * 201)],
        )  # fmt: skip
