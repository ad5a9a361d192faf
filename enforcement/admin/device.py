"""What gateways can be told from their pages.

This app stands on devices, so it subclasses their pages; devices know nothing of it. The console
registers what every app made of them (`console.admin`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from devices.admin.device import DeviceAdmin
from devices.models import Device, GatewayRelease
from devices.services import (
    GatewayRefused,
    gateway_of,
    pause_gateway,
    resume_gateway,
)
from devices.services.gateways import PAUSE_MOST
from enforcement import services
from enforcement.admin.application import applications_table
from enforcement.admin.inquiry import inquiry_context
from enforcement.models import Application, Inquiry, Question
from enforcement.tasks import nudge
from policies.admin.base import Button, Overview, Panel, actor_of
from policies.visible import visible

APPLICATIONS_SHOWN = 5
RELEASES_SHOWN = 5
PAUSES = ((15, "15 minutes"), (60, "1 hour"), (240, "4 hours"))

# Does what a person asked of a gateway and returns where to go then; "" for the device's page.
Deed = Callable[[Device, HttpRequest, datetime], str]


class PauseForm(forms.Form):
    """How long listed packets are to pass: some minutes, or until a moment."""

    minutes = forms.IntegerField(
        required=False, min_value=1, max_value=PAUSE_MOST // timedelta(minutes=1)
    )
    until = forms.DateTimeField(required=False)

    def end(self, *, now: datetime) -> datetime:
        """Return when it is to end; raises GatewayRefused."""
        if self.is_valid():
            minutes, until = self.cleaned_data["minutes"], self.cleaned_data["until"]
            if minutes is not None:
                return now + timedelta(minutes=minutes)
            if until is not None:
                return until  # type: ignore[no-any-return]
        raise GatewayRefused("say how long: choose one of the times, or type when it is to end")


class GatewayDeviceAdmin(DeviceAdmin):
    """The pages of devices, and what the Linux gateways among them can be told."""

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, one address for each deed, and the page of a question."""
        deeds: dict[str, Deed] = {
            "plan": _plan, "check": _check, "apply": _apply, "pause": _pause, "resume": _resume,
        }  # fmt: skip
        inquiry = path(
            "<int:pk>/inquiries/<int:inquiry>/",
            self.admin_site.admin_view(self.inquiry_view),
            name="devices_device_inquiry",
        )
        return [*self.deed_paths(deeds, self.gateway_view), inquiry, *super().get_urls()]

    def gateway_view(self, request: HttpRequest, pk: int, deed: Deed) -> HttpResponse:
        """Do what a person asked of a gateway, and go on; a refusal is a message."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        device = self._changeable(request, pk)
        try:
            then = deed(device, request, timezone.now())
        except (GatewayRefused, services.TooManyQuestions, services.PlanOutdated) as refused:
            messages.error(request, str(refused))
            return HttpResponseRedirect(self.page_of(pk))
        nudge(device.node)
        return HttpResponseRedirect(then or self.page_of(pk))

    def inquiry_view(self, request: HttpRequest, pk: int, inquiry: int) -> HttpResponse:
        """Show a question, and its answer once it is there; until then the page reloads itself."""
        device = self._seen(request, pk)
        asked = get_object_or_404(
            Inquiry.objects.select_related("gateway__device"), pk=inquiry, gateway__device=pk
        )
        what = "Plan for" if asked.question == Question.PLAN else "Check of"
        context = {
            **self.admin_site.each_context(request),
            **inquiry_context(asked, device, now=timezone.now()),
            "title": f"{what} {device}",
            "opts": self.opts,
            "original": device,
            "may_apply": self.has_change_permission(request, device),
        }
        return TemplateResponse(request, "console/inquiry.html", context)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, str] | None = None
    ) -> TemplateResponse:
        """Show the devices, and which kernels still hold the list of one that is gone."""
        if request.method == "GET":
            for one in visible(GatewayRelease.objects.all(), request.user)[:RELEASES_SHOWN]:
                messages.warning(request, one.sentence)
        return super().changelist_view(request, extra_context)

    def overview(self, row: Any, request: HttpRequest) -> Overview:
        """Return what every device's page says and, of a gateway, what to tell it and its past."""
        shown = super().overview(row, request)
        if not row.is_gateway:
            return shown
        now = timezone.now()
        may_change = self.has_change_permission(request, row)
        pause = self._pause_panels(row, request, now=now) if may_change else ()
        return replace(
            shown,
            buttons=(*self._gateway_buttons(row), *map(_quiet, shown.buttons))
            if may_change
            else shown.buttons,
            top=(*shown.top, *pause),
            bottom=(_history(row, now=now), *shown.bottom),
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Send workers to what the service left due, and the enforcer of a gateway."""
        super().save_model(request, obj, form, change)
        _nudge_enforcer(obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Remove a device; the enforcer of a gateway lets its kernel go."""
        super().delete_model(request, obj)
        _nudge_enforcer(obj)

    def _gateway_buttons(self, device: Device) -> tuple[Button, ...]:
        plan = Button("Plan", self._url("plan", device), "fact_check", is_post=True)
        apply = Button("Apply now", self._url("apply", device), "bolt", is_post=True)
        check = Button("Check", self._url("check", device), "troubleshoot", is_post=True)
        return (plan, _quiet(apply), _quiet(check))

    def _pause_panels(
        self, device: Device, request: HttpRequest, *, now: datetime
    ) -> tuple[Panel, ...]:
        """Return the panel that pauses a gateway, or ends its pause."""
        until = device.gateway.paused_until
        is_paused = until is not None and now < until
        context: dict[str, Any] = {
            "gateway": device.gateway,
            "is_paused": is_paused,
            "pauses": PAUSES,
            "days": PAUSE_MOST.days,
            "pause_url": self._url("pause", device),
            "resume_url": self._url("resume", device),
        }
        body = render_to_string("console/pause.html", context, request)
        title = "Paused" if is_paused else "Pause"
        return (Panel(title, body, name="pause", is_half=True),)


def _quiet(button: Button) -> Button:
    return replace(button, is_quiet=True)


def _nudge_enforcer(device: Device) -> None:
    if device.is_gateway:
        nudge(device.node)


def _history(device: Device, *, now: datetime) -> Panel:
    done = Application.objects.filter(gateway=device.gateway)[: APPLICATIONS_SHOWN + 1]
    body = applications_table(done[:APPLICATIONS_SHOWN], now=now)
    if len(done) > APPLICATIONS_SHOWN:
        url = reverse("admin:enforcement_application_changelist")
        more = '{}<p class="quiet"><a class="text-link" href="{}?q={}">All of it</a></p>'
        body = format_html(more, body, url, device.nickname)
    return Panel("History", body, name="applications")


def _plan(device: Device, request: HttpRequest, now: datetime) -> str:
    return _ask(device, Question.PLAN, request, now)


def _check(device: Device, request: HttpRequest, now: datetime) -> str:
    return _ask(device, Question.CHECK, request, now)


def _ask(device: Device, question: Question, request: HttpRequest, now: datetime) -> str:
    asked = services.ask(
        gateway=gateway_of(device), question=question, actor=actor_of(request), now=now
    )
    return reverse("admin:devices_device_inquiry", args=[device.pk, asked.pk])


def _apply(device: Device, request: HttpRequest, now: datetime) -> str:
    planned = request.POST.get("snapshot", "")  # from the page of a plan
    if planned and not (planned.isdecimal() and len(planned) < 10):
        raise GatewayRefused("that plan names no snapshot: look at it again")
    services.apply_planned(
        device=device,
        snapshot=int(planned) if planned else None,
        actor=actor_of(request),
        now=now,
    )
    messages.success(
        request,
        f"{device}: to be applied. The enforcer of {device.node} applies the newest snapshot "
        f"within seconds; reload this page to see how it ended.",
    )
    return ""


def _pause(device: Device, request: HttpRequest, now: datetime) -> str:
    until = PauseForm(request.POST).end(now=now)
    pause_gateway(device=device, until=until, actor=actor_of(request), now=now)
    messages.warning(
        request,
        f"{device}: paused. Once its enforcer has been told, listed packets pass until "
        f"{until:%Y-%m-%d %H:%M} UTC; then the kernel drops them again by itself.",
    )
    return ""


def _resume(device: Device, request: HttpRequest, now: datetime) -> str:
    if resume_gateway(device=device, actor=actor_of(request), now=now):
        messages.success(request, f"{device}: resumed. Listed packets are dropped within seconds.")
    else:
        messages.info(request, f"{device}: nothing to resume, it was not paused.")
    return ""
