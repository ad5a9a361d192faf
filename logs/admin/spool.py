from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.views import ChangeList

from devices.models import Device
from logs.admin.batch import batches_table
from logs.admin.parts import PartOfDevice, size
from logs.models import Batch, Spool
from logs.reports.gaps import gaps_of, with_gaps
from logs.reports.ledger import Ledger, ledger_of, ledgers
from logs.reports.uploads import TROUBLED, Uploads, uploads_of
from policies.admin.base import Button, Overview, Panel
from policies.words import ago, count, table, word

BATCHES_SHOWN = 50
GAPS_SHOWN = 10


class LedgerList(ChangeList):
    """Spools, each with its ledger, read at one moment."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the ledgers of the spools of this page."""
        super().get_results(request)
        rows = list(self.result_list)
        found = ledgers(Spool.objects.filter(pk__in=[row.pk for row in rows]))
        for row in rows:
            row.ledger = found.get(row.device_id, Ledger())
        self.result_list = rows


@admin.register(Spool)
class SpoolAdmin(PartOfDevice):
    list_display = (
        "device_name", "received_shown", "kept", "refused_shown", "over_quota_shown", "lost_shown",
        "uploaded", "waiting", "expired", "last_line", "uploads", "adds_up",
    )  # fmt: skip
    list_select_related = ("device",)
    list_before_template: Any = "console/ledger_note.html"
    search_fields = ("device__nickname", "device__device_id")
    search_help_text = "Device or its ID"
    ordering = ("device__nickname", "id")
    fieldsets = (
        (
            "Since the last batch",
            {"fields": ("open_shown", "open_since", "last_line_at", "reported_at")},
        ),
        ("For reports", {"fields": ("unparsed_shown",)}),
    )

    def get_changelist(self, request: HttpRequest, **_kwargs: Any) -> type[LedgerList]:  # type: ignore[override]  # noqa: ARG002
        """Return the list that reads ledgers."""
        return LedgerList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Show the ledgers."""
        return super().changelist_view(request, {"title": "Ledger", **(extra_context or {})})

    def overview(self, row: Spool, request: HttpRequest) -> Overview:
        """Return the ledger of one device, how its uploads do, and its batches."""
        now, ledger = timezone.now(), ledger_of(row.device)
        uploads = uploads_of(row, ledger)
        return Overview(
            headline=word(uploads.tone, f"uploads: {uploads.label}"),
            sentence=" ".join(filter(None, [uploads.detail, row.trouble])),
            buttons=_buttons(row.device, uploads, request),
            top=(Panel("Ledger", ledger_panel(ledger)), _batches(row, now=now)),
        )

    @display(description="device", ordering="device__nickname")
    def device_name(self, spool: Spool) -> str:
        """Return the name of the device."""
        return spool.device.nickname

    @display(description="received", ordering="received")
    def received_shown(self, spool: Any) -> str:
        """Return how many lines came."""
        return count(spool.ledger.received)

    @display(description="kept", ordering="spooled")
    def kept(self, spool: Any) -> str:
        """Return how many of them were kept."""
        return count(spool.ledger.spooled)

    @display(description="refused", ordering="refused")
    def refused_shown(self, spool: Any) -> SafeString | str:
        """Return how many could not be written."""
        return missed(spool.ledger.refused)

    @display(description="over quota", ordering="over_quota")
    def over_quota_shown(self, spool: Any) -> SafeString | str:
        """Return for how many there was no room."""
        return missed(spool.ledger.over_quota)

    @display(description="lost", ordering="lost")
    def lost_shown(self, spool: Any) -> SafeString | str:
        """Return how many were kept and are gone."""
        return missed(spool.ledger.lost)

    @display(description="uploaded")
    def uploaded(self, spool: Any) -> str:
        """Return how many are uploaded."""
        return count(spool.ledger.uploaded)

    @display(description="waiting")
    def waiting(self, spool: Any) -> str:
        """Return how many wait."""
        return count(spool.ledger.waiting)

    @display(description="expired")
    def expired(self, spool: Any) -> SafeString | str:
        """Return how many were removed before they were uploaded."""
        return missed(spool.ledger.expired)

    @display(description="last line", ordering="last_line_at")
    def last_line(self, spool: Any) -> SafeString:
        """Return when a line came last."""
        return ago(spool.ledger.last_line_at, now=timezone.now())

    @display(description="uploads")
    def uploads(self, spool: Any) -> SafeString:
        """Return how its uploads do, as a word; the sentence is the title."""
        said = uploads_of(spool, spool.ledger)
        return format_html('<span title="{}">{}</span>', said.detail, word(said.tone, said.label))

    @display(description="adds up")
    def adds_up(self, spool: Any) -> SafeString:
        """Return whether every line is accounted for, as a word."""
        return balance_of(spool.ledger)

    @display(description="removed before they were parsed")
    def unparsed_shown(self, spool: Spool) -> SafeString | str:
        """Return of how many lines reports know nothing, because they made room."""
        return missed(spool.unparsed_lines)

    @display(description="in the open file")
    def open_shown(self, spool: Spool) -> str:
        """Return how much no batch holds yet."""
        return f"{count(spool.open_lines)} lines, {size(spool.open_bytes)}"


def ledger_panel(ledger: Ledger) -> SafeString:
    """Return both equations of a ledger, each with whether it adds up."""
    received = (
        f"= {ledger.spooled:,} kept + {ledger.refused:,} refused + {ledger.over_quota:,} over "
        f"quota + {ledger.lost:,} lost"
    )
    kept = (
        f"= {ledger.uploaded:,} uploaded + {ledger.waiting:,} waiting (of them {ledger.open:,} in "
        f"the open file) + {ledger.expired:,} expired"
    )
    rows = (
        (
            "Received",
            count(ledger.received),
            received,
            _holds(balanced=ledger.is_received_balanced),
        ),
        ("Kept", count(ledger.spooled), kept, _holds(balanced=ledger.is_spooled_balanced)),
    )
    return table(("", "Lines", "", ""), rows, empty="")


def balance_of(ledger: Ledger) -> SafeString:
    """Return whether every line is accounted for, as a word."""
    return _holds(balanced=ledger.is_balanced)


def missed(number: int) -> SafeString | str:
    """Return how many lines nobody gets any more; in a tone where there are any."""
    return word("danger", count(number)) if number else count(number)


def _holds(*, balanced: bool) -> SafeString:
    return word("success", "adds up") if balanced else word("danger", "does not add up")


def _buttons(device: Device, uploads: Uploads, request: HttpRequest) -> tuple[Button, ...]:
    page = Button("Device", reverse("admin:devices_device_change", args=[device.pk]), "router")
    if not request.user.has_perm("devices.change_device"):
        return (page,)
    rotate = reverse("admin:devices_device_rotate-logs", args=[device.pk])
    found = [Button("Close and upload now", rotate, "cloud_upload", is_post=True)]
    if uploads.state in TROUBLED:
        again = reverse("admin:devices_device_retry-uploads", args=[device.pk])
        found.append(Button("Try uploads again", again, "replay", is_post=True, is_quiet=True))
    return (*found, page)


def _batches(spool: Spool, *, now: datetime) -> Panel:
    """Return the newest batches, and in words which numbers are missing."""
    rows = Batch.objects.filter(spool=spool).order_by("-number")
    newest = list(rows[: BATCHES_SHOWN + 1])
    gaps = gaps_of(spool)
    body = batches_table(with_gaps(newest[:BATCHES_SHOWN], gaps), now=now)
    if gaps:
        told = ", ".join(map(str, gaps[:GAPS_SHOWN]))
        more = " and more" if len(gaps) > GAPS_SHOWN else ""
        missing = '<p class="text" id="gaps">{} Missing numbers: {}{}.</p>{}'
        body = format_html(missing, word("danger", "gaps"), told, more, body)
    if len(newest) > BATCHES_SHOWN:
        url = reverse("admin:logs_batch_changelist")
        all_of_it = '{}<p class="quiet"><a class="text-link" href="{}?q={}">All batches</a></p>'
        body = format_html(all_of_it, body, url, spool.device.nickname)
    return Panel("Batches", body)
