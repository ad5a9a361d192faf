"""What the page of a device says of the portal that steers it, and what can be told there.

This app stands on devices, so it subclasses their pages; devices know nothing of it. The console
registers what every app made of them (`console.admin`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from devices.admin.device import DeviceAdmin
from devices.kinds.base import SettingRefused
from devices.models import Device
from devices.services import DeviceRefused
from fleet.admin.link_form import LinkForm
from fleet.link_tasks import nudge
from fleet.models import Link
from fleet.reports.link_health import link_health
from fleet.reports.link_values import steered_settings
from fleet.services.link import unlink_device
from fleet.services.link_overrides import override_setting, release_override
from fleet.services.link_poll import request_poll
from policies.admin.base import Overview, Panel, actor_of
from policies.admin.story import facts_table, with_note
from policies.fields import DecryptionFailed
from policies.tasks import nudge as nudge_policies
from policies.words import NOTHING, ago, said, word

# Does what a person asked of a device's link, and returns what to tell of it.
Deed = Callable[[Device, HttpRequest, datetime], str]


class LinkedDeviceAdmin(DeviceAdmin):
    """The pages of devices, and the portal that lays their settings down."""

    list_before_template: Any = "console/link_button.html"

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, that which links a device, and one address for each deed."""
        deeds: dict[str, Deed] = {
            "poll": _poll, "unlink": _unlink, "override": _override, "release": _release,
        }  # fmt: skip
        link = path("link/", self.admin_site.admin_view(self.link_view), name="devices_device_link")
        return [*self.deed_paths(deeds, self.deed_view), link, *super().get_urls()]

    def deed_view(self, request: HttpRequest, pk: int, deed: Deed) -> HttpResponse:
        """Do what a person asked of a link, and go back; a refusal is a message."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        device = self._changeable(request, pk)
        try:
            messages.success(request, deed(device, request, timezone.now()))
        except (DeviceRefused, SettingRefused, DecryptionFailed) as refused:
            messages.error(request, str(refused))
        nudge()
        nudge_policies()
        return HttpResponseRedirect(self.page_of(pk))

    def link_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for the ID and the key of a device, and link it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = LinkForm(request.POST if request.method == "POST" else None)
        if request.method == "POST":
            linked = form.link(user=request.user, actor=actor_of(request), now=timezone.now())
            if linked is not None:
                nudge_policies()
                for sentence in linked.refused:
                    messages.warning(request, sentence)
                messages.success(request, f"{linked.device}: linked to {linked.link.portal}.")
                return HttpResponseRedirect(self.page_of(linked.device.pk))
        context = {
            **self.admin_site.each_context(request),
            "title": "Link a device to a portal",
            "opts": self.opts,
            "form": form,
            "back": reverse("admin:devices_device_changelist"),
        }
        return TemplateResponse(request, "console/link_form.html", context)

    def overview(self, row: Any, request: HttpRequest) -> Overview:
        """Return what every device's page says, and where its settings come from."""
        shown = super().overview(row, request)
        if not row.portal:
            return shown
        link = Link.objects.select_related("device__policy").get(device=row)
        panel = self._panel(link, request, now=timezone.now())
        return replace(shown, top=(*shown.top, panel))

    def _panel(self, link: Link, request: HttpRequest, *, now: datetime) -> Panel:
        try:
            steered = steered_settings(link)
        except DecryptionFailed as error:
            return Panel("Web Automation", format_html("<p>{}</p>", error), name="link")
        device = link.device
        context = {
            "facts": _facts(link, now=now),
            "overridden": [
                {"name": one.name, "portal": said(one.laid_down), "here": said(one.in_force)}
                for one in steered
                if one.is_overridden
            ],
            "names": [one.name for one in steered],
            "may_change": self.has_change_permission(request, device),
            "urls": {verb: self._url(verb, device)
                     for verb in ("poll", "unlink", "override", "release")},
            "device": device,
        }  # fmt: skip
        body = render_to_string("console/link.html", context, request)
        return Panel("Web Automation", body, link_health(link).tone, name="link")


def _facts(link: Link, *, now: datetime) -> SafeString:
    health = link_health(link)
    offset = NOTHING if link.clock_offset is None else f"{link.clock_offset:+.0f} s"
    portal = f"{link.portal}, zones of {link.domain}"
    return facts_table(
        [
            ("Portal", portal),
            ("State", with_note(word(health.tone, health.label), health.detail)),
            ("Settings", f"serial {link.serial}"),
            ("Changed", ago(link.changed_at, now=now)),
            ("Answered last", ago(link.reached_at, now=now)),
            ("Status told", ago(link.reported_at, now=now)),
            ("Clock ahead", offset),
        ]
    )


def _poll(device: Device, request: HttpRequest, now: datetime) -> str:  # noqa: ARG001
    request_poll(device=device, now=now)
    return f"{device}: its portal is asked within seconds; reload this page to see how it ended."


def _unlink(device: Device, request: HttpRequest, now: datetime) -> str:
    unlink_device(device=device, actor=actor_of(request), now=now)
    return f"{device}: linked no more. Its settings stay as they are, and are changed here."


def _override(device: Device, request: HttpRequest, now: datetime) -> str:
    name, value = request.POST.get("setting", ""), request.POST.get("value", "")
    override_setting(device=device, name=name, value=value, actor=actor_of(request), now=now)
    return f"{device}: {name} is set here now, whatever the portal says."


def _release(device: Device, request: HttpRequest, now: datetime) -> str:
    name = request.POST.get("setting", "")
    release_override(device=device, name=name, actor=actor_of(request), now=now)
    return f"{device}: {name} is as the portal says again."
