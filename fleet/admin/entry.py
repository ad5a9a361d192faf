from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from devices.admin.forms import kind_named
from devices.kinds import KINDS
from fleet.admin.bulk import BulkPages
from fleet.admin.entry_form import EntryForm, fieldsets_of
from fleet.admin.entry_panels import (
    clock,
    effective_panel,
    entry_panel,
    keys_panel,
    status_panel,
)
from fleet.admin.filters import GroupFilter, HealthFilter, PolicyFilter, VersionFilter
from fleet.models import Entry
from fleet.reports.health import health_of, status_of
from fleet.reports.linking import linking_of
from fleet.reports.place import portal_place
from fleet.services.entries import publish_again, remove_entry, subject_of
from fleet.services.entry_keys import ROTATION_HOURS, revoke_key, rotate_key, valid_keys
from fleet.services.rotation import rotate_keys
from fleet.tasks import nudge
from policies.admin.base import Button, Overview, actor_of
from policies.admin.story import alarms_panels, changes_panels
from policies.services import Refused
from policies.words import NOTHING, ago, count, link, word

_NO_PORTAL = "this console is no portal: name its primary in TSCM_PORTAL_PRIMARY"
_SENTENCES = {
    True: "Its own kernel drops what is listed; it links by itself.",
    False: "An appliance there serves its feeds, and links by itself.",
}


