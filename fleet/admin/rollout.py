from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from devices.kinds.base import SettingRefused
from devices.models import DeviceGroup
from fleet.admin.typed import SettingsLines, told_lines
from fleet.models import Rollout, RolloutState
from fleet.reports.trial import Stand, Standing, of_state, standings_of
from fleet.services.rollouts import (
    Intended,
    add_rollout,
    remove_rollout,
    resume_rollout,
    start_rollout,
    stop_rollout,
    subject_of,
    undo_rollout,
)
from fleet.tasks import nudge
from policies.admin.base import Button, Overview, Panel, actor_of
from policies.admin.story import changes_panels, facts_table
from policies.admin.writes import ServiceAdmin, ServiceForm
from policies.fields import DecryptionFailed
from policies.models import Policy
from policies.services import Refused
from policies.words import NOTHING, ago, link, shortened, table, word

STANDINGS_SHOWN = 100
_Deed = Callable[..., Rollout]
_DEEDS: dict[str, _Deed] = {
    "start": start_rollout, "stop": stop_rollout, "resume": resume_rollout, "undo": undo_rollout,
}  # fmt: skip
# What may be done in each state: the verb, the words on the button, its icon.
_BUTTONS: dict[str, tuple[tuple[str, str, str], ...]] = {
    RolloutState.DRAFT: (("start", "Start", "play_arrow"),),
    RolloutState.CANARY: (("stop", "Stop", "stop"), ("undo", "Undo", "undo")),
    RolloutState.STOPPED: (("resume", "Try again", "replay"), ("undo", "Undo", "undo")),
    RolloutState.DONE: (("undo", "Undo", "undo"),),
    RolloutState.UNDONE: (),
}
_SENTENCES = {
    RolloutState.DRAFT: "Nothing is changed yet. Started, it changes the first group only.",
    RolloutState.CANARY: "The first group has it. It goes onward when every device of that group "
    "has taken it over and stayed healthy for its time.",
    RolloutState.DONE: "All of its groups have it.",
    RolloutState.STOPPED: "It goes no further; the first group keeps it until it is undone.",
    RolloutState.UNDONE: "What the groups inherited before is in force again.",
}


class RolloutForm(ServiceForm):
    """A change to groups, and in what order they get it."""

    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget())
    settings = SettingsLines(label="Settings")
    policy = forms.ModelChoiceField(
        Policy.objects.none(), label="Policy to follow", required=False,
        empty_label="stays as it is", widget=UnfoldAdminSelectWidget(),
    )  # fmt: skip
    canary = forms.ModelChoiceField(
        DeviceGroup.objects.none(), label="First group", widget=UnfoldAdminSelectWidget(),
        help_text="Its devices are watched.",
    )  # fmt: skip
    onward = forms.ModelMultipleChoiceField(
        DeviceGroup.objects.none(), label="Goes on to",
        widget=UnfoldAdminSelect2MultipleWidget(),
        help_text="When the first group stayed healthy.",
    )  # fmt: skip
    minutes = forms.IntegerField(
        min_value=1, max_value=30 * 24 * 60, initial=60, widget=UnfoldAdminIntegerFieldWidget(),
        help_text="How long the first group has to stay healthy.",
    )  # fmt: skip

    class Meta:
        model = Rollout
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        shared = Policy.objects.filter(is_private=False).only("name")
        self.offer("policy", shared.order_by("name", "id"))
        for name in ("canary", "onward"):
            self.offer(name, DeviceGroup.objects.order_by("name", "id"))

    def write(self) -> Rollout | None:
        """Lay it down."""
        told = {**self.cleaned_data, "onward": tuple(self.cleaned_data["onward"])}
        try:
            return add_rollout(intended=Intended(**told), actor=self.actor, now=self.now)
        except SettingRefused as refused:
            self.refuse("settings", refused)
        return None


