"""Every source has an age; a stale one raises an alarm, and its entries stay or go by choice."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from netsets.cidr import AddressSet
from policies.models import Alarm, Policy, Source
from policies.services import compile_policy_now, retrieve_source, review_alarms
from policies.states import AlarmKind, PolicyState, Role, SourceState, StaleEntries
from policies.store import get_set
from tests.factories import make_policy, make_source, publish

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def two_lists(now: datetime, *, stale_entries: StaleEntries) -> tuple[Policy, Source]:
    """Return a published policy of two lists, and the one that goes stale three hours later."""
    policy = make_policy(now=now, block=[f"5.6.{n}.0/24" for n in range(9)])
    Policy.objects.filter(pk=policy.pk).update(stale_entries=stale_entries)
    old = make_source(entries=["7.7.7.7"], now=now, name="the old one")
    policy.policy_sources.create(source=old, role=Role.BLOCK)
    publish(policy, now=now)
    for source in policy.sources.exclude(pk=old.pk):
        retrieve_source(source_id=source.pk, now=now + 4 * HOUR)
    return policy, old


def blocked(policy: Policy, *, now: datetime) -> AddressSet:
    review_alarms(now=now)
    compile_policy_now(policy_id=policy.pk, now=now)
    policy.refresh_from_db()
    assert policy.current is not None
    return get_set(policy.current.block_digest)


def test_a_stale_list_raises_one_alarm_that_closes_by_itself(now: datetime) -> None:
    _, old = two_lists(now, stale_entries=StaleEntries.KEEP)
    review_alarms(now=now + 2 * HOUR)
    assert not Alarm.objects.exists()
    for hours in (4, 5):
        review_alarms(now=now + hours * HOUR)
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.subject) == (AlarmKind.STALE, "source the old one")
    assert (alarm.opened_at, alarm.closed_at) == (now + 4 * HOUR, None)
    retrieve_source(source_id=old.pk, now=now + 6 * HOUR)
    review_alarms(now=now + 6 * HOUR)
    alarm.refresh_from_db()
    assert alarm.closed_at == now + 6 * HOUR


def test_the_longest_name_of_a_source_fits_the_subject_of_its_alarm(now: datetime) -> None:
    """SQLite does not look, PostgreSQL does: an alarm that is not written ends the tick."""
    longest = Source._meta.get_field("name").max_length
    assert longest is not None
    source = make_source(entries=["5.6.7.8"], now=now, name="n" * longest)
    make_policy(now=now, block=()).policy_sources.create(source=source, role=Role.BLOCK)
    retrieve_source(source_id=source.pk, now=now)
    review_alarms(now=now + 4 * HOUR)
    Alarm.objects.get().clean_fields(exclude=["closed_at"])


def test_a_policy_that_its_guard_holds_raises_an_alarm(now: datetime) -> None:
    policy = make_policy(now=now, block=["92.0.0.0/7"])
    for source in policy.sources.all():
        retrieve_source(source_id=source.pk, now=now)
    compile_policy_now(policy_id=policy.pk, now=now)
    review_alarms(now=now)
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.subject) == (AlarmKind.HELD, f"policy {policy.name}")
    assert "/7" in alarm.message


def test_a_policy_that_cannot_be_published_raises_an_alarm_until_it_can(now: datetime) -> None:
    policy = make_policy(now=now)
    Policy.objects.filter(pk=policy.pk).update(state=PolicyState.FAILED, state_detail="disk full")
    review_alarms(now=now)
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.message) == (AlarmKind.FAILED, "disk full")
    publish(policy, now=now)
    review_alarms(now=now + HOUR)
    alarm.refresh_from_db()
    assert alarm.closed_at == now + HOUR


def test_entries_of_a_stale_list_stay_unless_the_policy_says_otherwise(now: datetime) -> None:
    policy, _ = two_lists(now, stale_entries=StaleEntries.KEEP)
    assert "7.7.7.7" in blocked(policy, now=now + 4 * HOUR)
    assert policy.state == PolicyState.CURRENT


def test_entries_of_a_stale_list_go_where_the_policy_says_so_and_come_back(now: datetime) -> None:
    policy, old = two_lists(now, stale_entries=StaleEntries.DROP)
    assert "7.7.7.7" not in blocked(policy, now=now + 4 * HOUR)
    assert policy.state == PolicyState.PARTIAL
    assert "the old one: stale" in policy.state_detail
    retrieve_source(source_id=old.pk, now=now + 5 * HOUR)
    for source in policy.sources.exclude(pk=old.pk):
        retrieve_source(source_id=source.pk, now=now + 5 * HOUR)
    assert "7.7.7.7" in blocked(policy, now=now + 5 * HOUR)
    assert policy.state == PolicyState.CURRENT


def test_a_stale_allow_list_is_never_dropped(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"], allow=["5.6.0.7"])
    Policy.objects.filter(pk=policy.pk).update(stale_entries=StaleEntries.DROP)
    publish(policy, now=now)
    block = Source.objects.get(policy_sources__policy=policy, policy_sources__role=Role.BLOCK)
    retrieve_source(source_id=block.pk, now=now + 9 * HOUR)
    assert "5.6.0.7" not in blocked(policy, now=now + 9 * HOUR)


def test_the_limit_of_a_list_is_three_refreshes_unless_it_has_one_of_its_own(
    now: datetime,
) -> None:
    source = Source(refresh_minutes=120, retrieved_at=now)
    assert not source.is_stale(now=now + 6 * HOUR)
    assert source.is_stale(now=now + 6 * HOUR + timedelta(minutes=1))
    source.stale_minutes = 30
    assert source.is_stale(now=now + HOUR)
    assert not Source(refresh_minutes=5).is_stale(now=now)


def test_a_source_that_refuses_is_asked_ever_more_seldom(now: datetime) -> None:
    source = Source(refresh_minutes=60, state=SourceState.REFUSED)
    waits = []
    for failures in (1, 2, 3, 9):
        source.failures = failures
        waits.append((source.next_due(after=now) - now) / HOUR)
    assert waits == [1, 2, 4, 6]


def test_an_alarm_holds_the_longest_name_that_a_source_may_have(now: datetime) -> None:
    policy, _ = two_lists(now, stale_entries=StaleEntries.DROP)
    name = "x" * 200
    Source.objects.filter(name="the old one").update(name=name)
    review_alarms(now=now + 4 * HOUR)
    alarm = Alarm.objects.get()
    alarm.clean_fields(exclude=["closed_at"])
    assert alarm.subject == f"source {name}"
    policy.refresh_from_db()
    assert policy.due_at == now + 4 * HOUR
