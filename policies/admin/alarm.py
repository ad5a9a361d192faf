from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from policies.admin.base import Button, Overview, ReadOnlyAdmin
from policies.models import Alarm, Policy, Source
from policies.words import ago, shortened, word


class OpenFilter(admin.SimpleListFilter):
    """Alarms that are open, or those that are over."""

    title = "open"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the two."""
        return [("yes", "open"), ("no", "over")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alarm]) -> QuerySet[Alarm]:  # noqa: ARG002
        """Return the alarms that were chosen."""
        if self.value() not in {"yes", "no"}:
            return queryset
        return queryset.filter(closed_at__isnull=self.value() == "yes")


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    list_display = ("kind_shown", "subject", "line", "opened", "over")
    list_filter = (OpenFilter, "kind")
    search_fields = ("subject", "message")
    search_help_text = "Source, policy or message"
    ordering = (F("closed_at").desc(nulls_first=True), "-opened_at", "-id")  # open ones first
    fieldsets = ((None, {"fields": ("message", "opened_at", "closed_at")}),)

    def overview(self, row: Alarm, request: HttpRequest) -> Overview:
        """Return what is wrong, whether it still is, and the way to it."""
        is_over = row.closed_at is not None
        tone = "neutral" if is_over else row.kind_word.tone
        sentence = f"It is {'over' if is_over else 'open, and closes by itself when it is over'}."
        return Overview(word(tone, row.kind_word.label), sentence, buttons=_buttons(row, request))

    @display(description="alarm", ordering="kind")
    def kind_shown(self, alarm: Alarm) -> SafeString:
        """Return what it is about as a word."""
        tone = "neutral" if alarm.closed_at else alarm.kind_word.tone
        return word(tone, alarm.kind_word.label)

    @display(description="what to know")
    def line(self, alarm: Alarm) -> str:
        """Return the beginning of its message."""
        return shortened(alarm.message)

    @display(description="since", ordering="opened_at")
    def opened(self, alarm: Alarm) -> SafeString:
        """Return when it began."""
        return ago(alarm.opened_at, now=timezone.now())

    @display(description="over", ordering="closed_at")
    def over(self, alarm: Alarm) -> SafeString:
        """Return when it ended."""
        return ago(alarm.closed_at, now=timezone.now(), never="open")


def _buttons(alarm: Alarm, request: HttpRequest) -> list[Button]:
    """Return the way to what the alarm is about, where that is still there and may be seen."""
    what, _, name = alarm.subject.partition(" ")
    models: dict[str, type[Source | Policy]] = {"source": Source, "policy": Policy}
    if what not in models or not request.user.has_perm(f"policies.view_{what}"):
        return []
    rows: QuerySet[Any] = models[what].objects.all()
    pk = rows.filter(name=name).values_list("pk", flat=True).first()
    if pk is None:
        return []
    url = reverse(f"admin:policies_{what}_change", args=[pk])
    return [Button(f"Show the {what}", url, "arrow_forward")]
