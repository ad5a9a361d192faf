"""The logs of a device on its page, and what can be told to them there.

This app stands on devices, so it subclasses their pages; devices know nothing of it. The console
registers what every app made of them (`console.admin`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern
from django.utils import timezone

from devices.admin.device import DeviceAdmin
from devices.models import Device
from logs import services
from logs.admin.device_panel import logs_panel
from logs.admin.parts import ledger_url
from logs.models import Spool
from logs.tasks import nudge
from policies.admin.base import Overview, actor_of

# Does what a person asked of a device's logs.
Deed = Callable[[Device, HttpRequest, datetime], None]


class LoggedDeviceAdmin(DeviceAdmin):
    """The pages of devices, and what is known of their logs."""

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, and one address for each deed."""
        deeds: dict[str, Deed] = {"rotate-logs": _rotate, "retry-uploads": _retry}
        return [*self.deed_paths(deeds, self.logs_view), *super().get_urls()]

    def logs_view(self, request: HttpRequest, pk: int, deed: Deed) -> HttpResponse:
        """Do what a person asked of a device's logs, and go to its ledger."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        device = self._changeable(request, pk)
        if device.is_sample:
            messages.info(request, f"{device} is a sample: it receives nothing.")
            return HttpResponseRedirect(self.page_of(pk))
        deed(device, request, timezone.now())
        nudge()
        spool = Spool.objects.filter(device=device).first()
        return HttpResponseRedirect(ledger_url(spool) if spool else self.page_of(pk))

    def overview(self, row: Any, request: HttpRequest) -> Overview:
        """Return what every device's page says, and what is known of its logs."""
        shown = super().overview(row, request)
        if row.is_sample:
            return shown
        may = self.has_change_permission(request, row)
        panel = logs_panel(row, request, now=timezone.now(), may_change=may)
        return replace(shown, bottom=(*shown.bottom, panel))


def _rotate(device: Device, request: HttpRequest, now: datetime) -> None:
    services.ask_rotation(device=device, now=now)
    messages.success(
        request,
        f"{device}: what is open becomes a batch within seconds and is uploaded then; reload this "
        f"page to see how it ended.",
    )


def _retry(device: Device, request: HttpRequest, now: datetime) -> None:
    waiting = services.retry_uploads(device=device, actor=actor_of(request), now=now)
    if waiting:
        messages.success(request, f"{device}: tried again within seconds: {waiting:,} batches.")
    else:
        messages.info(request, f"{device}: nothing waits to be uploaded.")