@admin.register(Rollout)
class RolloutAdmin(ServiceAdmin):
    """The pages of rollouts: laid down once, and then moved by deeds, never changed."""

    form = RolloutForm
    form_has_own_fields = True
    refusals = (Refused,)
    list_display = ("name", "state_shown", "canary_shown", "changes", "begun", "detail_line")
    list_filter = ("state",)
    list_select_related = ("canary", "policy")
    search_fields = ("name", "detail")
    search_help_text = "Name or reason"
    ordering = ("-created_at", "-id")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002
        """Return what is asked; what a rollout is stands in its panels."""
        names = ("name", "settings", "policy", "canary", "onward", "minutes")
        return [(None, {"fields": names})] if obj is None else []

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for one that is laid down: it is moved, and not changed."""
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for one that is on trial: it is stopped first."""
        is_on_trial = obj is not None and obj.state == RolloutState.CANARY
        return super().has_delete_permission(request, obj) and not is_on_trial

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, and one address for each deed."""
        return [*self.deed_paths(_DEEDS, self.deed_view), *super().get_urls()]

    def deed_view(self, request: HttpRequest, pk: int, deed: _Deed) -> HttpResponse:
        """Move a rollout, and go back to its page; a refusal is a message."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self._may_move(request):
            raise PermissionDenied
        rollout = self._there(self.get_object(request, str(pk)), pk)
        try:
            moved = deed(rollout=rollout, actor=actor_of(request), now=timezone.now())
        except (Refused, SettingRefused, DecryptionFailed) as refused:
            messages.error(request, f"{refused}.")
        else:
            messages.success(request, f"{moved}: {moved.state_word.label}.")
        nudge()
        return HttpResponseRedirect(self.page_of(pk))

    def _may_move(self, request: HttpRequest) -> bool:
        return request.user.has_perm("fleet.change_rollout")

    def subject_of(self, row: Any) -> str:
        """Return how the record names a rollout."""
        return subject_of(row)

    def overview(self, row: Rollout, request: HttpRequest) -> Overview:
        """Return where it stands, how its first group does, and what may be done."""
        now, state = timezone.now(), row.state_word
        deeds = _BUTTONS[state] if self._may_move(request) else ()
        standings = standings_of(row, now=now) if state == RolloutState.CANARY else []
        return Overview(
            headline=word(state.tone, str(state.label)),
            sentence=" ".join(part for part in (_SENTENCES[state], row.detail) if part),
            buttons=[
                Button(label, self._url(verb, row), icon, is_post=True, is_quiet=verb != "start")
                for verb, label, icon in deeds
            ],
            top=(
                Panel("What it changes", _facts(row, now=now), name="facts", is_half=True),
                *changes_panels(subject_of(row), request, now=now),
                *_standings(standings),
            ),
        )

    def remove(self, row: Rollout, *, actor: str, now: datetime) -> None:
        """Remove one that is not on trial."""
        remove_rollout(rollout=row, actor=actor, now=now)

    @display(description="state", ordering="state")
    def state_shown(self, rollout: Rollout) -> SafeString:
        """Return where it stands, as a word."""
        return word(rollout.state_word.tone, str(rollout.state_word.label))

    @display(description="first group", ordering="canary__name")
    def canary_shown(self, rollout: Rollout) -> SafeString:
        """Return the first group."""
        return link(rollout.canary)

    @display(description="changes")
    def changes(self, rollout: Rollout) -> str:
        """Return what it changes."""
        policy = f"policy {rollout.policy.name}" if rollout.policy else ""
        return shortened(
            ", ".join(one for one in (told_lines(rollout.settings), policy) if one), most=80
        )

    @display(description="begun", ordering="begun_at")
    def begun(self, rollout: Rollout) -> SafeString:
        """Return when it was started last."""
        return ago(rollout.begun_at, now=timezone.now(), never=NOTHING)

    @display(description="reason")
    def detail_line(self, rollout: Rollout) -> str:
        """Return why it stands where it stands."""
        return shortened(rollout.detail)


def _facts(rollout: Rollout, *, now: datetime) -> SafeString:
    others = rollout.onward.order_by("name", "id")
    return facts_table(
        [
            ("Settings", told_lines(rollout.settings) or NOTHING),
            ("Policy", link(rollout.policy)),
            ("First group", link(rollout.canary)),
            ("Goes on to", format_html_join(", ", "{}", ((link(one),) for one in others))),
            ("Has to stay healthy", f"{rollout.minutes:,} minutes"),
            ("Begun", ago(rollout.begun_at, now=now, never="not yet")),
            ("Healthy since", ago(rollout.healthy_since, now=now, never=NOTHING)),
            ("Ended", ago(rollout.ended_at, now=now, never=NOTHING)),
            ("Laid down by", rollout.created_by),
        ]
    )


def _to_know(one: Standing) -> str:
    if one.takes_it:
        return one.said.detail
    return f"{one.said.detail.rstrip('.')}. It has its own value, and so tries nothing."


def _standings(standings: list[Standing]) -> tuple[Panel, ...]:
    if not standings:
        return ()
    worst_first = (Stand.TROUBLED, Stand.WAITING, Stand.HEALTHY)
    order = [one for state in worst_first for one in of_state(standings, state)]
    body = table(
        ("Device entry", "Does", "What to know"),
        (
            (link(one.entry), word(one.said.tone, one.said.label), _to_know(one))
            for one in order[:STANDINGS_SHOWN]
        ),
        empty="",
    )
    healthy = len(of_state(standings, Stand.HEALTHY))
    return (Panel(f"First group: {healthy:,} of {len(standings):,} healthy", body, name="trial"),)
