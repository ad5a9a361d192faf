"""Many device entries at once: chosen in the list, looked at, and then changed, all or none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminSelectWidget

from devices.kinds.base import SettingRefused
from devices.models import DeviceGroup
from devices.services import GroupRefused, group_for
from fleet.admin.typed import SettingsLines
from fleet.models import Entry
from fleet.services.bulk import (
    MOST_ENTRIES,
    BulkChange,
    Line,
    Preview,
    apply_bulk,
    preview_bulk,
)
from fleet.services.steering import UNSET, Change, Unset
from fleet.tasks import nudge
from policies.admin.base import actor_of
from policies.admin.writes import ServiceAdmin
from policies.fields import DecryptionFailed
from policies.models import Policy
from policies.services import Outdated, Refused
from policies.visible import Person, visible
from policies.words import link, said, table, word

LINES_SHOWN = 100
_STAYS, _NONE = "", "none"


class BulkForm(forms.Form):
    """What is to become of the chosen entries; what is left alone stays."""

    settings = SettingsLines(label="Settings")
    policy = forms.ChoiceField(
        label="Policy to follow", required=False, widget=UnfoldAdminSelectWidget()
    )
    group = forms.ChoiceField(label="Group", required=False, widget=UnfoldAdminSelectWidget())

    def __init__(self, *args: Any, seen_by: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen_by = seen_by
        shared = visible(Policy.objects.filter(is_private=False), seen_by)
        groups = visible(DeviceGroup.objects.all(), seen_by)
        self._offer("policy", shared, none="that of the group, or lists")
        self._offer("group", groups, none="in no group")

    def _offer(self, name: str, rows: QuerySet[Any], *, none: str) -> None:
        field: Any = self.fields[name]
        named = rows.order_by("name", "id").values_list("pk", "name")
        field.choices = [(_STAYS, "stays as it is"), (_NONE, none),
                         *((str(pk), text) for pk, text in named)]  # fmt: skip

    def change(self) -> BulkChange:
        """Return what was typed; raises GroupRefused."""
        told = self.cleaned_data
        policy = _row(Policy, told["policy"])
        group = _row(DeviceGroup, told["group"])
        if not isinstance(group, Unset):
            group = group_for(self.seen_by, group)
        return BulkChange(Change(told["settings"], policy=policy), group)


class BulkPages(ServiceAdmin):
    """The list of entries, with the page that changes many."""

    bulk_template: ClassVar[str] = "console/fleet_bulk.html"

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, and that of bulk changes."""
        bulk = self.admin_site.admin_view(self.bulk_view)
        return [path("bulk/", bulk, name="fleet_entry_bulk"), *super().get_urls()]

    def bulk_change(self, request: HttpRequest, queryset: QuerySet[Entry]) -> HttpResponse:
        """Ask what is to become of the chosen entries."""
        chosen = list(queryset.order_by("id").values_list("pk", flat=True)[: MOST_ENTRIES + 1])
        return self._bulk_page(request, chosen, BulkForm(seen_by=request.user))

    bulk_change.short_description = "Change settings, policy or group…"  # type: ignore[attr-defined]
    bulk_change.allowed_permissions = ("change",)  # type: ignore[attr-defined]

    def bulk_view(self, request: HttpRequest) -> HttpResponse:
        """Show what a change does to each chosen entry; with the digest of that, do it."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        chosen = _chosen(request)
        if request.method != "POST" or not chosen:
            messages.info(request, "Choose entries in the list, then the action.")
            return HttpResponseRedirect(reverse("admin:fleet_entry_changelist"))
        form = BulkForm(request.POST, seen_by=request.user)
        preview = None
        if form.is_valid():
            try:
                preview = self._tried(request, chosen, form)
            except (Refused, SettingRefused, GroupRefused, DecryptionFailed) as refused:
                form.add_error(None, str(refused))
        if isinstance(preview, HttpResponse):
            return preview
        return self._bulk_page(request, chosen, form, preview)

    def _tried(
        self, request: HttpRequest, chosen: list[int], form: BulkForm
    ) -> Preview | HttpResponse:
        change, digest = form.change(), request.POST.get("digest", "")
        entries = visible(Entry.objects.filter(pk__in=chosen), request.user)
        if not digest:
            return preview_bulk(entries=entries, change=change)
        try:
            done = apply_bulk(
                entries=entries, change=change, digest=digest, actor=actor_of(request),
                now=timezone.now(),
            )  # fmt: skip
        except Outdated as error:
            messages.warning(request, f"{str(error).capitalize()}.")
            return preview_bulk(entries=entries, change=change)
        nudge()
        messages.success(
            request,
            f"{len(done.changed):,} entries changed; in force on the devices within five minutes.",
        )
        return HttpResponseRedirect(reverse("admin:fleet_entry_changelist"))

    def _bulk_page(
        self,
        request: HttpRequest,
        chosen: list[int],
        form: BulkForm,
        preview: Preview | None = None,
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Change {len(chosen):,} device entries",
            "opts": self.opts,
            "chosen": ",".join(map(str, chosen)),
            "form": form,
            "preview": preview,
            "lines": _lines_table(preview) if preview else "",
            "shown": LINES_SHOWN,
            "url": reverse("admin:fleet_entry_bulk"),
            "list_url": reverse("admin:fleet_entry_changelist"),
        }
        return TemplateResponse(request, self.bulk_template, context)


def _chosen(request: HttpRequest) -> list[int]:
    texts = request.POST.get("chosen", "").split(",")[: MOST_ENTRIES + 1]
    return [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 19]


def _row(model: Any, chosen: str) -> Any:
    if chosen == _STAYS:
        return UNSET
    return None if chosen == _NONE else model.objects.get(pk=int(chosen))


def _lines_table(preview: Preview) -> object:
    lines = [*preview.refused, *preview.changed][:LINES_SHOWN]
    return table(
        ("Device entry", "Setting", "Now", "Then"),
        (row for line in lines for row in _rows(line)),
        empty="Nothing changes: all of them have it already.",
    )


def _rows(line: Line) -> Iterator[tuple[object, ...]]:
    name: object = link(line.entry)
    if line.refusal:
        yield name, word("danger", "refused"), line.refusal, ""
    for one in line.differences:
        then = ", ".join(text for text in (said(one.after), one.note) if text)
        yield name, one.name, said(one.before), then
        name = ""
    if not line.refusal and not line.differences:
        yield (
            name,
            format_html('<span class="quiet">{}</span>', "nothing that is in force"),
            "",
            "",
        )
