"""From an alarm of a device entry to its page. The console registers it (`console.admin`)."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpRequest

from fleet.models import Entry
from logs.admin.alarm import LogAlarmAdmin
from policies.admin.alarm import way_to
from policies.admin.base import Overview
from policies.models import Alarm


class FleetAlarmAdmin(LogAlarmAdmin):
    """The pages of alarms, those of device entries with the way to the entry."""

    def overview(self, row: Alarm, request: HttpRequest) -> Overview:
        """Return what every alarm says, and the way to the entry that it is about."""
        shown = super().overview(row, request)
        what, _, name = row.subject.partition(" ")
        if what != "entry":
            return shown
        way = way_to("entry", Entry, {"nickname": name}, request)
        return replace(shown, buttons=(*shown.buttons, *way))
