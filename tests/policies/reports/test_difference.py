from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.core.files.storage import storages
from django.db import transaction
from hypothesis import given, strategies as st

from netsets.render import text
from netsets.span import Span
from policies.models import Policy, ProtectedAddress, Snapshot, Source
from policies.reports.difference import (
    CauseCounts,
    Counts,
    ListDifference,
    causes,
    list_difference,
    previous_of,
)
from policies.services import refresh_policy
from policies.states import Role
from tests.factories import make_policy, publish
from tests.policies.reports.worlds import World, each, publish_world, take, worlds

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def block(before: Snapshot, after: Snapshot) -> ListDifference:
    return list_difference(before, after, Role.BLOCK)


def lines(told: ListDifference) -> list[str]:
    return b"".join(told.text()).decode("ascii").splitlines()


def spread(found: list[str], sign: str) -> set[int]:
    """Return the addresses of the lines with this sign, those of the world alone."""
    every = each([Span.of(line[1:]) for line in found if line[0] == sign])
    return {number for number in every if number >= Span.of("198.0.0.0").first}


@given(worlds, worlds, st.integers(1, 7))
def test_a_difference_is_what_a_look_at_every_address_says(
    old: World, new: World, size: int
) -> None:
    with transaction.atomic():
        before = publish_world(old)
        ProtectedAddress.objects.all().delete()
        after = publish_world(new)
        told = block(before, after)
        transaction.set_rollback(True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "BLOCK", size)
        found = lines(told)
    assert spread(found, "+") == new.blocked - old.blocked
    assert spread(found, "-") == old.blocked - new.blocked
    pages = [told.page(start, size) for start in range(0, len(told), size)]
    assert [str(change) for page in pages for change in page] == found
    assert all(len(page) == size for page in pages[:-1])
    assert told.added.prefixes + told.removed.prefixes == len(told) == len(found)


def say(policy: Policy, name: str, *entries: str, now: datetime) -> Snapshot:
    """Let one list of a policy say something else."""
    Source.objects.filter(name=name).update(settings={"entries": list(entries)}, shrink_limit=100)
    refresh_policy(policy=policy, clock=lambda: now, accept_change=True)
    policy.refresh_from_db()
    assert policy.current is not None
    return policy.current


@pytest.fixture
def policy(now: datetime) -> Policy:
    """A policy of two block lists and an allow list."""
    policy = Policy.objects.create(name="edge", due_at=now)
    for name, entries, role in (
        ("first", ["5.6.0.0/24", "7.7.7.7"], Role.BLOCK),
        ("second", ["5.6.0.0/25", "8.1.1.1"], Role.BLOCK),
        ("partners", ["5.6.0.1"], Role.ALLOW),
    ):
        source = take(policy, entries, role)
        Source.objects.filter(pk=source.pk).update(name=name, settings={"entries": entries})
    publish(policy, now=now)
    return policy


def told_causes(before: Snapshot, after: Snapshot) -> list[tuple[str, int, int]]:
    return [
        (one.name, one.added.addresses4, one.removed.addresses4)
        for one in causes(before, after, block(before, after))
    ]


def test_what_changed_is_told_with_the_source_that_caused_it(policy: Policy, now: datetime) -> None:
    before = policy.current
    assert before is not None
    after = say(policy, "first", "5.6.0.0/24", "9.1.1.0/31", now=now + HOUR)
    assert lines(block(before, after)) == ["+9.1.1.0/31", "-7.7.7.7"]
    assert told_causes(before, after) == [("first", 2, 1)]


def test_each_cause_tells_how_many_entries_its_list_gained_and_lost(
    policy: Policy, now: datetime
) -> None:
    before = policy.current
    assert before is not None
    after = say(policy, "first", "5.6.0.0/25", "5.6.0.128/25", "9.1.1.1", now=now + HOUR)
    (cause,) = causes(before, after, block(before, after))
    assert (cause.added.prefixes, cause.removed.prefixes) == (1, 1)
    assert cause.entries == (3, 2)  # the /24 is written as two /25 now


def test_entries_that_are_not_kept_are_not_counted(policy: Policy, now: datetime) -> None:
    before = policy.current
    assert before is not None
    for entry in before.sources:
        entry.pop("entries")  # as snapshots of an earlier version are
    after = say(policy, "first", "9.1.1.1", now=now + HOUR)
    (cause,) = causes(before, after, block(before, after))
    assert (cause.entries, cause.trouble) == (None, "")


