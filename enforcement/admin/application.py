from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from enforcement.models import Application
from policies.admin.base import ReadOnlyAdmin
from policies.admin.months import MonthFilter
from policies.words import NOTHING, ago, count, link, shortened, table, word


@admin.register(Application)
class ApplicationAdmin(ReadOnlyAdmin):
    list_display = (
        "at", "device_link", "reason", "outcome_shown", "snapshot_number", "change", "cut_shown",
        "took", "short_detail",
    )  # fmt: skip
    list_filter = ("outcome", "trigger", "at", ("at", MonthFilter))
    search_fields = ("gateway__device__nickname", "detail")
    search_help_text = "Device or detail"
    ordering = ("-at", "-id")
    fieldsets = (
        (None, {"fields": ("at", "device_link", "reason", "snapshot_number")}),
        ("What came of it", {"fields": ("outcome_shown", "detail")}),
        ("What was changed", {"fields": ("way", "change", "cut_shown", "took")}),
    )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Tell who may look: history is a part of a device."""
        return request.user.has_perm("devices.view_device")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Tell who may look at any of it."""
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Application]:
        """Return what was done; the devices by queries of their own, so that leafing is quick."""
        applications: QuerySet[Application] = super().get_queryset(request)
        return applications.prefetch_related("gateway__device")

    @display(description="device", ordering="gateway__device__nickname")
    def device_link(self, application: Application) -> SafeString:
        """Return the device."""
        return link(application.gateway.device)

    @display(description="why", ordering="trigger")
    def reason(self, application: Application) -> str:
        """Return why the kernel was worked on."""
        return reason_of(application)

    @display(description="outcome", ordering="outcome")
    def outcome_shown(self, application: Application) -> SafeString:
        """Return how it ended, as a word."""
        return outcome_of(application)

    @display(description="entries")
    def change(self, application: Application) -> SafeString:
        """Return how many block entries came and went."""
        return change_of(application)

    @display(description="connections cut", ordering="cut")
    def cut_shown(self, application: Application) -> str:
        """Return how many open connections were cut."""
        return count(application.cut)

    @display(description="took", ordering="seconds")
    def took(self, application: Application) -> str:
        """Return how long it took."""
        return f"{application.seconds:.1f} s"

    @display(description="detail")
    def short_detail(self, application: Application) -> str:
        """Return what else there is to know."""
        return shortened(application.detail)


def applications_table(applications: Iterable[Application], *, now: datetime) -> SafeString:
    """Return what was done in one kernel, as a table for its device's page."""
    titles = ("When", "Why", "Outcome", "Snapshot", "Entries", "Connections cut", "Detail")
    return table(
        titles,
        (
            (
                ago(one.at, now=now),
                reason_of(one),
                outcome_of(one),
                NOTHING if one.snapshot_number is None else f"#{one.snapshot_number}",
                change_of(one),
                count(one.cut),
                shortened(one.detail),
            )
            for one in applications
        ),
        empty="Nothing was done in this kernel yet.",
    )


def reason_of(application: Application) -> str:
    """Return why a kernel was worked on."""
    return application.get_trigger_display()


def outcome_of(application: Application) -> SafeString:
    """Return how it ended, as a word, and how often in a row."""
    outcome = application.outcome_word
    times = f" {application.times:,} times" if application.times > 1 else ""
    return word(outcome.tone, f"{outcome.label}{times}")


def change_of(application: Application) -> SafeString:
    """Return how many block entries came and went, with their signs, in one line."""
    shown = '<span class="change-count">+{} \N{MINUS SIGN}{}</span>'
    return format_html(shown, count(application.added), count(application.removed))
