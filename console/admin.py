"""Pages of other apps that are more here than each app knows of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import admin
from django.forms.widgets import Script
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from console.hits import MAY_SEE
from console.story.layout import DEVICE, POLICY, SNAPSHOT, SOURCE, arranged, part_panels
from console.story.panels import followers_panels, sizes_panel, why_panels
from devices.models import Device
from enforcement.admin.device import GatewayDeviceAdmin
from fleet.admin.alarm import FleetAlarmAdmin
from fleet.admin.link import LinkedDeviceAdmin
from logs.admin.device import LoggedDeviceAdmin
from policies.admin.base import Button, Overview
from policies.admin.policy import PolicyAdmin
from policies.admin.snapshot import SnapshotAdmin
from policies.admin.source import SourceAdmin
from policies.models import Alarm, Policy, Snapshot, Source

for model in (Device, Policy, Source, Snapshot, Alarm):
    admin.site.unregister(model)


class LiveMedia:
    """The script of pages with parts that are fetched by themselves."""

    js = (Script("console/live.js", defer=True),)


@admin.register(Device)
class ConsoleDeviceAdmin(LinkedDeviceAdmin, LoggedDeviceAdmin, GatewayDeviceAdmin):  # type: ignore[misc]
    """The pages of devices, with what the apps that stand on devices add to them."""

    Media = LiveMedia

    def overview(self, row: Any, request: HttpRequest) -> Overview:
        """Return what those apps say of a device, what it dropped, and the way to its set-up."""
        shown = super().overview(row, request)
        steps = Button("Set-up steps", reverse("console:set-up", args=[row.pk]), "checklist")
        shown = replace(shown, buttons=(*shown.buttons, steps))
        more = (*part_panels("device-hits", row, request), *why_panels(row, request))
        return arranged(shown, more, DEVICE)


@admin.register(Policy)
class ConsolePolicyAdmin(PolicyAdmin):
    """The pages of policies, with who follows them and what was dropped."""

    Media = LiveMedia

    def overview(self, row: Policy, request: HttpRequest) -> Overview:
        """Return what policies say, what each source adds, and how the devices do."""
        shown = super().overview(row, request)
        # Where no script runs the plain table stays.
        plain = next(panel for panel in shown.top if panel.name == "sources")
        rest = [panel for panel in shown.top if panel is not plain]
        if request.user.has_perm(MAY_SEE):
            replay = Button("Replay", reverse("console:replay", args=[row.pk]), "replay")
            shown = replace(shown, buttons=(*shown.buttons, replay))
        more = (
            *(part_panels("policy-replay", row, request) if row.held else ()),
            *part_panels("policy-sources", row, request, meanwhile=plain.body),
            *part_panels("policy-difference", row, request),
            *part_panels("policy-hits", row, request),
            *followers_panels(row, request, now=timezone.now()),
        )
        return arranged(replace(shown, top=rest), more, POLICY)


@admin.register(Source)
class ConsoleSourceAdmin(SourceAdmin):
    """The pages of sources, with what they are worth and what was dropped because of them."""

    Media = LiveMedia

    def overview(self, row: Source, request: HttpRequest) -> Overview:
        """Return what sources say, the length of its list, its worth and its hits."""
        shown = super().overview(row, request)
        more = (
            sizes_panel(row, now=timezone.now()),
            *part_panels("source-hits", row, request),
            *(part_panels("source-worth", row, request) if row.list_digest else ()),
        )
        if row.list_digest:
            url = reverse("console:worth", args=[row.pk])
            worth = Button("What is it worth?", url, "balance")
            shown = replace(shown, buttons=(*shown.buttons, worth))
        return arranged(shown, more, SOURCE)


@admin.register(Snapshot)
class ConsoleSnapshotAdmin(SnapshotAdmin):
    """The pages of snapshots, with what changed, who had them and what was dropped meanwhile."""

    Media = LiveMedia

    def overview(self, row: Snapshot, request: HttpRequest) -> Overview:
        """Return what snapshots say, and what only the other apps know."""
        shown = super().overview(row, request)
        names = ("difference", "served", "hits", "effects")
        more = [panel for name in names for panel in part_panels(f"snapshot-{name}", row, request)]
        compare, effects = (
            reverse(f"console:{name}", args=[row.pk]) for name in ("difference", "effects")
        )
        ways = (
            Button("Compare with another", compare, "difference"),
            Button("What allow entries cut", effects, "content_cut"),
        )
        return arranged(replace(shown, buttons=(*shown.buttons, *ways)), more, SNAPSHOT)


@admin.register(Alarm)
class ConsoleAlarmAdmin(FleetAlarmAdmin):
    """The pages of alarms, with the way to what they are about."""
