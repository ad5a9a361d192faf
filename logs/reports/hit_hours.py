"""Timelines from the sums of hours: they cost the same however many connections there are."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from django.db.models import QuerySet, Sum

from logs.events.filters import Filter
from logs.events.schema import IN, OUT
from logs.events.where import NUMBERS
from logs.models import HitHour

_HOUR = timedelta(hours=1)


def is_answered_by_hours(chosen: Filter, *, step: timedelta) -> bool:
    """Tell whether sums of whole hours say all that a timeline of a filter needs."""
    is_by_host = chosen.inside or chosen.outside or chosen.ports or chosen.except_ports
    ends = (chosen.since, chosen.until)
    return not (is_by_host or step % _HOUR or any(one.minute or one.second for one in ends)) and (
        not any(one.microsecond for one in ends)
    )


def timeline_of_hours(
    chosen: Filter, list_ids: frozenset[int] | None, *, step: timedelta
) -> dict[int, tuple[int, int]]:
    """Return connections in and out by the number of steps from `since` on."""
    found = Counter[tuple[int, int]]()
    rows = _rows(chosen, list_ids).values_list("hour", "direction").order_by()
    for hour, direction, connections in rows.annotate(sum=Sum("connections")):
        found[(hour - chosen.since) // step, direction] += connections
    steps = {number for number, _ in found}
    return {number: (found[number, IN], found[number, OUT]) for number in steps}


def _rows(chosen: Filter, list_ids: frozenset[int] | None) -> QuerySet[HitHour]:
    rows = HitHour.objects.filter(hour__gte=chosen.since, hour__lt=chosen.until)
    actions = [int(action) for action in chosen.actions]
    # Of one action the index has the hours in order, and sums need no sorting.
    rows = rows.filter(action=actions[0]) if len(actions) == 1 else rows.filter(action__in=actions)
    if chosen.devices is not None:
        rows = rows.filter(device__in=chosen.devices)
    if chosen.direction is not None:
        rows = rows.filter(direction=NUMBERS[chosen.direction])
    if list_ids is not None:
        rows = rows.filter(list_id__in=list_ids)
    return rows
