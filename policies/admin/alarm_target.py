from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from policies.admin.base import Button, Overview, Panel, actor_of
from policies.admin.source import SettingsField
from policies.admin.writes import ServiceAdmin, ServiceForm
from policies.models import AlarmNotice, AlarmTarget, TargetKind
from policies.services import (
    Made,
    Refused,
    change_target,
    create_target,
    delete_target,
    renew_secret,
    send_test,
)
from policies.services.alarm_notifiers import EXAMPLES
from policies.services.alarm_targets import TARGET_COLUMNS, TOLD_KINDS
from policies.tasks import nudge_notices
from policies.words import NOTHING, ago, count, table, word

NOTICES_SHOWN = 20


class TargetForm(ServiceForm):
    kind = forms.ChoiceField(
        choices=TargetKind.choices,
        widget=UnfoldAdminSelectWidget(),
        help_text="It stays as it is made.",
    )
    settings = SettingsField(
        widget=UnfoldAdminTextareaWidget({"rows": 8, "spellcheck": "false"}),
        help_text=format_html_join(
            SafeString("<br>"),
            "{}: {}",
            ((TargetKind(kind).label, example) for kind, example in EXAMPLES.items()),
        ),
    )
    kinds = forms.MultipleChoiceField(
        label="Only these kinds",
        choices=[(kind.value, kind.label) for kind in TOLD_KINDS],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text="None chosen: all.",
    )
    made: Made | None = None

    class Meta:
        model = AlarmTarget
        fields = TARGET_COLUMNS

    def write(self) -> AlarmTarget:
        """Make or change the target."""
        values = dict(self.cleaned_data)
        if self.instance.pk:
            target = AlarmTarget.objects.get(pk=self.instance.pk)
            return change_target(target=target, changes=values, actor=self.actor, now=self.now)
        named = {key: values.pop(key) for key in ("name", "kind", "settings")}
        self.made = create_target(**named, options=values, actor=self.actor, now=self.now)
        return self.made.target


@admin.register(AlarmTarget)
class AlarmTargetAdmin(ServiceAdmin):
    form = TargetForm
    refusals = (Refused,)
    list_display = ("name", "kind", "state_shown", "told_of", "waiting", "last", "error")
    list_filter = ("kind", "is_enabled")
    search_fields = ("name", "error")
    search_help_text = "Name or error"
    ordering = ("name", "id")
    fieldsets = (
        (None, {"fields": ("name", "kind", "settings")}),
        ("What it is told of", {"fields": ("is_enabled", "least_severity", "kinds")}),
    )

    def overview(self, row: AlarmTarget, request: HttpRequest) -> Overview:
        """Return whether it is reached, what it was told, and what may be done."""
        buttons = []
        if self.has_change_permission(request, row):
            test = reverse("admin:policies_alarmtarget_test", args=[row.pk])
            buttons.append(Button("Send a test", test, "send", is_post=True))
            if row.kind == TargetKind.WEBHOOK:
                renew = reverse("admin:policies_alarmtarget_renew", args=[row.pk])
                buttons.append(
                    Button("Make a new secret", renew, "key", is_post=True, is_quiet=True)
                )
        return Overview(
            headline=_state(row),
            sentence=row.error or _calm(row),
            buttons=buttons,
            bottom=(Panel("Messages", _notices(row)),),
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AlarmTarget]:
        """Return the targets, each with how much waits for it; a lost key hides none."""
        rows: QuerySet[AlarmTarget] = super().get_queryset(request)
        unsent = Count("news", filter=Q(news__notice=None) | Q(news__notice__state="waiting"))
        return rows.defer("secrets").annotate(unsent=unsent)

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, and the two deeds."""
        test = self.admin_site.admin_view(self.test_view)
        renew = self.admin_site.admin_view(self.renew_view)
        return [
            path("<int:pk>/test/", test, name="policies_alarmtarget_test"),
            path("<int:pk>/renew-secret/", renew, name="policies_alarmtarget_renew"),
            *super().get_urls(),
        ]

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send a test, and go back to the target's page with what the other side said."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        tried = send_test(target=self._changeable(request, pk), now=timezone.now())
        if tried.arrived:
            messages.success(request, f"The test arrived: {tried.detail}.")
        else:
            messages.error(request, f"The test did not arrive. {tried.detail}")
        nudge_notices()
        return HttpResponseRedirect(self.page_of(pk))

    def renew_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make another secret and show it, this once."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        target = self._changeable(request, pk)
        try:
            made = renew_secret(target=target, actor=actor_of(request), now=timezone.now())
        except Refused as refused:
            messages.error(request, f"{refused}.")
            return HttpResponseRedirect(self.page_of(pk))
        return self._secret_page(request, made, is_renewed=True)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the secret of a new webhook, this once; else go on as any page does."""
        made: Made | None = getattr(request, "made_target", None)
        if made is not None and made.secret:
            return self._secret_page(request, made, is_renewed=False)
        return super().response_add(request, obj, post_url_continue)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:  # noqa: ARG002
        """Send what waits; the row itself is written."""
        request.made_target = form.made  # type: ignore[attr-defined]
        nudge_notices()

    def remove(self, row: AlarmTarget, *, actor: str, now: datetime) -> None:
        """Delete a target."""
        delete_target(target=row, actor=actor, now=now)

    def _secret_page(self, request: HttpRequest, made: Made, *, is_renewed: bool) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Secret of {made.target}",
            "opts": self.opts,
            "target": made.target,
            "secret": made.secret,
            "is_renewed": is_renewed,
            "page": self.page_of(made.target.pk),
        }
        return TemplateResponse(request, "console/secret.html", context)

    @display(description="state")
    def state_shown(self, target: AlarmTarget) -> SafeString:
        """Return whether it is reached, as a word."""
        return _state(target)

    @display(description="told of")
    def told_of(self, target: AlarmTarget) -> str:
        """Return what it is told of."""
        kinds = f"{len(target.kinds)} kinds" if target.kinds else "all kinds"
        least = "" if target.least_severity == "warning" else f", {target.least_severity} only"
        return f"{kinds}{least}"

    @display(description="waiting", ordering="unsent")
    def waiting(self, target: Any) -> str:
        """Return how many news it was not told yet."""
        return count(target.unsent)

    @display(description="last message", ordering="sent_at")
    def last(self, target: AlarmTarget) -> SafeString:
        """Return when a message arrived there last."""
        return ago(target.sent_at, now=timezone.now())


def _state(target: AlarmTarget) -> SafeString:
    if not target.is_enabled:
        return word("neutral", "turned off")
    if target.failing_since is not None:
        return word("danger", "failing")
    return word("success", "reached") if target.sent_at else word("info", "nothing sent yet")


def _calm(target: AlarmTarget) -> str:
    if not target.is_enabled:
        return "It is told nothing; what happens meanwhile it is not told later."
    return "It is told once when an alarm opens, and once when it is over."


def _notices(target: AlarmTarget) -> SafeString:
    rows = AlarmNotice.objects.filter(target=target).annotate(number=Count("news"))
    now = timezone.now()
    return table(
        ("Written", "News", "State", "Arrived", "Attempts", "What the other side said"),
        (
            (
                ago(one.made_at, now=now),
                count(one.number),
                word(one.state_word.tone, one.state_word.label),
                ago(one.sent_at, now=now, never=NOTHING),
                count(one.attempts),
                one.detail or NOTHING,
            )
            for one in rows.order_by("-made_at", "-id")[:NOTICES_SHOWN]
        ),
        empty="It was told nothing yet.",
    )
