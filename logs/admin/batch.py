from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from logs.admin.parts import PartOfDevice, ledger_url, size, span, whole
from logs.models import Batch, Delivery
from logs.reports.gaps import Gap
from logs.states import BatchState
from policies.admin.base import Button, Overview, Panel
from policies.admin.months import MonthFilter
from policies.words import ago, count, link, shortened, table, word

DELIVERIES_SHOWN = 50
_SENTENCES: dict[BatchState, str] = {
    BatchState.WAITING: "It is uploaded in its turn: of each device one batch after the other.",
    BatchState.UPLOADED: "The log service has it.",
    BatchState.REFUSED: "It stays here until uploads are tried again.",
    BatchState.EXPIRED: "There was no room for it any more; its lines are counted as expired.",
}


@admin.register(Batch)
class BatchAdmin(PartOfDevice):
    list_display = (
        "number", "device_link", "arrived", "lines_shown", "bytes_shown", "state_shown",
        "attempts", "next_try", "error_line",
    )  # fmt: skip
    list_filter = ("state", "closed_at", ("closed_at", MonthFilter))
    search_fields = ("spool__device__nickname", "error")
    search_help_text = "Device or error"
    ordering = ("-closed_at", "-id")
    fieldsets = (
        (None, {"fields": ("number", "device_link", "device_id", "arrived", "closed_at")}),
        ("What it holds", {"fields": ("lines_shown", "bytes_shown", "sha256", "writer")}),
        (
            "What became of it",
            {"fields": ("state_shown", "attempts", "next_try", "uploaded_at", "removed_at")},
        ),
        (
            "What reports know of it",
            {"fields": ("parsed_shown", "events", "no_connection", "unknown")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Batch]:
        """Return the batches; their devices by queries of their own, so that leafing is quick."""
        batches: QuerySet[Batch] = super().get_queryset(request)
        return batches.prefetch_related("spool__device")

    def overview(self, row: Batch, request: HttpRequest) -> Overview:  # noqa: ARG002
        """Return what became of it, why, and each attempt to upload it."""
        state = row.state_word
        tried = row.deliveries.order_by("-at", "-id")[:DELIVERIES_SHOWN]
        return Overview(
            headline=word(state.tone, str(state.label)),
            sentence=f"{row.error} {_what_follows(row)}".strip(),
            buttons=(Button("Ledger", ledger_url(row.spool), "arrow_back"),),
            top=(Panel("Attempts to upload it", deliveries_table(tried, now=timezone.now())),),
        )

    @display(description="device", ordering="spool__device__nickname")
    def device_link(self, batch: Batch) -> SafeString:
        """Return the device."""
        return link(batch.spool.device)

    @display(description="lines arrived (UTC)", ordering="first_at")
    def arrived(self, batch: Batch) -> str:
        """Return when its first and its last line came."""
        return span(batch.first_at, batch.last_at)

    @display(description="lines", ordering="lines")
    def lines_shown(self, batch: Batch) -> str:
        """Return how many lines it holds."""
        return count(batch.lines)

    @display(description="size", ordering="bytes")
    def bytes_shown(self, batch: Batch) -> str:
        """Return how large it is."""
        return size(batch.bytes)

    @display(description="state", ordering="state")
    def state_shown(self, batch: Batch) -> SafeString:
        """Return what became of it, as a word."""
        return state_of(batch)

    @display(description="next try", ordering="due_at")
    def next_try(self, batch: Batch) -> SafeString:
        """Return when it is tried next."""
        return next_try(batch, now=timezone.now())

    @display(description="parsed")
    def parsed_shown(self, batch: Batch) -> str:
        """Return whether it was parsed, or why not."""
        return parsed_of(batch)

    @display(description="error")
    def error_line(self, batch: Batch) -> str:
        """Return the beginning of what went wrong last."""
        return shortened(batch.error)


def parsed_of(batch: Batch) -> str:
    """Return in a sentence whether a batch was parsed, or why not."""
    if batch.parsed_at is not None:
        return f"{batch.parsed_at:%Y-%m-%d %H:%M:%S}, by parsers of version {batch.parsed_version}"
    if batch.removed_at is not None:
        return "never: its lines were removed before. Reports know nothing of them."
    return batch.parse_error or "not yet: that is done within minutes."


def batches_table(rows: Iterable[Batch | Gap], *, now: datetime) -> SafeString:
    """Return batches and the gaps between them, for the page of a ledger."""
    titles = (
        "Number", "Lines arrived (UTC)", "Lines", "Size", "State", "Attempts", "Next try", "Error",
    )  # fmt: skip
    return table(titles, (_cells(row, now=now) for row in rows), empty="No batch was closed yet.")


def _what_follows(batch: Batch) -> str:
    """Return what becomes of a batch, in a sentence."""
    if batch.state_word == BatchState.WAITING and batch.error:
        return "It is tried again by itself, and those behind it wait."
    return _SENTENCES[batch.state_word]


def _cells(row: Batch | Gap, *, now: datetime) -> tuple[object, ...]:
    if isinstance(row, Gap):
        said = "Nobody told of these numbers: their files were gone."
        return (str(row), said, "", "", word("danger", "missing"), "", "", "")
    return (
        link(row, count(row.number)),
        span(row.first_at, row.last_at),
        whole(count(row.lines)),
        whole(size(row.bytes)),
        state_of(row),
        count(row.attempts),
        next_try(row, now=now),
        shortened(row.error),
    )


def deliveries_table(deliveries: Iterable[Delivery], *, now: datetime) -> SafeString:
    """Return the attempts to upload a batch."""
    return table(
        ("When", "Outcome", "Took", "Sent", "Detail"),
        (
            (
                ago(one.at, now=now),
                _outcome_of(one),
                whole(f"{one.seconds:.1f} s"),
                whole(size(one.sent)),
                one.detail,
            )
            for one in deliveries
        ),
        empty="It was not tried yet.",
    )


def _outcome_of(delivery: Delivery) -> SafeString:
    """Return how an attempt ended, as a word, and how often in a row."""
    outcome = delivery.outcome_word
    times = f" {delivery.times:,} times" if delivery.times > 1 else ""
    return word(outcome.tone, f"{outcome.label}{times}")


def state_of(batch: Batch) -> SafeString:
    """Return what became of a batch, as a word."""
    return word(batch.state_word.tone, str(batch.state_word.label))


def next_try(batch: Batch, *, now: datetime) -> SafeString:
    """Return when a batch is tried next: now where it is due."""
    if batch.due_at is not None and batch.due_at <= now:
        return format_html("{}", "now")
    return ago(batch.due_at, now=now, never="\N{EN DASH}")
