"""What pages say of a list kept here, and where its own pages are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from policies.admin.base import Button, Panel
from policies.models import ListRecord, Source
from policies.services.user_list_rules import is_user_list
from policies.sources.user_list import KIND
from policies.words import ago, count, link, shortened, table, word

NEWEST_SHOWN = 5
LISTS_SHOWN = 50


def page_of_list(source: Source) -> str:
    """Return the address of the page with the records of a list."""
    return f"{reverse('admin:policies_listrecord_changelist')}?list={source.pk}"


def list_buttons(source: Source, request: HttpRequest, *, on_list: bool = False) -> list[Button]:
    """Return what a person may do with a list kept here; nothing for another source."""
    if not is_user_list(source):
        return []
    buttons = []
    may_see = request.user.has_perm("policies.view_listrecord")
    if may_see and not on_list:
        buttons.append(Button("All records", page_of_list(source), "list"))
    if request.user.has_perm("policies.add_listrecord"):
        one = f"{reverse('admin:policies_listrecord_add')}?source={source.pk}"
        many = reverse("admin:policies_listrecord_paste", args=[source.pk])
        buttons += [Button("Add one", one, "add"), Button("Paste or upload", many, "upload")]
    if may_see and on_list:
        saved = reverse("admin:policies_listrecord_download", args=[source.pk])
        buttons.append(Button("Download CSV", saved, "download"))
    return buttons


def list_panels(source: Source, *, now: datetime) -> Sequence[Panel]:
    """Return how many records a list kept here has, and the newest; nothing for another source."""
    if not is_user_list(source):
        return ()
    total = source.records.count()
    newest = source.records.order_by("-id")[:NEWEST_SHOWN]
    records = table(
        ("Entry", "Note", "Added", "By", "Expires"),
        (
            (
                link(one),
                shortened(one.note),
                ago(one.added_at, now=now),
                one.added_by,
                expiry(one, now=now),
            )
            for one in newest
        ),
        empty="It holds no record yet. Add one, or paste many.",
    )
    title = f"Records to {source.settings['type']}, the newest of {total:,}" if total else "Records"
    return (Panel(title, records, name="records"),)


def expiry(record: ListRecord, *, now: datetime) -> SafeString:
    """Return when a record leaves the list."""
    if record.expires_at is not None and record.expires_at <= now:
        return word("neutral", "expired")
    return ago(record.expires_at, now=now)


def lists_panel() -> Panel:
    """Return the lists that are kept here, and how many records each has."""
    lists: Iterable[Any] = (
        Source.objects.filter(kind=KIND)
        .annotate(total=Count("records"))
        .order_by("name", "id")[:LISTS_SHOWN]
    )
    rows = [
        (
            format_html('<a class="text-link" href="{}">{}</a>', page_of_list(one), one.name),
            word("danger" if one.settings["type"] == "block" else "success", one.settings["type"]),
            count(one.total),
            word(one.state_word.tone, one.state_word.label),
            link(one, "settings and policies"),
        )
        for one in lists
    ]
    empty = (
        "No list is kept here yet. Make one to block or to allow what no other source knows of, "
        "and let a policy take it."
    )
    return Panel("Lists", table(("List", "To", "Records", "State", ""), rows, empty=empty))