def test_a_part_that_another_list_still_holds_has_no_cause(policy: Policy, now: datetime) -> None:
    before = policy.current
    assert before is not None
    after = say(policy, "second", "8.1.1.1", "9.1.1.1", now=now + HOUR)
    assert told_causes(before, after) == [("second", 1, 0)]


def test_what_an_allow_list_gave_up_is_added_because_of_it(policy: Policy, now: datetime) -> None:
    before = policy.current
    assert before is not None
    after = say(policy, "partners", "5.6.0.2", now=now + HOUR)
    assert lines(block(before, after)) == ["+5.6.0.1", "-5.6.0.2"]
    assert told_causes(before, after) == [("partners", 1, 1)]
    assert lines(list_difference(before, after, Role.ALLOW)) == ["+5.6.0.2", "-5.6.0.1"]


def test_what_no_source_caused_is_told_apart(policy: Policy, now: datetime) -> None:
    before = policy.current
    ProtectedAddress.objects.create(network="5.6.0.77", reason="the office")
    after = say(policy, "first", "5.6.0.0/24", now=now + HOUR)
    assert before is not None
    (first, nobody) = causes(before, after, block(before, after))
    assert (first.name, first.removed.addresses4) == ("first", 1)
    one = Counts(1, 0, 1)
    assert nobody == CauseCounts(0, "", None, Counts(0, 0, 0), one)


def test_a_source_that_came_or_went_caused_its_part(policy: Policy, now: datetime) -> None:
    before = policy.current
    assert before is not None
    policy.policy_sources.filter(source__name="second").delete()
    after = say(policy, "first", "5.6.0.0/24", "7.7.7.7", now=now + HOUR)
    refresh_policy(policy=policy, clock=lambda: now + 2 * HOUR, accept_change=True)
    policy.refresh_from_db()
    after = policy.current or after
    assert told_causes(before, after) == [("second", 0, 1)]
    assert told_causes(after, before) == [("second", 1, 0)]


def test_a_lost_list_is_named_and_hides_no_other(policy: Policy, now: datetime) -> None:
    before = policy.current
    assert before is not None
    after = say(policy, "first", "5.6.0.0/24", "9.1.1.1", now=now + HOUR)
    after = say(policy, "second", "8.2.2.2", now=now + 2 * HOUR)
    digest = Source.objects.get(name="second").list_digest
    storages["sets"].delete(f"{digest[:2]}/{digest}")
    first, nobody, lost = sorted(
        causes(before, after, block(before, after)), key=lambda one: one.name != "first"
    )
    assert (first.name, first.added.addresses4, first.removed.addresses4) == ("first", 1, 1)
    assert {nobody.name, lost.name} == {"", "second"}
    assert any("cannot be read" in one.trouble for one in (nobody, lost))


def test_snapshots_of_an_older_version_are_compared_by_the_names_of_their_lists(
    policy: Policy, now: datetime
) -> None:
    before = policy.current
    assert before is not None
    after = say(policy, "first", "5.6.0.0/24", "9.1.1.1", now=now + HOUR)
    for one in (before, after):
        one.sources = [{key: row[key] for key in ("name", "role", "digest")} for row in one.sources]
    assert told_causes(before, after) == [("first", 1, 1)]


def test_nothing_changed_between_a_snapshot_and_itself(policy: Policy) -> None:
    snapshot = policy.current
    assert snapshot is not None
    same = block(snapshot, snapshot)
    assert (lines(same), len(same), same.page(0, 10)) == ([], 0, ())
    assert causes(snapshot, snapshot, same) == ()


def test_the_one_before_is_the_newest_that_is_kept(policy: Policy, now: datetime) -> None:
    first = policy.current
    second = say(policy, "first", "5.6.0.0/24", now=now + HOUR)
    third = say(policy, "first", "5.6.0.0/23", now=now + 2 * HOUR)
    assert first is not None
    assert (previous_of(first), previous_of(second), previous_of(third)) == (None, first, second)
    second.delete()
    assert previous_of(third) == first


def test_both_families_are_told(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.7.8", "2a00::/48"])
    before = publish(policy, now=now)
    policy.sources.update(settings={"entries": ["5.6.7.8", "2a00::/49"]}, shrink_limit=100)
    refresh_policy(policy=policy, clock=lambda: now + HOUR, accept_change=True)
    policy.refresh_from_db()
    assert policy.current is not None
    told = block(before, policy.current)
    assert lines(told) == ["-2a00:0:0:8000::/49"]
    assert told.removed == Counts(0, 1 << 79, 1)
