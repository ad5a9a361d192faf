"""What the pages of devices, policies, sources and snapshots tell alike: alarms and changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from policies.admin.base import Panel
from policies.models import Alarm, Change
from policies.visible import visible
from policies.words import ago, link, shortened, table, word

ALARMS_SHOWN = 5
CHANGES_SHOWN = 5


def facts_table(facts: Iterable[tuple[str, object]]) -> SafeString:
    """Return facts by their names, a line each."""
    row = '<tr><th scope="row">{}</th><td>{}</td></tr>'
    return format_html(
        '<table class="rows facts"><tbody>{}</tbody></table>', format_html_join("", row, facts)
    )


def with_note(said: object, note: object) -> SafeString:
    """Return what a fact says, and below it what there is to add; nothing for an empty note."""
    return format_html('{}<p class="quiet">{}</p>', said, note) if note else format_html("{}", said)


def alarms_panels(
    subjects: Sequence[str], request: HttpRequest, *, now: datetime
) -> tuple[Panel, ...]:
    """Return the open alarms of what a page is about; () where there is none to be seen."""
    if not request.user.has_perm("policies.view_alarm"):
        return ()
    rows = Alarm.objects.filter(subject__in=subjects, closed_at=None).order_by("-opened_at", "-id")
    shown = list(visible(rows, request.user)[: ALARMS_SHOWN + 1])
    if not shown:
        return ()
    body = table(
        ("Since", "Alarm", "Of", "What to know"),
        (
            (
                ago(one.opened_at, now=now),
                word(one.kind_word.tone, one.kind_word.label),
                link(one, one.subject),
                shortened(one.message, most=240),
            )
            for one in shown[:ALARMS_SHOWN]
        ),
        empty="",
    )
    more = "" if len(shown) <= ALARMS_SHOWN else _all(Alarm, {"open": "yes", "q": subjects[0]})
    return (Panel("Alarms", body, tone="danger", name="alarms", more=more),)


def changes_panels(subject: str, request: HttpRequest, *, now: datetime) -> tuple[Panel, ...]:
    """Return who changed a row last, and what; () for who may not see the record."""
    if not request.user.has_perm("policies.view_change"):
        return ()
    rows = Change.objects.filter(subject=subject).order_by("-at", "-id")
    shown = visible(rows, request.user)[:CHANGES_SHOWN]
    body = table(
        ("When", "Who", "What", "Settings"),
        (
            (
                ago(one.at, now=now),
                one.actor,
                link(one, one.verb),
                shortened(", ".join(one.detail), most=80),
            )
            for one in shown
        ),
        empty="Nobody has changed it.",
    )
    more = _all(Change, {"q": subject})
    return (Panel("Recent changes", body, name="changes", is_half=True, more=more),)


def _all(model: type[Alarm | Change], query: dict[str, str]) -> SafeString:
    meta = model._meta  # noqa: SLF001  Django documents _meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    return format_html('<a href="{}?{}">All of them</a>', url, urlencode(query))