@admin.register(Entry)
class EntryAdmin(BulkPages):
    """The pages of device entries."""

    form = EntryForm
    form_has_own_fields = True
    refusals = (Refused,)
    list_display = (
        "nickname", "type", "group_shown", "policy_shown", "health", "version", "snapshot",
        "last_report", "clock_shown",
    )  # fmt: skip
    list_filter = (HealthFilter, GroupFilter, PolicyFilter, VersionFilter, "kind")
    search_fields = ("nickname", "device_id", "note", "group__name", "manufacturer", "model")
    search_help_text = "Name, device ID, group, maker or note"
    ordering = ("nickname", "id")
    actions = ("bulk_change", "rotate_keys")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        """Return the entries with what the list says of each, in a fixed number of queries."""
        rows: QuerySet[Entry] = super().get_queryset(request)
        return rows.select_related("status", "policy", "group__fleet_settings__policy")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the settings by purpose; who may only look is shown none of them as fields."""
        if obj is not None and not self.has_change_permission(request, obj):
            return [(None, {"fields": ("nickname", "note")})]
        return fieldsets_of(obj.kind if obj else _asked_kind(request))

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Ask for the settings of one kind; the others are a link away."""
        chosen = kind_named(_asked_kind(request))
        kinds = [
            {"name": kind.name, "label": kind.label, "sentence": _SENTENCES[kind.is_gateway],
             "is_chosen": kind == chosen}
            for kind in KINDS.values()
        ]  # fmt: skip
        return super().add_view(request, form_url, {"kinds": kinds, **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, and one address for each deed."""
        return [
            *self.deed_paths({"rotate": self._rotate, "again": self._again}, self.deed_view),
            *self.deed_paths({"revoke": None}, self.revoke_view),
            *super().get_urls(),
        ]

    def deed_view(self, request: HttpRequest, pk: int, deed: Any) -> HttpResponse:
        """Do what a person asked of an entry; a refusal is a message on its page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        entry = self._changeable(request, pk)
        try:
            answer: HttpResponse = deed(request, entry)
        except Refused as refused:
            messages.error(request, f"{refused}.")
            return HttpResponseRedirect(self.page_of(pk))
        nudge()
        return answer

    def _rotate(self, request: HttpRequest, entry: Entry) -> HttpResponse:
        if portal_place() is None:
            raise Refused(_NO_PORTAL)
        made = rotate_key(entry=entry, actor=actor_of(request), now=timezone.now())
        return self._key_page(request, entry, made.text, is_new=False)

    def _again(self, request: HttpRequest, entry: Entry) -> HttpResponse:
        publish_again(entry=entry, actor=actor_of(request), now=timezone.now())
        messages.success(request, f"{entry}: its settings are written anew within seconds.")
        return HttpResponseRedirect(self.page_of(entry.pk))

    def revoke_view(self, request: HttpRequest, pk: int, deed: None) -> HttpResponse:  # noqa: ARG002
        """Ask whether a key is to be good no more; a POST does it."""
        entry = self._changeable(request, pk)
        told = request.POST if request.method == "POST" else request.GET
        text = told.get("generation", "")
        generation = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        if request.method == "POST":
            try:
                revoke_key(
                    entry=entry, generation=generation, actor=actor_of(request), now=timezone.now()
                )
                messages.success(request, f"{entry}: key {generation} is good no more.")
            except Refused as refused:
                messages.error(request, f"{refused}.")
            nudge()
            return HttpResponseRedirect(self.page_of(pk))
        good = valid_keys(now=timezone.now()).filter(entry=entry)
        if not good.filter(generation=generation).exists():
            messages.error(request, f"{entry} has no key {generation} that is good.")
            return HttpResponseRedirect(self.page_of(pk))
        others = good.exclude(generation=generation).exists()
        context = {
            **self.admin_site.each_context(request),
            "title": f"Revoke key {generation} of {entry}",
            "opts": self.opts, "original": entry, "entry": entry, "generation": generation,
            "has_others": others, "page": self.page_of(pk),
        }  # fmt: skip
        return TemplateResponse(request, "console/fleet_revoke.html", context)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show what to type on the device, this once; else go on as any page does."""
        made = getattr(request, "made_entry", None)
        if made is None:
            return super().response_add(request, obj, post_url_continue)
        return self._key_page(request, made.entry, made.key_text, is_new=True)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:  # noqa: ARG002
        """Keep the new key for the page that shows it; the row itself is written."""
        request.made_entry = form.made  # type: ignore[attr-defined]
        nudge()

    def _key_page(
        self, request: HttpRequest, entry: Entry, text: str, *, is_new: bool
    ) -> HttpResponse:
        place = portal_place()
        context = {
            **self.admin_site.each_context(request),
            "title": f"Link {entry}",
            "opts": self.opts,
            "original": entry,
            "entry": entry,
            "linking": linking_of(entry, text, place) if place else None,
            "is_new": is_new,
            "hours": ROTATION_HOURS,
            "page": self.page_of(entry.pk),
        }
        return TemplateResponse(request, "console/fleet_key.html", context)

    def rotate_keys(self, request: HttpRequest, queryset: QuerySet[Entry]) -> None:
        """Make another key for each chosen entry; linked devices take theirs over by themselves."""
        if portal_place() is None:
            messages.error(request, f"{_NO_PORTAL}.")
            return
        told = rotate_keys(entries=queryset, actor=actor_of(request), now=timezone.now())
        nudge()
        if told.made:
            messages.success(
                request,
                f"{told.made:,} new keys: linked devices take them over by themselves, and the old "
                f"ones are good for {ROTATION_HOURS} hours.",
            )
        if told.never_linked:
            messages.warning(
                request,
                f"{told.never_linked:,} never linked and keep their key, which nobody would be "
                f"shown here: rotate it on the page of each.",
            )
        if told.under_way:
            messages.warning(
                request, f"{told.under_way:,} keep theirs: a new key is under way there already."
            )

    rotate_keys.short_description = "Rotate keys"  # type: ignore[attr-defined]
    rotate_keys.allowed_permissions = ("change",)  # type: ignore[attr-defined]

    def subject_of(self, row: Any) -> str:
        """Return how the record names an entry."""
        return subject_of(row)

    def overview(self, row: Any, request: HttpRequest) -> Overview:
        """Return the health, what the device says, what is in force, and its keys."""
        now = timezone.now()
        health = health_of(row, now=now)
        may_change = self.has_change_permission(request, row)
        return Overview(
            headline=word(health.tone, health.label),
            sentence=health.detail,
            buttons=self._buttons(row) if may_change else (),
            top=(
                *alarms_panels([subject_of(row)], request, now=now),
                entry_panel(row, now=now),
                status_panel(row, now=now),
                effective_panel(row),
                keys_panel(row, now=now, may_change=may_change),
                *changes_panels(subject_of(row), request, now=now),
            ),
            has_settings=may_change,
        )

    def _buttons(self, row: Entry) -> tuple[Button, ...]:
        rotate, again = self._url("rotate", row), self._url("again", row)
        return (
            Button("Rotate key", rotate, "key", is_post=True, is_quiet=True),
            Button("Write again", again, "publish", is_post=True, is_quiet=True),
        )

    def remove(self, row: Entry, *, actor: str, now: datetime) -> None:
        """Remove the entry."""
        remove_entry(entry=row, actor=actor, now=now)
        nudge()

    @display(description="type", ordering="kind")
    def type(self, entry: Entry) -> str:
        """Return the kind as people say it."""
        return KINDS[entry.kind].label if entry.kind in KINDS else entry.kind

    @display(description="group", ordering="group__name")
    def group_shown(self, entry: Entry) -> SafeString:
        """Return the group it is in."""
        return link(entry.group)

    @display(description="policy")
    def policy_shown(self, entry: Entry) -> SafeString:
        """Return the policy it follows, by itself or by its group."""
        if entry.policy is not None or "block_list" in entry.settings:
            return link(entry.policy)
        inherited = getattr(entry.group, "fleet_settings", None)
        return link(inherited.policy if inherited else None)

    @display(description="health")
    def health(self, entry: Entry) -> SafeString:
        """Return the health as a word; its sentence is the title."""
        said = health_of(entry, now=timezone.now())
        return format_html('<span title="{}">{}</span>', said.detail, word(said.tone, said.label))

    @display(description="version", ordering="status__version")
    def version(self, entry: Entry) -> str:
        """Return the version of its appliance."""
        status = status_of(entry)
        return (status.version if status else "") or NOTHING

    @display(description="snapshot", ordering="status__snapshot_number")
    def snapshot(self, entry: Entry) -> str:
        """Return the snapshot in force there."""
        status = status_of(entry)
        return count(status.snapshot_number if status else None)

    @display(description="last report", ordering="status__received_at")
    def last_report(self, entry: Entry) -> SafeString:
        """Return when it told of itself last."""
        status = status_of(entry)
        return ago(status.received_at if status else None, now=timezone.now())

    @display(description="clock", ordering="status__clock_offset")
    def clock_shown(self, entry: Entry) -> SafeString | str:
        """Return how far its clock is off."""
        status = status_of(entry)
        return clock(status) if status else NOTHING


def _asked_kind(request: HttpRequest) -> str:
    return request.POST.get("kind") or request.GET.get("kind", "")
