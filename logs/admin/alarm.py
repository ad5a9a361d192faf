"""From an alarm of logs to what it is about. The console registers it (`console.admin`)."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpRequest
from django.urls import reverse

from devices.admin.alarm import DeviceAlarmAdmin
from logs.admin.parts import ledger_url
from logs.models import Receiver, Spool
from policies.admin.base import Button, Overview
from policies.models import Alarm


class LogAlarmAdmin(DeviceAlarmAdmin):
    """The pages of alarms, those of logs with the way to a ledger or a receiver."""

    def overview(self, row: Alarm, request: HttpRequest) -> Overview:
        """Return what every alarm says, and the way to what one of logs is about."""
        shown = super().overview(row, request)
        return replace(shown, buttons=(*shown.buttons, *_buttons(row, request)))


def _buttons(alarm: Alarm, request: HttpRequest) -> list[Button]:
    what, _, name = alarm.subject.partition(" ")
    if what == "device" and request.user.has_perm("devices.view_device"):
        spool = Spool.objects.filter(device__nickname=name).first()
        return [Button("Show the ledger", ledger_url(spool), "arrow_forward")] if spool else []
    if what == "receiver" and request.user.has_perm("logs.view_receiver"):
        found = Receiver.objects.filter(node=name).first()
        if found is not None:
            url = reverse("admin:logs_receiver_change", args=[found.pk])
            return [Button("Show the receiver", url, "arrow_forward")]
    return []
