from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.core.files.storage import storages
from django.db import transaction
from hypothesis import given

from policies.models import Policy, Retrieval, Source
from policies.reports.worth import Among, NoList, SourceWorth, worth_of
from policies.states import Outcome, Role
from tests.factories import make_source, publish
from tests.policies.reports.worlds import NOW, World, each, publish_world, take, worlds

pytestmark = pytest.mark.django_db


def judge(source: Source, among: Among = "policies") -> SourceWorth:
    source.refresh_from_db()
    return worth_of(source, among=among, now=NOW + timedelta(hours=1))


@given(worlds)
def test_what_only_one_list_has_is_what_a_look_at_every_address_says(world: World) -> None:
    with transaction.atomic():
        snapshot = publish_world(world)
        block = [one["source"] for one in snapshot.sources if one["role"] == Role.BLOCK]
        found = {pk: judge(Source.objects.get(pk=pk)) for pk in block}
        transaction.set_rollback(True)
    sets = {pk: each(spans) for pk, spans in zip(block, world.block, strict=True)}
    spans = dict(zip(block, world.block, strict=True))
    own_line = 1  # the last line of each list is nobody else's
    for pk, told in found.items():
        rest = set().union(*(held for other, held in sets.items() if other != pk))
        assert told.only.addresses4 == len(sets[pk] - rest) + own_line
        alone = [span for span in set(spans[pk]) if not each([span]) & rest]
        assert (told.entries, told.entries_only) == (len(set(spans[pk])) + 1, len(alone) + 1)
        shared = {one.source.pk: one.overlap.addresses4 for one in told.shared}
        common = {other: len(sets[pk] & held) for other, held in sets.items() if other != pk}
        assert shared == {other: number for other, number in common.items() if number}


@pytest.fixture
def lists(now: datetime) -> dict[str, Source]:
    """Three lists: two in one policy, one in another, and an allow list."""
    edge = Policy.objects.create(name="edge", due_at=now)
    other = Policy.objects.create(name="other", due_at=now)
    made = {
        "mine": take(edge, ["5.6.0.0/24", "7.7.7.7"], Role.BLOCK),
        "beside": take(edge, ["5.6.0.0/25"], Role.BLOCK),
        "allow": take(edge, ["7.7.7.7"], Role.ALLOW),
        "elsewhere": take(other, ["7.7.7.7"], Role.BLOCK),
    }
    publish(edge, now=now)
    publish(other, now=now)
    return made


def names(found: SourceWorth) -> set[int]:
    return {one.source.pk for one in found.shared}


def test_a_list_is_judged_beside_those_of_its_policies_and_its_role(
    lists: dict[str, Source],
) -> None:
    found = judge(lists["mine"])
    assert names(found) == {lists["beside"].pk}
    assert (found.entries, found.entries_only, found.only.addresses4) == (3, 2, 128 + 2)
    (shared,) = found.shared
    assert (shared.overlap.entries, shared.overlap.addresses4) == (1, 128)


def test_or_beside_all_of_the_site(lists: dict[str, Source]) -> None:
    found = judge(lists["mine"], "site")
    assert names(found) == {lists[name].pk for name in ("beside", "allow", "elsewhere")}
    assert found.entries_only == 1


def test_a_list_alone_has_everything_for_itself(lists: dict[str, Source]) -> None:
    found = judge(lists["elsewhere"])
    assert (found.shared, found.entries_only, found.entries) == ((), 2, 2)


def test_rejects_and_failures_are_told(lists: dict[str, Source]) -> None:
    mine = lists["mine"]
    Retrieval.objects.filter(source=mine).update(skipped=[["host name", 3]])
    for days, outcome in (
        (1, Outcome.UNAVAILABLE),
        (2, Outcome.UNAVAILABLE),
        (31, Outcome.REFUSED),
    ):
        at = NOW - timedelta(days=days)
        Retrieval.objects.create(source=mine, started_at=at, finished_at=at, outcome=outcome)
    found = judge(mine)
    assert found.skipped == (("host name", 3),)
    assert dict(found.outcomes) == {Outcome.CHANGED: 1, Outcome.UNAVAILABLE: 2}


def test_a_lost_list_of_another_is_named_and_left_out(lists: dict[str, Source]) -> None:
    digest = Source.objects.get(pk=lists["beside"].pk).list_digest
    storages["sets"].delete(f"{digest[:2]}/{digest}")
    found = judge(lists["mine"])
    assert [other.pk for other in found.unreadable] == [lists["beside"].pk]
    assert (found.shared, found.entries_only) == ((), 3)


def test_a_source_without_a_list_cannot_be_judged(now: datetime) -> None:
    with pytest.raises(NoList, match="has no list yet"):
        judge(make_source(entries=["5.6.7.8"], now=now))
