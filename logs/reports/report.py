"""A whole report: totals, a timeline and summaries, with the question in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from devices.models import Device
from logs.events.filters import Bucket, By, Direction, Filter, Summary
from logs.reports import hits
from logs.reports.asked import ACTIONS, Asked
from logs.reports.event_files import one_report
from logs.reports.steps import step_of

ROWS = 20  # of each summary
HEADINGS = {
    By.HOUR: "Hour (UTC)",
    By.DAY: "Day (UTC)",
    By.DEVICE: "Device",
    By.LIST: "List",
    By.OUTSIDE: "Outside address",
    By.INSIDE: "Inside host",
    By.PORT: "Port",
    By.DIRECTION: "Direction",
    By.COUNTRY: "Country",
    By.NETWORK: "Network",
}
DIRECTIONS = {Direction.IN: "inbound", Direction.OUT: "outbound"}
WORDS = {action: word for word, action in ACTIONS.items()}
_SHOWN = 8  # names and prefixes in a sentence


@dataclass(frozen=True, slots=True)
class Part:
    """One summary of a report, or why there is none."""

    by: By
    summary: Summary | None
    trouble: str = ""

    @property
    def heading(self) -> str:
        """What its rows are."""
        return HEADINGS[self.by]


@dataclass(frozen=True, slots=True)
class Report:
    """What a question is answered with."""

    asked: Asked
    totals: hits.Totals
    step: timedelta
    timeline: tuple[Bucket, ...]
    parts: tuple[Part, ...]

    @property
    def connections(self) -> int:
        """How many connections it is about."""
        return self.totals.inbound + self.totals.outbound


def report_of(asked: Asked, *, rows: int = ROWS) -> Report:
    """Answer a question with at most `rows` rows a summary. Raises hits.ReportRefused."""
    wanted = asked.filter
    step = step_of(wanted.until - wanted.since)
    with one_report():
        return Report(
            asked=asked,
            totals=hits.totals(wanted),
            step=step,
            timeline=hits.timeline(wanted, step=step),
            parts=tuple(_part(wanted, by, rows) for by in asked.by),
        )


def words_of(asked: Asked) -> tuple[tuple[str, str], ...]:
    """Return what a report is narrowed to, label by label, the time first."""
    return (("Time", asked.span_text), *_narrowed(asked.filter))


def device_names(pks: Iterable[int]) -> dict[int, str]:
    """Return the names of devices by primary key; one that is gone has none."""
    rows = Device.objects.filter(pk__in=set(pks)).order_by("pk")
    return dict(rows.values_list("pk", "nickname"))


def summary_of(wanted: Filter, by: By, *, most: int) -> Summary:
    """Return a summary whose keys are as a question takes them. Raises hits.ReportRefused."""
    found = hits.summary(wanted, by, most=most)
    if by != By.DEVICE:
        return found
    names = device_names(int(row.key) for row in found.rows)
    rows = (replace(row, key=names.get(int(row.key), "")) for row in found.rows)
    return replace(found, rows=tuple(rows))


def _part(wanted: Filter, by: By, rows: int) -> Part:
    try:
        return Part(by, summary_of(wanted, by, most=rows))
    except hits.ReportRefused as refused:  # one of many: the others are still worth having
        return Part(by, None, str(refused))


def _narrowed(wanted: Filter) -> Iterator[tuple[str, str]]:
    yield "What became of it", ", ".join(WORDS[one] for one in wanted.actions)
    if wanted.direction is not None:
        yield "Direction", DIRECTIONS[wanted.direction]
    if wanted.devices is not None:
        rows = Device.objects.filter(pk__in=wanted.devices).order_by("nickname", "id")
        yield "Devices", _few([str(device) for device in rows]) or "none"
    for label, some in (("Inside", wanted.inside), ("Outside", wanted.outside)):
        if some:
            yield label, _few([_network_text(str(one)) for one in some])
    for label, ports in (("Ports", wanted.ports), ("Ports but not", wanted.except_ports)):
        if ports:
            texts = (
                f"{one.first}" if one.first == one.last else f"{one.first}-{one.last}"
                for one in ports
            )
            yield label, _few(list(texts))
    if wanted.lists:
        yield "Lists", _few([name or "none" for name in wanted.lists])
    if wanted.severity_least > 1:
        yield "Severity", f"{wanted.severity_least} or more"


def _network_text(text: str) -> str:
    """Return a single address without the length of its prefix."""
    return text.removesuffix("/128") if ":" in text else text.removesuffix("/32")


def _few(texts: list[str]) -> str:
    more = len(texts) - _SHOWN
    return ", ".join(texts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
