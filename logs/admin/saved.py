"""Reports with a name: who sees them, when they are mailed, how that went."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from logs.models import SavedReport
from logs.reports.saved import is_his, saved_reports
from logs.services.saved import (
    SAVED_COLUMNS,
    change_saved,
    remove_saved,
    save_report,
    send_saved,
)
from logs.states import Every
from logs.tasks import nudge_reports
from policies.admin.base import Button, Overview, actor_of
from policies.admin.writes import ServiceAdmin, ServiceForm
from policies.services import Refused
from policies.words import ago, word

_MAY_SEE = "logs.view_hits"


class LinesField(forms.CharField):
    """A list, one value a line."""

    def prepare_value(self, value: Any) -> Any:
        """Return the list as lines."""
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """Return the lines as a list."""
        text = super().clean(value)
        return [part.strip() for line in text.splitlines() for part in line.split(",")]


class SavedReportForm(ServiceForm):
    recipients = LinesField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Mail addresses, one a line. They get what you may see.",
    )

    class Meta:
        model = SavedReport
        fields = SAVED_COLUMNS

    owner: User

    def write(self) -> SavedReport:
        """Save the report, or change it."""
        values, actor, now = self.cleaned_data, self.actor, self.now
        if not self.instance.pk:
            return save_report(values=values, owner=self.owner, actor=actor, now=now)
        row = SavedReport.objects.select_related("owner").get(pk=self.instance.pk)
        return change_saved(row=row, changes=values, actor=actor, now=now)


@admin.register(SavedReport)
class SavedReportAdmin(ServiceAdmin):
    form = SavedReportForm
    refusals = (Refused,)
    list_display = ("name", "owner", "is_shared", "mailed", "next_one", "how_it_went", "opened")
    list_select_related = ("owner",)
    search_fields = ("name", "owner__username")
    search_help_text = "Name or owner"
    ordering = ("name", "id")
    fieldsets = (
        (None, {"fields": ("name", "query", "is_shared")}),
        (
            "By mail",
            {
                "fields": ("every", "at", "zone", "weekday", "day", "recipients"),
                "description": "The summaries as text and HTML, with a CSV file each, to everybody "
                "below. What may be seen is what its owner may see.",
            },
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, and where a report is sent now."""
        send = self.admin_site.admin_view(self.send_view)
        return [
            path("<int:pk>/send/", send, name="logs_savedreport_send"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SavedReport]:
        """Return what the person may open."""
        return super().get_queryset(request).filter(pk__in=saved_reports(request.user))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return all fields to the owner; who gets the mail is nobody else's to see."""
        if self._is_his(request, obj):
            return self.fieldsets
        (names, (title, mailed)) = self.fieldsets
        shown = tuple(name for name in mailed["fields"] if name != "recipients")
        return (names, (title, {**mailed, "fields": shown}))

    def get_form(self, request: HttpRequest, obj: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Return the form, told who writes; a new report is his."""
        form = super().get_form(request, obj, *args, **kwargs)
        return type(form.__name__, (form,), {"owner": cast(User, request.user)})

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell who may change a report: its owner."""
        return self._is_his(request, obj) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell who may remove a report: its owner."""
        return self._is_his(request, obj) and bool(super().has_delete_permission(request, obj))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Do nothing more: the row is written, and nothing is due at once."""

    def remove(self, row: SavedReport, *, actor: str, now: Any) -> None:
        """Remove a report."""
        remove_saved(row=row, actor=actor, now=now)

    def send_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Leave a report due, and go back to its page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        try:
            send_saved(row=row, actor=actor_of(request), now=timezone.now())
        except Refused as refused:
            messages.error(request, str(refused))
        else:
            nudge_reports()
            messages.success(
                request, f"{row}: a worker mails it within seconds; this page says how it went."
            )
        return HttpResponseRedirect(self.page_of(pk))

    def overview(self, row: SavedReport, request: HttpRequest) -> Overview:
        """Return how its last mail went, and what may be done with it."""
        buttons = [Button("Open", _url(row), "monitoring")]
        if self.has_change_permission(request, row) and row.recipients:
            send = reverse("admin:logs_savedreport_send", args=[row.pk])
            buttons.append(Button("Send now", send, "send", is_post=True))
        said = _sentence(row, is_told=self._is_his(request, row))
        return Overview(headline=_state(row), sentence=said, buttons=buttons)

    @display(description="mailed", ordering="every")
    def mailed(self, row: SavedReport) -> str:
        """Return how often it is mailed, and at what time."""
        if row.every == Every.NEVER:
            return "never"
        day = {
            Every.WEEKLY: f", {row.get_weekday_display()}",
            Every.MONTHLY: f", day {row.day}",
        }.get(Every(row.every), "")
        return f"{row.every}{day}, {row.at:%H:%M} {row.zone}"

    @display(description="next", ordering="next_at")
    def next_one(self, row: SavedReport) -> SafeString:
        """Return when it is mailed next."""
        return ago(row.next_at, now=timezone.now())

    @display(description="last mail", ordering="mailed_at")
    def how_it_went(self, row: SavedReport) -> SafeString:
        """Return how its last mail went."""
        return _state(row) or ago(row.mailed_at, now=timezone.now())

    @display(description="report")
    def opened(self, row: SavedReport) -> SafeString:
        """Return the way to the report itself."""
        return format_html('<a class="text-link" href="{}">Open</a>', _url(row))

    def _is_his(self, request: HttpRequest, row: Any) -> bool:
        return row is None or is_his(row, request.user)


def _url(row: SavedReport) -> str:
    return f"{reverse('console:report')}?{row.query}"


def _state(row: SavedReport) -> SafeString | None:
    return word("danger", "not mailed") if row.error else None


def _sentence(row: SavedReport, *, is_told: bool) -> str:
    if row.error and is_told:
        again = f" It is tried again at {row.next_at:%Y-%m-%d %H:%M} UTC." if row.next_at else ""
        return f"{row.error}{again}"
    if row.mailed_at:
        return f"Mailed last at {row.mailed_at:%Y-%m-%d %H:%M} UTC."
    return "It was not mailed yet."
