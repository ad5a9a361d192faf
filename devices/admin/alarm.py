"""From an alarm of a device to its page. The console registers it (`console.admin`)."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpRequest

from devices.models import Device
from policies.admin.alarm import AlarmAdmin, way_to
from policies.admin.base import Overview
from policies.models import Alarm


class DeviceAlarmAdmin(AlarmAdmin):
    """The pages of alarms, those of devices with the way to the device."""

    def overview(self, row: Alarm, request: HttpRequest) -> Overview:
        """Return what every alarm says, and the way to the device that it is about."""
        shown = super().overview(row, request)
        what, _, name = row.subject.partition(" ")
        if what != "device":
            return shown
        way = way_to("device", Device, {"nickname": name}, request)
        return replace(shown, buttons=(*shown.buttons, *way))
