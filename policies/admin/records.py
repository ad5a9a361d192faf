"""What happened: snapshots, retrievals and changes, read only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from policies.admin.base import Overview, Panel, ReadOnlyAdmin
from policies.models import Change, Retrieval, Snapshot
from policies.words import addresses, count, link, said, shortened, table, word


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = (
        "name", "policy_link", "created_at", "entries_shown", "gained", "lost", "cut", "is_current",
    )  # fmt: skip
    list_filter = ("created_at",)
    list_select_related = ("policy",)
    search_fields = ("policy__name", "=number", "=block_digest", "=allow_digest")
    search_help_text = "Policy, number or digest"
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-id")
    fieldsets = (
        (None, {"fields": ("policy_link", "number", "created_at", "is_current", "entries_shown")}),
        (
            "Digests",
            {
                "fields": ("block_digest", "allow_digest", "empty_list_address"),
                "description": "SHA-256 of the compiled sets: equal digests are equal lists.",
            },
        ),
    )

    def overview(self, row: Snapshot, request: HttpRequest) -> Overview:  # noqa: ARG002
        """Return its numbers, what was cut, what it was compiled from and its feeds."""
        return Overview(
            top=(Panel("Numbers", _numbers(row)),),
            bottom=(
                Panel("Taken out of the block list", _cuts(row)),
                Panel("Compiled from", _manifest(row)),
                Panel("Feeds", _feeds(row)),
            ),
        )

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
        return f"+{addresses(snapshot.numbers['added'])}"

    @display(description="lost")
    def lost(self, snapshot: Snapshot) -> str:
        """Return the addresses the one before blocked."""
        return f"-{addresses(snapshot.numbers['removed'])}"

    @display(description="cut for")
    def cut(self, snapshot: Snapshot) -> str:
        """Return why addresses were taken out."""
        return ", ".join(str(reason) for reason, number in snapshot.cuts if number)

    @display(description="in force")
    def is_current(self, snapshot: Snapshot) -> SafeString:
        """Return whether it is its policy's current one."""
        current = snapshot.policy.current_id == snapshot.pk
        return word("success", "current") if current else word("neutral", "earlier")


def _numbers(snapshot: Snapshot) -> SafeString:
    titles = {
        "block": "Block list",
        "allow": "Allow list",
        "added": "Gained against the one before",
        "removed": "Lost against the one before",
    }
    return table(
        ("", "Addresses", "Prefixes"),
        (
            (title, addresses(snapshot.numbers[key]), count(snapshot.numbers[key]["prefixes"]))
            for key, title in titles.items()
            if key in snapshot.numbers
        ),
        empty="",
    )


def _cuts(snapshot: Snapshot) -> SafeString:
    return table(
        ("Because", "Addresses"),
        ((reason, count(number)) for reason, number in snapshot.cuts if number),
        empty="Nothing had to be taken out.",
    )


def _manifest(snapshot: Snapshot) -> SafeString:
    return table(
        ("List", "As", "Digest"),
        (
            (one["name"], one["role"], format_html("<code>{}</code>", one["digest"]))
            for one in snapshot.sources
        ),
        empty="",
    )


def _feeds(snapshot: Snapshot) -> SafeString:
    return table(
        ("Feed", "Lines", "Bytes", "Compressed", "MD5"),
        (
            (
                f"{feed.list}.{feed.format}",
                count(feed.lines),
                count(feed.size),
                count(feed.gzip_size),
                format_html("<code>{}</code>", feed.md5),
            )
            for feed in snapshot.feeds.order_by("-list", "id")
        ),
        empty="Its files are no longer kept.",
    )


