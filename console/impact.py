"""What sources and allow entries did to real connections, for their pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from console.hits import MAY_SEE
from devices.reports.visible import device_ids
from logs.reports.hits import ReportRefused
from logs.reports.impact import EntryImpact, entry_impacts, source_impact
from policies.models import Snapshot, Source
from policies.reports.effects import EntryEffect
from policies.reports.worth import Among
from policies.store import map_set


@dataclass(frozen=True, slots=True)
class EffectRow:
    """An allow entry, what it cut, and what it let through."""

    told: EntryEffect
    impact: EntryImpact | None  # None: not looked at
    url: str  # of the connections


def source_context(
    request: HttpRequest, source: Source, *, among: Among, now: datetime
) -> dict[str, Any]:
    """Return what the page of a source's worth says of 30 days; {} for who may not see reports."""
    if not request.user.has_perm(MAY_SEE):
        return {}
    devices = device_ids(request.user)
    try:
        impact = source_impact(source, among=among, devices=devices, now=now)
    except ReportRefused as refused:
        return {"impact_trouble": str(refused)}
    query = urlencode({"last": "30d", "list": source.name})
    return {"impact": impact, "impact_url": f"{reverse('console:report')}?{query}"}


def effects_context(
    request: HttpRequest, snapshot: Snapshot, rows: Sequence[EntryEffect], *, now: datetime
) -> dict[str, Any]:
    """Return the rows of the page of effects, each with what its entry let through in 30 days.

    Raises OSError and ValueError where the file of the snapshot is lost.
    """
    if not request.user.has_perm(MAY_SEE):
        return {"rows": [EffectRow(row, None, "") for row in rows]}
    cutting = [row.span for row in rows if row.effect.blocks]
    try:
        found = entry_impacts(
            snapshot.policy,
            cutting,
            before=map_set(snapshot.before_digest),
            devices=device_ids(request.user),
            now=now,
        )
    except ReportRefused as refused:
        plain = [EffectRow(row, None, "") for row in rows]
        return {"rows": plain, "impact_trouble": str(refused)}
    shown = [EffectRow(row, found.entries.get(row.span), _url(row)) for row in rows]
    return {"rows": shown, "has_impact": True, "left_out": found.left_out}


def _url(row: EntryEffect) -> str:
    words = [("last", "30d"), ("outside", str(row.span)), ("action", "allowed,monitored")]
    return f"{reverse('console:report-connections')}?{urlencode(words)}"
