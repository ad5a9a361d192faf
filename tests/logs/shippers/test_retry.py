"""A batch that did not arrive is tried again, ever later, and at different moments."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from logs.shippers.retry import MOST, MOST_ASKED, next_attempt

NOW = datetime.fromisoformat("2026-11-21T12:00:00+00:00")


@pytest.mark.parametrize(
    ("attempts", "latest"), [(1, 60), (2, 120), (3, 240), (6, 1920), (7, 3600), (500, 3600)]
)
def test_the_wait_lies_between_30_s_and_a_ceiling_that_doubles(attempts: int, latest: int) -> None:
    earliest = next_attempt(attempts, now=NOW, jitter=0.0)
    assert earliest - NOW == timedelta(seconds=30)
    assert next_attempt(attempts, now=NOW, jitter=1.0) - NOW == timedelta(seconds=latest)


def test_those_that_failed_together_come_back_apart() -> None:
    moments = {next_attempt(5, now=NOW, jitter=number / 100) for number in range(100)}
    assert len(moments) == 100


def test_a_wait_that_was_asked_for_is_kept_up_to_a_day() -> None:
    def wait(asked: float) -> timedelta:
        return next_attempt(1, now=NOW, jitter=0.0, retry_after=asked) - NOW

    assert wait(7200) == timedelta(hours=2)
    assert wait(1) == timedelta(seconds=30)
    assert wait(10**8) == MOST_ASKED


@given(
    st.integers(0, 10**9), st.floats(0, 1), st.none() | st.floats(allow_nan=False, max_value=1e12)
)
def test_there_is_always_a_next_attempt(
    attempts: int, jitter: float, retry_after: float | None
) -> None:
    at = next_attempt(attempts, now=NOW, jitter=jitter, retry_after=retry_after)
    assert timedelta(seconds=30) <= at - NOW <= max(MOST, MOST_ASKED)
