"""What is due is found, also after the clock was set back."""

from __future__ import annotations

import socket
from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from policies.models import Policy, Source
from policies.services import Refused, create_source, due_sources, retrieve_source
from tests.factories import make_policy, publish

pytestmark = pytest.mark.django_db
YEARS = timedelta(days=900)


def test_a_source_is_due_again_after_its_time(now: datetime) -> None:
    source = make_policy(now=now).sources.get()
    retrieve_source(source_id=source.pk, now=now)
    assert not Source.objects.due(now=now + timedelta(minutes=59))
    assert list(Source.objects.due(now=now + timedelta(minutes=60))) == [source]


@pytest.mark.parametrize("back", [timedelta(hours=3), YEARS])
def test_a_source_is_due_when_the_clock_was_set_back(now: datetime, back: timedelta) -> None:
    source = make_policy(now=now).sources.get()
    retrieve_source(source_id=source.pk, now=now)
    assert list(Source.objects.due(now=now - back)) == [source]
    retrieve_source(source_id=source.pk, now=now - back)
    assert not Source.objects.due(now=now - back)


def test_what_was_made_before_the_clock_was_set_back_is_due(now: datetime) -> None:
    policy = make_policy(now=now + YEARS)
    assert list(Source.objects.due(now=now)) == [policy.sources.get()]
    assert list(Policy.objects.due(now=now)) == [policy]


def test_a_policy_that_was_compiled_is_not_due(now: datetime) -> None:
    publish(make_policy(now=now), now=now)
    assert not Policy.objects.due(now=now)


def test_a_source_cannot_be_left_alone_for_years(now: datetime) -> None:
    with pytest.raises(Refused, match="refresh_minutes"):
        create_source(
            name="idle",
            kind="memory",
            settings={"entries": ["1.2.3.4"]},
            options={"refresh_minutes": 10**12},
            actor="test",
            now=now,
        )


def failing(count: int, *, now: datetime) -> list[Source]:
    """Return sources that failed last time and are due again."""
    policies = [make_policy(now=now, block=[f"5.6.{n}.0/24"]) for n in range(count)]
    sources = [policy.sources.get() for policy in policies]
    Source.objects.filter(pk__in=[source.pk for source in sources]).update(failures=3)
    return sources


def test_failing_sources_never_fill_all_slots(now: datetime, settings: Settings) -> None:
    settings.CELERY_WORKER_CONCURRENCY = 4
    bad, well = failing(6, now=now), make_policy(now=now).sources.get()
    sent = due_sources(now=now)
    assert sent == [well.pk, bad[0].pk, bad[1].pk]
    Source.objects.claim(pk=bad[0].pk, now=now, lease=timedelta(minutes=5))
    assert due_sources(now=now) == [well.pk, bad[1].pk]
    Source.objects.claim(pk=bad[1].pk, now=now, lease=timedelta(minutes=5))
    assert due_sources(now=now) == [well.pk]


def test_a_failing_source_whose_worker_died_is_sent_again(
    now: datetime, settings: Settings
) -> None:
    settings.CELERY_WORKER_CONCURRENCY = 1
    (source,) = failing(1, now=now)
    Source.objects.claim(pk=source.pk, now=now, lease=timedelta(minutes=5))
    assert due_sources(now=now) == []
    dead = f"{socket.gethostname()}|1|0@00000000|token"
    Source.objects.filter(pk=source.pk).update(claimed_by=dead)
    assert due_sources(now=now) == [source.pk]
