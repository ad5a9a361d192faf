"""The record of changes: read, given away as a file, and held to its chain."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.decorators import display

from policies.admin.base import Overview, Panel, ReadOnlyAdmin, actor_of
from policies.admin.months import MonthFilter
from policies.downloads import CSV, JSON_LINES, as_file
from policies.models import Change
from policies.reports.changes import FORMS, VERIFIED_AT_ONCE, lines_of, verify_changes
from policies.services import record_export
from policies.words import said, shortened, table

_TYPES = {"csv": CSV, "jsonl": JSON_LINES}


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "verb", "subject", "what", "channel", "origin")
    list_filter = ("verb", "at", ("at", MonthFilter))
    search_fields = ("actor", "verb", "subject", "channel", "origin")
    search_help_text = "Who, what was done, to what, from where"
    ordering = ("-at", "-id")
    list_before_template: Any = "console/changes.html"
    fieldsets = (
        (None, {"fields": ("at", "actor", "verb", "subject")}),
        ("From where", {"fields": ("channel", "origin")}),
        ("In the chain", {"fields": ("digest",)}),
    )

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, the record as a file, and the check of its chain."""
        export = self.admin_site.admin_view(self.export_view)
        verify = self.admin_site.admin_view(self.verify_view)
        return [
            path("export/<slug:form>/", export, name="policies_change_export"),
            path("verify/", verify, name="policies_change_verify"),
            *super().get_urls(),
        ]

    def export_view(self, request: HttpRequest, form: str) -> HttpResponseBase:
        """Give the changes that the list shows, filters and search included, as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if form not in FORMS:
            raise Http404(f"The record is given as {' or '.join(FORMS)}.")
        rows = self.get_changelist_instance(request).get_queryset(request)
        record_export(actor=actor_of(request), subject="changes", form=form, now=timezone.now())
        return as_file(lines_of(rows, form=form), name=f"changes.{form}", media_type=_TYPES[form])

    def verify_view(self, request: HttpRequest) -> HttpResponse:
        """Hold every row to the one before it, and say what was found above the list."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = verify_changes(newest=VERIFIED_AT_ONCE)
        if found.is_whole:
            messages.success(request, found.sentence)
        else:
            messages.error(request, found.sentence)
        return HttpResponseRedirect(reverse("admin:policies_change_changelist"))

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
