"""The pages of the first run; they stay reachable for every device."""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import conditional_page, require_GET, require_http_methods

from console.first_run.forms import FirstDeviceForm
from console.first_run.steps import progress_of
from console.overview.tallies import may_see_senders
from console.pages import framed
from devices.admin.feed import urls_of
from devices.kinds import KINDS
from devices.kinds.base import SettingRefused
from devices.models import Device
from devices.services import DeviceRefused, GroupRefused, begin_device, group_for, own_node
from logs.admin.device_panel import ways
from policies.admin.base import actor_of
from policies.services import Refused
from policies.tasks import nudge

UNFINISHED_SHOWN = 10


@require_GET
def first_run_page(request: HttpRequest) -> HttpResponse:
    """Ask for the kind of the device, and offer those whose set-up was begun."""
    _need(request, "view")
    begun = Device.objects.visible_to(request.user).filter(is_sample=False)
    waiting = begun.filter(last_pull_at=None).exclude(gateway__checked_at__isnull=False)
    context = {
        "kinds": KINDS.values(),
        "begun": waiting.order_by("-created_at", "-id")[:UNFINISHED_SHOWN],
        "may_add": request.user.has_perm("devices.add_device"),
    }
    return framed(request, "console/first_run.html", "Set up a device", context)


@require_http_methods(["GET", "POST"])
def first_device_page(request: HttpRequest, kind: str) -> HttpResponse:
    """Ask what a device of one kind needs; a POST adds it and goes to its steps."""
    _need(request, "add")
    if kind not in KINDS:
        raise Http404(f"There is no kind of device {kind}.")
    data = request.POST if request.method == "POST" else None
    form = FirstDeviceForm(KINDS[kind], request.user, data=data)
    if data is not None and form.is_valid():
        device = _begun(request, form, kind=kind)
        if device is not None:
            return HttpResponseRedirect(reverse("console:set-up", args=[device.pk]))
    title = f"Set up a {KINDS[kind].label}"
    context = {"form": form, "kind": KINDS[kind]}
    return framed(request, "console/first_device.html", title, context)


@require_GET
def set_up_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell the steps of one device in full, and how far they are."""
    device, now = _seen(request, pk), timezone.now()
    context = {
        **_watched(request, device, now=now),
        "urls": urls_of(device),
        "is_here": device.node == own_node(),
    }
    return framed(request, "console/set_up.html", f"Set-up steps of {device}", context)


@require_GET
@conditional_page
def set_up_now(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the steps of a device as they are now."""
    device, now = _seen(request, pk), timezone.now()
    return render(request, "console/set_up_steps.html", _watched(request, device, now=now))


def _watched(request: HttpRequest, device: Device, *, now: datetime) -> dict[str, Any]:
    """Return how far a device is, and where the firewall has to reach this machine."""
    bind, found = settings.TSCM_FEED_BIND, ways(now=now)
    return {
        "device": device,
        "progress": progress_of(device, has_senders=may_see_senders(request.user), now=now),
        "now": now,
        "feed_port": bind.port,
        "has_feeds_on_loopback": _is_loopback(bind.host),
        "ways": found,
        "has_ways_on_loopback": any(
            _is_loopback(urlsplit(f"//{way.where}").hostname) for way in found
        ),
    }


def _is_loopback(host: str | None) -> bool:
    """Tell whether nobody but this machine reaches a server that listens there."""
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def _begun(request: HttpRequest, form: FirstDeviceForm, *, kind: str) -> Device | None:
    """Add the device and say so; None where a service refuses."""
    try:
        device = begin_device(
            kind=kind,
            nickname=form.cleaned_data["nickname"],
            settings=form.settings(),
            follows=form.follows,
            group=group_for(request.user, form.group),
            actor=actor_of(request),
            now=timezone.now(),
        )
    except (SettingRefused, Refused) as refused:
        form.refuse(refused.setting, refused)
        return None
    except (DeviceRefused, GroupRefused) as refused:
        form.refuse("", refused)
        return None
    nudge()
    messages.success(request, f"{device} is added. Its lists are retrieved within seconds.")
    return device


def _seen(request: HttpRequest, pk: int) -> Device:
    """Return a device that the person may see; raises PermissionDenied, Http404."""
    _need(request, "view")
    rows = Device.objects.visible_to(request.user).select_related(
        "policy__current", "gateway", "pinned_snapshot"
    )
    device = rows.filter(pk=pk).first()
    if device is None:
        raise Http404(f"There is no device {pk}.")
    return device


def _need(request: HttpRequest, verb: str) -> None:
    if not request.user.has_perm(f"devices.{verb}_device"):
        raise PermissionDenied
