from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, Model, QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from policies.admin.base import Button, Overview, Panel, ReadOnlyAdmin, actor_of
from policies.alarm_words import NEXT_STEPS
from policies.models import Alarm, AlarmNews, AlarmTarget, Policy, Source
from policies.models.alarm import LONGEST_NOTE
from policies.services import Outdated, Refused, acknowledge_alarm
from policies.states import AlarmKind, AlarmSeverity
from policies.visible import visible
from policies.words import NOTHING, ago, link, shortened, table, word

EARLIER_SHOWN = 10
TOLD_SHOWN = 50


class OpenFilter(admin.SimpleListFilter):
    """Alarms that are open, those of them that nobody has seen, or those that are over."""

    title = "open"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the three."""
        return [("yes", "open"), ("unseen", "open, not acknowledged"), ("no", "over")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alarm]) -> QuerySet[Alarm]:  # noqa: ARG002
        """Return the alarms that were chosen."""
        if self.value() == "unseen":
            return queryset.filter(closed_at=None, acknowledged_at=None)
        if self.value() in {"yes", "no"}:
            return queryset.filter(closed_at__isnull=self.value() == "yes")
        return queryset


class SeverityFilter(admin.SimpleListFilter):
    """Alarms by how bad they are."""

    title = "severity"
    parameter_name = "severity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the severities, the worst first."""
        return [(str(one.value), str(one.label)) for one in reversed(AlarmSeverity)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alarm]) -> QuerySet[Alarm]:  # noqa: ARG002
        """Return the alarms that were chosen."""
        kinds = [kind for kind in AlarmKind if kind.severity == self.value()]
        return queryset.filter(kind__in=kinds) if kinds else queryset


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    list_display = ("kind_shown", "subject", "line", "opened", "over", "seen")
    list_filter = (OpenFilter, SeverityFilter, "kind")
    search_fields = ("subject", "message", "note")
    search_help_text = "Device, source, policy, message or note"
    ordering = (
        F("closed_at").desc(nulls_first=True),  # open ones first
        F("acknowledged_at").desc(nulls_first=True),
        "-opened_at",
        "-id",
    )
    fieldsets = ((None, {"fields": ("subject", "opened_at", "closed_at")}),)

    def overview(self, row: Alarm, request: HttpRequest) -> Overview:
        """Return what is wrong, whether it still is, what to do, and who was told."""
        top = [Panel("What to do", _next_step(row))] if row.is_open else []
        if row.acknowledged_at is not None:
            top.append(Panel("Seen", _seen(row)))
        if row.is_open and self.may_acknowledge(request):
            top.append(Panel("Acknowledge", self._form(row, request)))
        return Overview(
            word(_tone(row), row.kind_word.label),
            f"{row.message} {_sentence(row)}",
            buttons=_buttons(row, request),
            top=top,
            bottom=(Panel("The same before", _earlier(row)), Panel("Who was told", _told(row))),
        )

    def may_acknowledge(self, request: HttpRequest) -> bool:
        """Tell who may say that he has seen an alarm."""
        return request.user.has_perm("policies.change_alarm")

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, and the deed."""
        view = self.admin_site.admin_view(self.acknowledge_view)
        name = "policies_alarm_acknowledge"
        return [path("<int:pk>/acknowledge/", view, name=name), *super().get_urls()]

    def acknowledge_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Write down that this person has seen the alarm, and go back to its page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not (self.has_view_permission(request) and self.may_acknowledge(request)):
            raise PermissionDenied
        row = self.get_object(request, str(pk))
        if row is None:
            raise Http404(f"There is no alarm {pk}.")
        try:
            acknowledge_alarm(
                alarm=row,
                note=request.POST.get("note", ""),
                actor=actor_of(request),
                now=timezone.now(),
            )
        except (Outdated, Refused) as refused:
            messages.error(request, f"{refused}.")
        else:
            messages.success(request, "Acknowledged: it stays open, and calls no more.")
        return HttpResponseRedirect(reverse("admin:policies_alarm_change", args=[pk]))

    def _form(self, row: Alarm, request: HttpRequest) -> SafeString:
        context = {
            "url": reverse("admin:policies_alarm_acknowledge", args=[row.pk]),
            "note": row.note,
            "longest": LONGEST_NOTE,
            "is_seen": row.acknowledged_at is not None,
        }
        return render_to_string("console/acknowledge.html", context, request)

    @display(description="alarm", ordering="kind")
    def kind_shown(self, alarm: Alarm) -> SafeString:
        """Return what it is about as a word."""
        return word(_tone(alarm), alarm.kind_word.label)

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

    @display(description="seen by", ordering="acknowledged_by")
    def seen(self, alarm: Alarm) -> str:
        """Return who acknowledged it."""
        return alarm.acknowledged_by or NOTHING


def _tone(alarm: Alarm) -> Any:
    return alarm.kind_word.tone if alarm.is_open else "neutral"


def _sentence(alarm: Alarm) -> str:
    if not alarm.is_open:
        return "It is over."
    if alarm.fine_since is not None:
        return "It seems to be over, and closes by itself if it stays so for some minutes."
    return "It is open, and closes by itself when it is over."


def _next_step(alarm: Alarm) -> SafeString:
    step = NEXT_STEPS.get(alarm.kind_word, "Read the message.")
    return format_html('<p class="text">{}</p>', step)


def _seen(alarm: Alarm) -> SafeString:
    when = ago(alarm.acknowledged_at, now=timezone.now())
    said = format_html(": {}", alarm.note) if alarm.note else ""
    return format_html('<p class="text">{}, {}{}</p>', alarm.acknowledged_by, when, said)


def _earlier(alarm: Alarm) -> SafeString:
    """Return when there was an alarm with the same cause."""
    same = Alarm.objects.filter(kind=alarm.kind, subject=alarm.subject).exclude(pk=alarm.pk)
    now = timezone.now()
    rows = same.order_by("-opened_at", "-id")[:EARLIER_SHOWN]
    return table(
        ("Since", "Over", "What there was to know", "Note"),
        (
            (
                link(one, f"{one.opened_at:%Y-%m-%d %H:%M}"),
                ago(one.closed_at, now=now, never="open"),
                shortened(one.message),
                one.note or NOTHING,
            )
            for one in rows
        ),
        empty="It is the first of its kind here.",
    )


def _told(alarm: Alarm) -> SafeString:
    """Return which targets were told, and how that ended."""
    rows = AlarmNews.objects.filter(alarm=alarm).select_related("target", "notice")
    return table(
        ("Target", "Of", "How it went", "When", "What the other side said"),
        (_told_row(news) for news in rows.defer("target__secrets").order_by("pk")[:TOLD_SHOWN]),
        empty="No target is to be told of it.",
    )


def _told_row(news: AlarmNews) -> tuple[object, ...]:
    target: AlarmTarget = news.target
    about = word(news.event_word.tone, news.event_word.label)
    notice, now = news.notice, timezone.now()
    if notice is None:
        return link(target), about, word("info", "waiting"), NOTHING, target.error or NOTHING
    state = word(notice.state_word.tone, notice.state_word.label)
    return link(target), about, state, ago(notice.sent_at, now=now, never=NOTHING), notice.detail


_ABOUT: dict[str, tuple[str, type[Model]]] = {
    "source": ("name", Source),
    "policy": ("name", Policy),
    "alarm target": ("name", AlarmTarget),
}


def _buttons(alarm: Alarm, request: HttpRequest) -> list[Button]:
    """Return the way to what the alarm is about, where that is still there and may be seen."""
    for what, (column, model) in _ABOUT.items():
        if alarm.subject.startswith(f"{what} "):
            name = alarm.subject.removeprefix(f"{what} ")
            return way_to(what, model, {column: name}, request)
    return []


def way_to(
    what: str, model: type[Model], named: dict[str, str], request: HttpRequest
) -> list[Button]:
    """Return the way to a row that an alarm names, where it is there and this person sees it."""
    meta = model._meta  # noqa: SLF001  Django documents _meta
    if not request.user.has_perm(f"{meta.app_label}.view_{meta.model_name}"):
        return []
    rows = visible(model._default_manager.filter(**named), request.user)  # noqa: SLF001
    pk = rows.values_list("pk", flat=True).first()
    if pk is None:
        return []
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[pk])
    return [Button(f"Show the {what}", url, "arrow_forward")]
