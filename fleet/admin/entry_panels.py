"""What the page of a device entry tells before its settings."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from fleet.models import Entry, EntryStatus
from fleet.reports.effective import (
    DEFAULT,
    NOT_LAID_DOWN,
    Effective,
    effective_of,
    inherited_by,
)
from fleet.reports.health import status_of
from policies.admin.base import Panel
from policies.admin.story import facts_table
from policies.fields import DecryptionFailed
from policies.words import NOTHING, ago, count, link, said, table, word

_CLOCK_OFF = 5.0  # seconds; more is told in words


def status_panel(entry: Entry, *, now: datetime) -> Panel:
    """Return what the device said of itself last."""
    status = status_of(entry)
    if status is None:
        body = format_html('<p class="quiet">{}</p>', "It has told nothing of itself yet.")
        return Panel("What it says", body, name="status", is_half=True)
    snapshot = NOTHING if status.snapshot_number is None else f"#{status.snapshot_number:,}"
    facts: list[tuple[str, object]] = [
        ("State", status.state or NOTHING),
        ("Version", status.version or NOTHING),
        ("Settings in force", _serials(entry, status)),
        ("Snapshot in force", snapshot),
        ("Last report", ago(status.received_at, now=now)),
        ("Lists retrieved", ago(status.retrieved_at, now=now)),
        ("Logs uploaded", ago(status.uploaded_at, now=now)),
        ("Clock", clock(status)),
    ]
    if status.overrides:
        facts.append(("Set otherwise there", ", ".join(status.overrides)))
    if status.errors:
        facts.append(("Errors", _sentences(status.errors)))
    return Panel("What it says", facts_table(facts), name="status", is_half=True)


def entry_panel(entry: Entry, *, now: datetime) -> Panel:
    """Return what the portal knows of the device, and of its zone."""
    written = ago(entry.written_at, now=now)
    due = word("info", "due") if entry.due_at is not None else ""
    facts: list[tuple[str, object]] = [
        ("Device ID", format_html("<code>{}</code>", entry.device_id)),
        ("Made by", " / ".join(one for one in (entry.manufacturer, entry.model) if one) or NOTHING),
        ("Group", link(entry.group)),
        ("Settings published", format_html("{}, {} {}", count(entry.serial), written, due)),
        ("Added", ago(entry.created_at, now=now)),
    ]
    return Panel("Entry", facts_table(facts), name="entry", is_half=True)


def keys_panel(entry: Entry, *, now: datetime, may_change: bool) -> Panel:
    """Return its keys, without their texts; each that is good can be revoked."""
    rows = []
    for key in entry.keys.all():
        is_good = key.retires_at is None or key.retires_at > now
        state = word("success", "good") if is_good else word("neutral", "retired")
        until = ago(key.retires_at, now=now, never="no end")
        url = reverse("admin:fleet_entry_revoke", args=[entry.pk])
        ask = format_html('<a class="text-link" href="{}?generation={}">Revoke…</a>',
                          url, key.generation) if is_good and may_change else ""  # fmt: skip
        rows.append((key.generation, state, ago(key.created_at, now=now), until, ask))
    body = table(("Key", "State", "Made", "Good until", ""), rows, empty="It has no key.")
    return Panel("Device keys", body, name="keys", is_half=True)


def effective_panel(entry: Entry) -> Panel:
    """Return what is in force for the device, and who says so."""
    try:
        effective = effective_of(entry, inherited_by(entry))
    except DecryptionFailed as error:
        return Panel(
            "In force", format_html('<p class="refused text">{}.</p>', error), name="effective"
        )
    status = status_of(entry)
    overridden = frozenset(status.overrides if status is not None else ())
    policy = effective.policy
    first = ("policy", link(policy) if policy else "its lists", _origin(effective.policy_origin))
    rows = [first, *_rows(effective, overridden)]
    body = table(("Setting", "In force", "Says who"), rows, empty="")
    if effective.not_of_kind:
        names = ", ".join(effective.not_of_kind)
        note = f"Its group also lays down {names}, which a device of this type does without."
        body = format_html('{}<p class="quiet text">{}</p>', body, note)
    return Panel("In force", body, name="effective")


def clock(status: EntryStatus) -> SafeString | str:
    """Return how far the clock of a device is from the portal's."""
    offset = status.clock_offset
    if offset is None:
        return NOTHING
    if abs(offset) <= _CLOCK_OFF:
        return f"{offset:+.1f} s"
    return word("warning", f"{offset:+,.0f} s")


def _serials(entry: Entry, status: EntryStatus) -> SafeString | str:
    if status.serial >= entry.serial:
        return count(status.serial)
    return format_html("{} {}", count(status.serial), word("warning", f"of {entry.serial:,}"))


def _rows(effective: Effective, overridden: frozenset[str]) -> Iterable[tuple[object, ...]]:
    for one in effective.settings:
        value = said(one.value)
        note = word("warning", "set otherwise on the device") if one.name in overridden else ""
        yield one.name, format_html("{} {}", value, note), _origin(effective.said_by(one))


def _origin(origin: str) -> SafeString | str:
    is_quiet = origin in {DEFAULT, NOT_LAID_DOWN}
    return format_html('<span class="quiet">{}</span>', origin) if is_quiet else origin


def _sentences(errors: Iterable[object]) -> SafeString:
    return format_html_join("", "<p>{}</p>", ((one,) for one in errors))
