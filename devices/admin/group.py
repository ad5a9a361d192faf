"""The pages of groups of devices: which devices, and whom they are for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from devices.models import DeviceGroup
from devices.services.groups import (
    GroupRefused,
    change_group,
    create_group,
    delete_group,
    subject_of,
)
from policies.admin.base import Overview, Panel
from policies.admin.writes import ServiceAdmin, ServiceForm
from policies.words import count, link, table

DEVICES_SHOWN = 200


class GroupForm(ServiceForm):
    """What a group is called, and whom it is for."""

    name = forms.CharField(max_length=64, widget=UnfoldAdminTextInputWidget())
    note = forms.CharField(required=False, max_length=2000, widget=UnfoldAdminTextareaWidget())
    people = forms.ModelMultipleChoiceField(
        User.objects.order_by("username"),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget(),
        help_text="They see only the devices of their groups. Who is in no group sees all.",
    )

    class Meta:
        model = DeviceGroup
        fields = ("name", "note", "people")

    def write(self) -> DeviceGroup | None:
        """Make the group, or change what differs."""
        told = self.cleaned_data
        try:
            group = self.instance if self.instance.pk else None
            if group is None:
                group = create_group(
                    name=told["name"], note=told["note"], actor=self.actor, now=self.now
                )
            return change_group(
                group=DeviceGroup.objects.get(pk=group.pk), name=told["name"], note=told["note"],
                people=told["people"], actor=self.actor, now=self.now,
            )  # fmt: skip
        except GroupRefused as refused:
            self.refuse("name", refused)
        return None


@admin.register(DeviceGroup)
class DeviceGroupAdmin(ServiceAdmin):
    form = GroupForm
    refusals = (GroupRefused,)
    list_display = ("name", "device_count", "people_count", "note")
    search_fields = ("name", "note")
    search_help_text = "Name or note"
    ordering = ("name", "id")
    fields = ("name", "note", "people")

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeviceGroup]:
        """Return the groups with how many devices and people each has."""
        groups: QuerySet[DeviceGroup] = super().get_queryset(request)
        return groups.annotate(
            devices_held=Count("devices", distinct=True), people_held=Count("people", distinct=True)
        )

    def subject_of(self, row: Any) -> str:
        """Return how the record names a group."""
        return subject_of(row)

    def overview(self, row: DeviceGroup, request: HttpRequest) -> Overview:  # noqa: ARG002
        """Return its devices; each is put into a group on its own page."""
        devices = row.devices.order_by("nickname", "id")[:DEVICES_SHOWN]
        shown = table(
            ("Device",),
            ((link(device),) for device in devices),
            empty="It has no devices yet: choose the group on the page of a device.",
        )
        return Overview(bottom=(Panel("Devices", shown),))

    def held_by(self, row: DeviceGroup) -> QuerySet[Any]:
        """Return its devices."""
        devices: QuerySet[Any] = row.devices.order_by("nickname", "id")
        return devices

    def remove(self, row: DeviceGroup, *, actor: str, now: datetime) -> None:
        """Delete a group that is empty."""
        delete_group(group=row, actor=actor, now=now)

    @display(description="devices", ordering="devices_held")
    def device_count(self, group: Any) -> str:
        """Return how many devices it has."""
        return count(group.devices_held)

    @display(description="people", ordering="people_held")
    def people_count(self, group: Any) -> str:
        """Return how many people it is for."""
        return count(group.people_held)
