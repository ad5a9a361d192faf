"""What firewalls dropped and let through: the questions that reports ask of events.

All times are aware; a filter's `devices` are primary keys, its lists names of sources. Each answer
is bounded in time and memory; a question that cannot be answered raises `ReportRefused`, whose
sentence says why and what to change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from logs.events.filters import Bucket, By, Connections, Filter, Place, Summary, SummaryRow
from logs.events.questions import Group, Questions
from logs.events.text import connection_of, key_text
from logs.events.where import Asked
from logs.models.event import NO_LIST
from logs.reports.event_files import ReportRefused, asking
from logs.reports.hit_hours import is_answered_by_hours, timeline_of_hours
from logs.reports.lines import RawLine, line_of
from logs.reports.places_known import VARIABLES, places_table
from policies.models import Source

__all__ = [
    "Place",
    "RawLine",
    "ReportRefused",
    "Totals",
    "connections",
    "line_of",
    "summary",
    "timeline",
    "totals",
]

BUCKETS_MOST = 3000
ROWS_MOST = 10_000
SKIP_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Totals:
    """Connections, and how many different hosts they are of."""

    inbound: int
    outbound: int
    insides: int
    outsides: int
    is_estimate: bool = False  # of the hosts, where there are very many connections


def totals(chosen: Filter) -> Totals:
    """Return how many connections there are, and of how many hosts. Raises ReportRefused."""
    with _asking(chosen) as (questions, asked):
        found = questions.counts(asked)
    return Totals(found.inbound, found.outbound, found.insides, found.outsides, found.is_estimate)


def timeline(chosen: Filter, *, step: timedelta) -> tuple[Bucket, ...]:
    """Return what each step from `since` until `until` counts, empty ones too.

    Of whole hours that are not asked for by host or port, rows tell, and no file is opened, unless
    for the name of a list that is gone. Raises ReportRefused, also where there are more than
    BUCKETS_MOST of them.
    """
    if step <= timedelta(0):
        raise ReportRefused("A timeline needs a step that is longer than nothing.")
    number = -(-(chosen.until - chosen.since) // step)
    if number > BUCKETS_MOST:
        raise ReportRefused(
            f"A timeline of {number:,} steps cannot be seen: take a longer step or a shorter time."
        )
    if is_answered_by_hours(chosen, step=step):
        found = timeline_of_hours(
            chosen, _list_ids(chosen, partial(_lists_named, chosen)), step=step
        )
    else:
        with _asking(chosen) as (questions, asked):
            found = questions.timeline(asked, step=step)
    return tuple(
        Bucket(chosen.since + place * step, *found.get(place, (0, 0))) for place in range(number)
    )


def summary(chosen: Filter, by: By, *, most: int = 50) -> Summary:
    """Return the `most` largest rows of a summary, and the totals. Raises ReportRefused."""
    most = _bounded("rows", most, ROWS_MOST)
    table = places_table(by) if by in VARIABLES else None
    with _asking(chosen) as (questions, asked):
        if table is not None:
            found = questions.placed(asked, table, most=most)
        else:
            found = questions.groups(asked, by, most=most)
        names = _names(questions, found.rows) if by == By.LIST else {}
    rows = tuple(_row(group, by, names) for group in found.rows)
    return Summary(rows, found.total_rows, found.total_connections, found.is_estimate)


def connections(
    chosen: Filter,
    *,
    most: int,
    skip: int = 0,
    before: Place | None = None,
    total: int | None = None,
) -> Connections:
    """Return connections, the newest first, and how many the filter has in all.

    A later page is asked for by what stands last on the one before (`Connection.place`), which
    costs the same however far it is; or by how many to skip. A `total` that is known from an
    earlier page is not counted again. Raises ReportRefused.
    """
    most, skip = _bounded("rows", most, ROWS_MOST), _bounded("skipped rows", skip, SKIP_MOST)
    with _asking(chosen) as (questions, asked):
        total = questions.count(asked) if total is None else total
        rows = questions.events(asked, most=most, skip=skip, before=before)
    return Connections(tuple(map(connection_of, rows)), total)


@contextmanager
def _asking(chosen: Filter) -> Iterator[tuple[Questions, Asked]]:
    """Give the events files of a filter's time, ready to be asked. Raises ReportRefused."""
    if chosen.until < chosen.since:
        raise ReportRefused("The time ends before it begins: swap its ends.")
    with asking(chosen.since, chosen.until) as questions:
        yield questions, Asked(chosen, _list_ids(chosen, questions.lists_named))


def _list_ids(
    chosen: Filter, named: Callable[[Iterable[str]], frozenset[int]]
) -> frozenset[int] | None:
    """Return the sources that a filter is about, None for all, and what no list holds too.

    Of a name that no source has today, `named` tells the lists that are gone; how severe they were
    nobody knows any more.
    """
    if not chosen.lists and chosen.severity_least <= 1:
        return None
    if not chosen.lists:
        severe = Source.objects.filter(severity__gte=chosen.severity_least).order_by("pk")
        return frozenset(severe.values_list("pk", flat=True))
    called = Source.objects.filter(name__in=chosen.lists).order_by("pk")
    rows = list(called.values_list("pk", "name", "severity"))
    gone = set(chosen.lists) - {name for _, name, _ in rows}
    found = {pk for pk, _, severity in rows if severity >= chosen.severity_least}
    if gone and chosen.severity_least <= 1:
        ids = named(gone)
        there = Source.objects.filter(pk__in=ids).order_by("pk").values_list("pk", flat=True)
        found |= ids - set(there)
    return frozenset(found)


def _lists_named(chosen: Filter, names: Iterable[str]) -> frozenset[int]:
    with asking(chosen.since, chosen.until) as questions:
        return questions.lists_named(names)


def _names(questions: Questions, groups: Sequence[Group]) -> dict[int, str]:
    """Return the names of lists: today's, and of those that are gone the last one."""
    ids = [group.key[0] for group in groups if group.key[0] != NO_LIST]
    names = dict(Source.objects.filter(pk__in=ids).order_by("pk").values_list("pk", "name"))
    return questions.list_names([key for key in ids if key not in names]) | names


def _row(group: Group, by: By, names: Mapping[int, str]) -> SummaryRow:
    key = names.get(group.key[0], "") if by == By.LIST else key_text(by, group.key)
    return SummaryRow(
        key, group.connections, group.insides, group.outsides, group.first_at, group.last_at
    )


def _bounded(what: str, number: int, most: int) -> int:
    if not 0 <= number <= most:
        raise ReportRefused(f"{number:,} {what} are too many: ask for {most:,} at most.")
    return number
