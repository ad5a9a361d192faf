"""Numbers without a batch, as people read them."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from logs.models import Batch, Spool
from logs.reports.gaps import Gap, gaps_of, with_gaps
from logs.reports.ledger import ledger_of
from tests.factories import make_device, make_policy
from tests.logs.rows import make_batch, make_spool

pytestmark = pytest.mark.django_db


@pytest.fixture
def spool(now: datetime) -> Spool:
    return make_spool(make_device(policy=make_policy(now=now), now=now), now=now)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.sets(st.integers(1, 30)), pruned=st.integers(0, 10))
def test_gaps_are_the_numbers_between_that_nobody_has(
    numbers: set[int], pruned: int, spool: Spool, now: datetime
) -> None:
    Batch.objects.filter(spool=spool).delete()
    spool.pruned_number = pruned
    spool.save()
    there = {number for number in numbers if number > pruned}
    for number in there:
        make_batch(spool, number, 1, at=now)
    missing = set(range(pruned + 1, max(there, default=pruned))) - there
    found = gaps_of(spool)
    assert {n for gap in found for n in range(gap.first, gap.last + 1)} == missing
    assert [gap.last for gap in found] == sorted((gap.last for gap in found), reverse=True)
    assert ledger_of(spool.device).batches_missing == len(missing)


def test_gaps_are_bounded_and_the_newest_are_told(spool: Spool, now: datetime) -> None:
    for number in range(2, 20, 2):
        make_batch(spool, number, 1, at=now)
    assert gaps_of(spool, most=2) == [Gap(17, 17), Gap(15, 15)]


def test_gaps_older_than_the_batches_shown_are_left_out(spool: Spool, now: datetime) -> None:
    batches = [make_batch(spool, number, 1, at=now) for number in (9, 6)]
    rows = with_gaps(batches, [Gap(7, 8), Gap(4, 5)])
    assert rows == [batches[0], Gap(7, 8), batches[1]]


def test_a_gap_is_said_in_numbers() -> None:
    assert (str(Gap(3, 3)), str(Gap(3, 1_004))) == ("3", "3 to 1,004")
