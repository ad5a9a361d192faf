"""The part of the start page that events tell, ready for its template."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.safestring import SafeString

from console.charts import Bar, bars, timeline_chart
from console.hits import label_of
from console.hits_links import PARAMETERS
from console.overview.activity import Activity, Top, activity_of, report_url
from console.overview.board import Person
from console.overview.spans import Span
from devices.models import Device
from devices.reports.visible import device_ids
from logs.events.filters import By
from logs.models import Spool
from logs.reports.hits import ReportRefused


@dataclass(frozen=True, slots=True)
class TopPanel:
    """A list of the largest, drawn."""

    title: str
    body: SafeString
    url: str  # of the whole report
    total_rows: int


@dataclass(frozen=True, slots=True)
class Trial:
    """How to see a block happen: a device, and the address that its lists are tested with."""

    device: Device
    address: str


_HEADINGS = {By.LIST: "List", By.OUTSIDE: "Address", By.INSIDE: "Address"}


def hits_context(user: Person, span: Span, *, now: datetime) -> dict[str, Any]:
    """Return what the template needs: figures, a chart and lists, or why there are none."""
    devices = device_ids(user)
    try:
        activity = activity_of(span, devices=devices, now=now)
    except ReportRefused as refused:
        return {"span": span, "refused": str(refused)}
    context: dict[str, Any] = {"span": span, "activity": activity, "report": report_url(span)}
    if activity.is_quiet:
        return context | _quiet(user)
    return context | {"chart": _chart(activity), "tops": list(_panels(activity))}


def _chart(activity: Activity) -> SafeString:
    step, label = activity.span.step, f"Dropped connections, last {activity.span.label}"
    return timeline_chart(activity.buckets, step=step, label=label)


def _panels(activity: Activity) -> Iterable[TopPanel]:
    for top in activity.tops:
        body = bars(_bars(top, activity.span), heading=_HEADINGS[top.by])
        yield TopPanel(top.title, body, report_url(activity.span, by=top.by), top.total_rows)


def _bars(top: Top, span: Span) -> Iterable[Bar]:
    for row in top.rows:
        url = report_url(span, **{PARAMETERS[top.by]: row.key}) if row.key else ""
        yield Bar(label_of(row.key, top.by), row.connections, url)


def _quiet(user: Person) -> dict[str, Any]:
    """Return what tells a site that drops nothing from one that no log line reaches."""
    mine = Device.objects.visible_to(user).filter(is_sample=False)
    has_lines = Spool.objects.filter(device__in=mine, received__gt=0).exists()
    first = mine.order_by("nickname", "id").first()
    trial = Trial(first, first.test_address) if first and first.test_address else None
    return {"has_lines": has_lines, "first": first, "trial": trial}
