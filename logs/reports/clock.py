"""Whether the clock can be trusted with what is deleted by age."""

from __future__ import annotations

from datetime import datetime, timedelta

from logs.models import Batch
from policies.models import Clock

SETTLED = timedelta(days=1)  # so long somebody may see the alarm and set the clock right
_STEP = timedelta(hours=1)
_LOOKED_AT = timedelta(minutes=15)
_LATELY = timedelta(days=7)


def is_clock_settled(*, now: datetime) -> bool:
    """Tell whether `now` has gone on for a day from what this appliance saw before.

    A clock that was set far ahead would make everything old at once. So it must not have been set
    ahead within a day, and more than a day before either this machine was looked at and has been
    ever since, or a batch was closed not long ago.
    """
    # An end of the time too: a step that was seen by a clock years ahead is not for ever.
    fresh = Clock.objects.filter(stepped_at__gt=now - SETTLED, stepped_at__lte=now)
    if fresh.filter(stepped_seconds__gt=_STEP.total_seconds()).exists():
        return False
    watched = Clock.objects.filter(back_at__lte=now - SETTLED, checked_at__gt=now - _LOOKED_AT)
    lately = Batch.objects.filter(closed_at__gt=now - _LATELY, closed_at__lte=now - SETTLED)
    return watched.exists() or lately.exists()
