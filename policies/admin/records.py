"""What happened: retrievals, read only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from policies.admin.base import Overview, Panel, ReadOnlyAdmin
from policies.admin.months import MonthFilter
from policies.models import Retrieval, Source
from policies.words import addresses, count, link, shortened, table, word


@admin.register(Retrieval)
class RetrievalAdmin(ReadOnlyAdmin):
    list_display = (
        "started_at", "source_link", "outcome_shown", "entries_shown", "gained", "lost", "rejects",
        "took", "error_line",
    )  # fmt: skip
    list_filter = ("outcome", "source__kind", "started_at", ("started_at", MonthFilter))
    search_fields = ("source__name", "error", "server")
    search_help_text = "Source, error or server"
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
        sources = Prefetch("source", Source.objects.defer("settings"))
        return retrievals.prefetch_related(sources)

    def overview(self, row: Retrieval, request: HttpRequest) -> Overview:  # noqa: ARG002
        """Return what was skipped, and the first few of it."""
        skipped = table(
            ("Because", "Entries"),
            ((reason, count(number)) for reason, number in row.skipped),
            empty="Nothing was skipped.",
        )
        samples = table(("",), ((sample,) for sample in row.samples), empty="None were kept.")
        bottom = [Panel("Skipped entries", skipped)]
        if row.skipped:
            bottom.append(Panel("The first few that were skipped", samples))
        return Overview(
            headline=word(row.outcome_word.tone, row.outcome_word.label),
            sentence=row.error,
            bottom=bottom,
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