@admin.register(Retrieval)
class RetrievalAdmin(ReadOnlyAdmin):
    list_display = (
        "started_at", "source_link", "outcome_shown", "entries_shown", "gained", "lost", "rejects",
        "took", "error_line",
    )  # fmt: skip
    list_filter = ("outcome", "source__kind", "started_at")
    list_select_related = ("source",)
    search_fields = ("source__name", "error", "server")
    search_help_text = "Source, error or server"
    date_hierarchy = "started_at"
    ordering = ("-started_at", "-id")
    fieldsets = (
        (None, {"fields": ("source_link", "outcome_shown", "error_shown", "server")}),
        (
            "Numbers",
            {"fields": ("entries_shown", "prefixes_shown", "gained", "lost", "host_bits_cleared")},
        ),
        ("Times", {"fields": ("started_at", "finished_at", "took")}),
        ("List", {"fields": ("list_digest",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Retrieval]:
        """Return the retrievals without their sources' settings: these may be long."""
        retrievals: QuerySet[Retrieval] = super().get_queryset(request)
        return retrievals.defer("source__settings")

    def overview(self, row: Retrieval, request: HttpRequest) -> Overview:  # noqa: ARG002
        """Return what was skipped."""
        skipped = table(
            ("Because", "Entries"),
            ((reason, count(number)) for reason, number in row.skipped),
            empty="Nothing was skipped.",
        )
        return Overview(
            headline=word(row.outcome_word.tone, row.outcome_word.label),
            sentence=row.error,
            bottom=(Panel("Skipped entries", skipped),),
        )

    @display(description="source", ordering="source__name")
    def source_link(self, retrieval: Retrieval) -> SafeString:
        """Return the source."""
        return link(retrieval.source)

    @display(description="outcome", ordering="outcome")
    def outcome_shown(self, retrieval: Retrieval) -> SafeString:
        """Return the outcome as a word."""
        return word(retrieval.outcome_word.tone, retrieval.outcome_word.label)

    @display(description="entries", ordering="entries")
    def entries_shown(self, retrieval: Retrieval) -> str:
        """Return how many entries came."""
        return count(retrieval.entries)

    @display(description="prefixes", ordering="prefixes")
    def prefixes_shown(self, retrieval: Retrieval) -> str:
        """Return how many prefixes they make."""
        return count(retrieval.prefixes)

    @display(description="gained")
    def gained(self, retrieval: Retrieval) -> str:
        """Return the addresses the list gained."""
        return _huge(retrieval.added)

    @display(description="lost")
    def lost(self, retrieval: Retrieval) -> str:
        """Return the addresses the list lost."""
        return _huge(retrieval.removed)

    @display(description="skipped")
    def rejects(self, retrieval: Retrieval) -> str:
        """Return what was skipped, by reason."""
        return ", ".join(f"{number:,} {reason}" for reason, number in retrieval.skipped)

    @display(description="took")
    def took(self, retrieval: Retrieval) -> str:
        """Return how long it took."""
        return f"{retrieval.seconds:.1f} s"

    @display(description="error")
    def error_line(self, retrieval: Retrieval) -> str:
        """Return the beginning of the error."""
        return shortened(retrieval.error)

    @display(description="error")
    def error_shown(self, retrieval: Retrieval) -> str:
        """Return the whole error."""
        return retrieval.error or "none"


def _huge(number: int) -> str:
    return addresses({"addresses6": number}).partition(", ")[2].removesuffix(" IPv6")


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "verb", "subject", "what")
    list_filter = ("verb", "at")
    search_fields = ("actor", "verb", "subject")
    search_help_text = "Who, what was done, to what"
    date_hierarchy = "at"
    ordering = ("-at", "-id")
    fieldsets = ((None, {"fields": ("at", "actor", "verb", "subject")}),)

    def overview(self, row: Change, request: HttpRequest) -> Overview:  # noqa: ARG002
        """Return every setting that changed."""
        settings = table(
            ("Setting", "Before", "After"),
            ((name, said(before), said(after)) for name, (before, after) in row.detail.items()),
            empty="No setting changed.",
        )
        return Overview(bottom=(Panel("Settings", settings),))

    @display(description="settings")
    def what(self, change: Change) -> str:
        """Return the names of what changed."""
        return shortened(", ".join(change.detail))
