"""How wide the bars of a timeline are."""

from __future__ import annotations

from datetime import timedelta

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STEPS = (_MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 6 * _HOUR, _DAY, 7 * _DAY, 28 * _DAY)
MOST_STEPS = 192


def step_of(span: timedelta) -> timedelta:
    """Return the shortest step that a span has no more than `MOST_STEPS` of."""
    return next((step for step in STEPS if span <= step * MOST_STEPS), STEPS[-1])
