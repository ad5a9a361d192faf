"""Snapshots: what each holds, and the way back to an earlier one."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from policies.admin.base import Button, Overview, Panel, ReadOnlyAdmin, actor_of
from policies.admin.compilations import (
    cuts_table,
    gained,
    lost,
    manifest_table,
    numbers_table,
    standing,
)
from policies.admin.months import MonthFilter
from policies.admin.story import facts_table, with_note
from policies.models import Feed, Snapshot
from policies.services import Refused, return_to_snapshot
from policies.store import feed_path
from policies.tasks import nudge
from policies.words import addresses, ago, count, link, table

LINES_SHOWN = 3
LONGEST_LINE = 50


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = (
        "name", "policy_link", "created_at", "entries_shown", "gained", "lost", "cut", "is_current",
    )  # fmt: skip
    list_filter = ("created_at", ("created_at", MonthFilter))
    list_select_related = ("policy",)
    search_fields = ("policy__name", "=number", "=block_digest", "=allow_digest")
    search_help_text = "Policy, number or digest"
    ordering = ("-created_at", "-id")
    fieldsets = (
        (
            "Digests",
            {
                "fields": ("block_digest", "allow_digest", "empty_list_address"),
                "description": "SHA-256 of the compiled sets: equal digests are equal lists.",
            },
        ),
    )

    def overview(self, row: Snapshot, request: HttpRequest) -> Overview:
        """Return its numbers, what was cut, what it was compiled from and its feeds."""
        return Overview(
            headline=self.is_current(row),
            sentence=row.note,
            buttons=self._buttons(row, request),
            top=(
                Panel("What it is", _facts(row, now=timezone.now()), name="facts", is_half=True),
                Panel("Compiled from", manifest_table(row), name="manifest"),
            ),
            bottom=(
                Panel("Taken out of the block list", cuts_table(row), name="cuts", is_half=True),
                Panel("Feeds", feeds_of(row), name="feeds", is_half=True),
            ),
        )

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, and the way back to a snapshot."""
        view = self.admin_site.admin_view(self.return_view)
        back = path("<int:pk>/return/", view, name="policies_snapshot_return")
        return [back, *super().get_urls()]

    def return_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, then publish the snapshot's lists again; a refusal is a message on its page."""
        snapshot = self.get_object(request, str(pk))
        may_look = self.has_view_permission(request, snapshot)
        if not may_look or not request.user.has_perm("policies.change_policy"):
            raise PermissionDenied
        if snapshot is None:
            raise Http404(f"There is no snapshot {pk}.")
        if request.method != "POST":
            return self._asked(request, snapshot)
        actor, now = actor_of(request), timezone.now()
        try:
            report = return_to_snapshot(snapshot=snapshot, actor=actor, now=now)
        except Refused as refused:
            messages.error(request, str(refused))
            return HttpResponseRedirect(reverse("admin:policies_snapshot_change", args=[pk]))
        nudge()
        done = "its lists are in force again" if report else "a worker publishes it within seconds"
        messages.success(
            request,
            f"{snapshot.policy}: returned to snapshot {snapshot.number}; {done}. The policy stays "
            f"there until it is released.",
        )
        policy_page = reverse("admin:policies_policy_change", args=[snapshot.policy_id])
        return HttpResponseRedirect(policy_page)

    def _asked(self, request: HttpRequest, snapshot: Snapshot) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Return to snapshot {snapshot.number} of {snapshot.policy}?",
            "opts": self.opts,
            "snapshot": snapshot,
            "current": snapshot.policy.current,
            "numbers": numbers_table(snapshot),
        }
        return TemplateResponse(request, "console/return.html", context)

    def _buttons(self, snapshot: Snapshot, request: HttpRequest) -> list[Button]:
        policy = snapshot.policy
        may = request.user.has_perm("policies.change_policy")
        if not may or policy.pinned_id == snapshot.pk:
            return []
        is_current = policy.current_id == snapshot.pk
        label = "Keep this snapshot" if is_current else "Return to this snapshot"
        url = reverse("admin:policies_snapshot_return", args=[snapshot.pk])
        return [Button(label, url, "push_pin" if is_current else "undo")]

    @display(description="snapshot", ordering="number")
    def name(self, snapshot: Snapshot) -> str:
        """Return its number."""
        return f"#{snapshot.number}"

    @display(description="policy", ordering="policy__name")
    def policy_link(self, snapshot: Snapshot) -> SafeString:
        """Return its policy."""
        return link(snapshot.policy)

    @display(description="entries", ordering="entries")
    def entries_shown(self, snapshot: Snapshot) -> str:
        """Return how many entries it has."""
        return count(snapshot.entries)

    @display(description="gained")
    def gained(self, snapshot: Snapshot) -> str:
        """Return the addresses it blocks that the one before did not."""
        return gained(snapshot)

    @display(description="lost")
    def lost(self, snapshot: Snapshot) -> str:
        """Return the addresses the one before blocked."""
        return lost(snapshot)

    @display(description="cut for")
    def cut(self, snapshot: Snapshot) -> str:
        """Return why addresses were taken out."""
        return ", ".join(str(reason) for reason, number in snapshot.cuts if number)

    @display(description="in force")
    def is_current(self, snapshot: Snapshot) -> SafeString:
        """Return whether it is its policy's current one, or the one it is pinned to."""
        return standing(snapshot.policy, snapshot)


def _facts(snapshot: Snapshot, *, now: datetime) -> SafeString:
    numbers = snapshot.numbers
    moment = f"{snapshot.created_at:%Y-%m-%d %H:%M:%S} UTC"
    return facts_table(
        [
            ("Policy", link(snapshot.policy)),
            ("Made", format_html("{}, {}", ago(snapshot.created_at, now=now), moment)),
            ("Entries", count(snapshot.entries)),
            ("Blocks", addresses(numbers["block"])),
            ("Allows", addresses(numbers["allow"])),
            ("Gained", gained(snapshot)),
            ("Lost", lost(snapshot)),
        ]
    )


def feeds_of(snapshot: Snapshot) -> SafeString:
    """Return the files that firewalls are given, and how each begins."""
    return table(
        ("Feed", "Lines", "Bytes", "Compressed", "First lines"),
        (
            (
                with_note(
                    f"{feed.list}.{feed.format}", format_html("MD5 <code>{}</code>", feed.md5)
                ),
                count(feed.lines),
                count(feed.size),
                count(feed.gzip_size),
                format_html_join(" ", "<code>{}</code>", ((line,) for line in _first_lines(feed))),
            )
            for feed in snapshot.feeds.order_by("-list", "id")
        ),
        empty="Its files are no longer kept.",
    )


def _first_lines(feed: Feed) -> list[str]:
    """Return how a feed begins; what is wrong where it cannot be read."""
    try:
        with feed_path(feed.digest, ".txt").open("rb") as file:
            head = file.read(LINES_SHOWN * LONGEST_LINE)
    except OSError as error:
        return [f"cannot be read: {error.strerror}"]
    return head.decode("ascii", "replace").splitlines()[:LINES_SHOWN]
