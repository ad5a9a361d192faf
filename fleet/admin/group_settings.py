from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from devices.kinds import KINDS
from devices.kinds.base import SettingRefused
from devices.models import DeviceGroup
from devices.services.groups import subject_of
from fleet.admin.entry_form import settings_fieldsets
from fleet.admin.steering_fields import (
    HELP_OF_GROUP,
    PREFIX,
    SteeringForm,
    changes_of,
    field_for,
    initial_of,
    settings_of,
)
from fleet.admin.typed import told_lines
from fleet.models import GroupSettings
from fleet.reports.effective import PERSONAL
from fleet.services.groups import set_group_settings
from fleet.tasks import nudge
from policies.admin.base import Overview
from policies.admin.writes import ServiceAdmin
from policies.fields import DecryptionFailed
from policies.models import Policy
from policies.words import count, link, said, shortened, word


class GroupSettingsForm(SteeringForm):
    """What all device entries of a group inherit."""

    group = forms.ModelChoiceField(DeviceGroup.objects.none(), widget=UnfoldAdminSelectWidget())
    policy = forms.ModelChoiceField(
        Policy.objects.none(),
        label="Policy to follow",
        required=False,
        empty_label="none",
        widget=UnfoldAdminSelectWidget(),
    )

    class Meta:
        model = GroupSettings
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settings = settings_of(KINDS, without=PERSONAL)
        for name, setting in self.settings.items():
            inherited = "" if setting.is_secret else said(setting.clean(setting.default))
            self.fields[f"{PREFIX}{name}"] = field_for(setting, inherited=inherited, word="default")
        shared = Policy.objects.filter(is_private=False).only("name")
        self.offer("policy", shared.order_by("name", "id"))
        self.offer("group", DeviceGroup.objects.order_by("name"))
        self.show_as_seen(_facts(self.instance) if self.instance.pk else ())
        if self.instance.pk:
            self.initial.update(initial_of(self.instance.settings))
            self.initial.update(group=self.instance.group_id, policy=self.instance.policy_id)
            self.fields["group"].disabled = True

    def write(self) -> GroupSettings | None:
        """Lay down what differs."""
        group = self.cleaned_data["group"]
        DeviceGroup.objects.select_for_update().filter(pk=group.pk).order_by("pk").first()
        held = GroupSettings.objects.filter(group=group).first()
        if held is not None and not self.instance.pk:
            self.refuse("group", f"Something is laid down for {group} already; change that.")
            return None
        if held is not None:
            self.refuse_outdated(_facts(held))
        try:
            return set_group_settings(
                group=group,
                settings=changes_of(
                    self.cleaned_data, self.settings, held.settings if held else {}
                ),
                policy=self.cleaned_data["policy"],
                actor=self.actor,
                now=self.now,
            )
        except SettingRefused as refused:
            self.refuse(f"{PREFIX}{refused.setting}", f"Use {refused.accepted}.")
        except DecryptionFailed as error:
            self.refuse("", f"{error}.")
        return None


def _facts(row: GroupSettings) -> list[object]:
    """Return what the form shows of what is laid down."""
    return [row.settings, row.policy_id]


@admin.register(GroupSettings)
class GroupSettingsAdmin(ServiceAdmin):
    form = GroupSettingsForm
    form_has_own_fields = True
    list_display = ("group_name", "policy_shown", "laid_down", "entry_count")
    search_fields = ("group__name", "policy__name")
    search_help_text = "Group or policy"
    ordering = ("group__name", "id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[GroupSettings]:
        """Return what is laid down, with how many entries inherit it."""
        rows: QuerySet[GroupSettings] = super().get_queryset(request)
        held = Count("group__entries")
        return rows.select_related("group", "policy").annotate(entries_held=held)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:  # noqa: ARG002
        """Bring it to the primary; the row itself is written."""
        nudge()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the settings by purpose."""
        if obj is not None and not self.has_change_permission(request, obj):
            return [(None, {"fields": ("group_name", "policy_shown", "laid_down")})]
        settings = settings_of(KINDS, without=PERSONAL)
        fields = settings_fieldsets(KINDS, settings, told=HELP_OF_GROUP)
        return [(None, {"fields": ("group", "seen")}), *fields]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Return False: settings are taken back one by one, and the row goes with its group."""
        return False

    def subject_of(self, row: Any) -> str:
        """Return how the record names the group."""
        return subject_of(row.group)

    def overview(self, row: Any, request: HttpRequest) -> Overview:  # noqa: ARG002
        """Return whom it is for."""
        return Overview(
            headline=word("info", f"{count(row.entries_held)} device entries"),
            sentence="They inherit this, and have it within five minutes of a change.",
        )

    @display(description="group", ordering="group__name")
    def group_name(self, row: GroupSettings) -> str:
        """Return the group."""
        return row.group.name

    @display(description="policy", ordering="policy__name")
    def policy_shown(self, row: GroupSettings) -> SafeString:
        """Return the policy its entries follow."""
        return link(row.policy)

    @display(description="laid down")
    def laid_down(self, row: GroupSettings) -> str:
        """Return the settings it lays down."""
        return shortened(told_lines(row.settings)) or "nothing"

    @display(description="entries", ordering="entries_held")
    def entry_count(self, row: Any) -> str:
        """Return how many entries inherit it."""
        return count(row.entries_held)
