from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from policies.admin.base import Button, Overview, Panel, actor_of
from policies.admin.source_panels import (
    age_shown,
    list_panel,
    next_shown,
    policies_table,
    retrievals_table,
)
from policies.admin.story import alarms_panels, changes_panels
from policies.admin.user_list import list_buttons, list_panels
from policies.admin.writes import ServiceAdmin, ServiceForm
from policies.models import Source
from policies.services.manage_sources import (
    SOURCE_COLUMNS,
    change_source,
    create_source,
    delete_source,
)
from policies.services.rows import Refused
from policies.sources import SOURCES
from policies.sources.examples import settings_lines
from policies.sources.user_list import KIND
from policies.tasks import nudge
from policies.words import count, shortened, word


class SettingsField(forms.JSONField):
    """JSON on several lines, as a person reads it."""

    def prepare_value(self, value: Any) -> Any:
        """Return the JSON to be shown; what a person typed stays as typed."""
        if isinstance(value, str):
            return value
        return json.dumps(value if value is not None else {}, indent=2, ensure_ascii=False)


class SourceForm(ServiceForm):
    kind = forms.ChoiceField(
        choices=[(name, kind.label) for name, kind in SOURCES.items()],
        widget=UnfoldAdminSelectWidget(),
    )
    settings = SettingsField(
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 8, "spellcheck": "false"}),
        help_text=format_html_join(
            SafeString("<br>"),
            "{}",
            ((line,) for line in settings_lines({n: kind.label for n, kind in SOURCES.items()})),
        ),
    )

    class Meta:
        model = Source
        fields = SOURCE_COLUMNS

    def write(self) -> Source:
        """Make or change the source."""
        values = {**self.cleaned_data, "settings": self.cleaned_data["settings"] or {}}
        if self.instance.pk:
            source = Source.objects.get(pk=self.instance.pk)
            return change_source(source=source, changes=values, actor=self.actor, now=self.now)
        named = {key: values.pop(key) for key in ("name", "kind", "settings")}
        # What was left as it stood is the kind's to say: a list kept here has other defaults.
        options = {key: value for key, value in values.items() if key in self.changed_data}
        return create_source(**named, options=options, actor=self.actor, now=self.now)


@admin.register(Source)
class SourceAdmin(ServiceAdmin):
    form = SourceForm
    change_form_after_template: Any = "console/try_source.html"
    refusals = (Refused,)
    list_display = ("name", "kind_label", "state_shown", "entries", "age", "next_due", "error_line")
    list_filter = ("state", "kind", "is_enabled")
    search_fields = ("name", "error", "server")
    search_help_text = "Name, error or server"
    ordering = ("name", "id")
    fieldsets = (
        (None, {"fields": ("name", "kind", "settings")}),
        (
            "Retrieval",
            {
                "fields": (
                    "is_enabled", "refresh_minutes", "stale_minutes", "may_be_empty",
                    "shrink_limit",
                )
            },
        ),
        ("Reports", {"fields": ("severity",)}),
    )  # fmt: skip

    def overview(self, row: Source, request: HttpRequest) -> Overview:
        """Return the state, the list held, the last retrievals and the policies that take it."""
        now = timezone.now()
        return Overview(
            headline=self.state_shown(row),
            sentence=_sentence(row, now=now),
            buttons=(*list_buttons(row, request), *self._pause_buttons(row, request)),
            top=(
                *alarms_panels([self.subject_of(row)], request, now=now),
                list_panel(row, now=now),
                *list_panels(row, now=now),
            ),
            bottom=(
                Panel(
                    "Policies that take it",
                    policies_table(row, seen_by=request.user),
                    name="policies",
                    is_half=True,
                ),
                Panel("Last retrievals", retrievals_table(row), name="retrievals", is_half=True),
                *changes_panels(self.subject_of(row), request, now=now),
            ),
            has_settings=self.has_change_permission(request, row),
        )

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, and what pauses a source or lets it go on."""
        deeds = {"pause": False, "resume": True}
        return [*self.deed_paths(deeds, self.pause_view), *super().get_urls()]

    def pause_view(self, request: HttpRequest, pk: int, deed: bool) -> HttpResponse:  # noqa: FBT001
        """Retrieve a source no more, or again as `deed` says, and go back to its page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self._changeable(request, pk)
        try:
            change_source(
                source=row,
                changes={"is_enabled": deed},
                actor=actor_of(request),
                now=timezone.now(),
            )
        except Refused as refused:
            messages.error(request, str(refused))
        else:
            stays = "it is retrieved again" if deed else "the list that is held stays in force"
            messages.success(request, f"{row}: {stays}.")
        nudge()
        return HttpResponseRedirect(self.page_of(pk))

    def _pause_buttons(self, row: Source, request: HttpRequest) -> tuple[Button, ...]:
        if not self.has_change_permission(request, row):
            return ()
        verb, label, icon = (
            ("pause", "Pause", "pause") if row.is_enabled else ("resume", "Resume", "play_arrow")
        )
        deed = Button(label, self._url(verb, row), icon, is_post=True, is_quiet=row.is_enabled)
        return (deed,) if row.kind == KIND else (Button("Try it", "#try", "science"), deed)

    def held_by(self, row: Source) -> QuerySet[Any]:
        """Return the policies that take it."""
        return row.policies.order_by("name", "id")

    def remove(self, row: Source, *, actor: str, now: datetime) -> None:
        """Delete a source that no policy takes."""
        delete_source(source=row, actor=actor, now=now)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        """Return the sources without their settings where they are listed: these may be long."""
        sources: QuerySet[Source] = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and str(match.url_name).endswith("_changelist")
        if is_list:
            return sources.defer("settings")
        return sources.select_related("kept_secrets").defer("kept_secrets__values")

    @display(description="kind", ordering="kind")
    def kind_label(self, source: Source) -> str:
        """Return the kind as people say it."""
        return SOURCES[source.kind].label if source.kind in SOURCES else source.kind

    @display(description="state", ordering="state")
    def state_shown(self, source: Source) -> SafeString:
        """Return the state as a word."""
        if not source.is_enabled:
            return word("neutral", "disabled")
        return word(source.state_word.tone, source.state_word.label)

    @display(description="prefixes", ordering="list_prefixes")
    def entries(self, source: Source) -> str:
        """Return how many prefixes the list holds."""
        return count(source.list_prefixes if source.list_digest else None)

    @display(description="list retrieved", ordering="retrieved_at")
    def age(self, source: Source) -> SafeString:
        """Return how old the list is."""
        return age_shown(source, now=timezone.now())

    @display(description="next", ordering="due_at")
    def next_due(self, source: Source) -> SafeString:
        """Return when it is retrieved next."""
        return next_shown(source, now=timezone.now())

    @display(description="error")
    def error_line(self, source: Source) -> str:
        """Return the beginning of the error."""
        return shortened(source.error)


def _sentence(source: Source, *, now: datetime) -> str:
    """Return what is wrong, or that nothing is, and what comes next."""
    if not source.is_enabled:
        return "It is paused: what it last said stays in force and grows old."
    if source.error:
        return source.error
    if not source.policy_sources.exists():
        return "No policy takes it, so it is not retrieved: choose it on the page of a policy."
    if source.is_stale(now=now):
        return f"It was not retrieved for longer than {source.stale_limit}."
    return ""
