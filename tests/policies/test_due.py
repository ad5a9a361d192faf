"""What is due is found, also after the clock was set back."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from policies.models import Policy, Source
from policies.services import Refused, create_source, retrieve_source
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
