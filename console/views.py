"""The start page and its parts that are fetched again, and the sample's two buttons."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import conditional_page, require_GET, require_POST

from console.overview.board import board_for
from console.overview.hits import hits_context
from console.overview.spans import SPANS, span_of
from devices.services import DeviceRefused, add_sample, remove_sample
from policies.admin.base import actor_of
from policies.services import Busy


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the start page shows to its context; Unfold calls this."""
    now = timezone.now()
    return {
        **context,
        "title": "Overview",
        "board": board_for(request.user, now=now),
        "now": now,
        "span": span_of(request.GET.get("span", "")),
        "spans": SPANS.values(),
    }


@require_GET
@conditional_page
def overview_now(request: HttpRequest) -> HttpResponse:
    """Return the parts of the start page that rows tell, as they are now."""
    now = timezone.now()
    context = {"board": board_for(request.user, now=now), "now": now}
    return render(request, "console/overview_now.html", context)


@require_GET
@conditional_page
def overview_hits(request: HttpRequest) -> HttpResponse:
    """Return the part of the start page that events tell, which may take a second."""
    if not request.user.has_perm("logs.view_hits"):
        raise PermissionDenied
    span = span_of(request.GET.get("span", ""))
    context = hits_context(request.user, span, now=timezone.now())
    return render(request, "console/overview_hits.html", context)


@require_POST
def make_sample(request: HttpRequest) -> HttpResponse:
    """Make the sample device, and go to its page."""
    if not request.user.has_perm("devices.add_device"):
        raise PermissionDenied
    try:
        device, _ = add_sample(actor=actor_of(request), clock=timezone.now)
    except (DeviceRefused, Busy) as refused:
        messages.error(request, str(refused))
        return HttpResponseRedirect(reverse("admin:index"))
    messages.success(
        request,
        f"{device} is there and its feeds are published. It blocks documentation addresses only, "
        f"which belong to nobody. Fetch a feed with: curl and the URL below.",
    )
    return HttpResponseRedirect(reverse("admin:devices_device_change", args=[device.pk]))


@require_POST
def drop_sample(request: HttpRequest) -> HttpResponse:
    """Remove everything the sample made, and go to the start page."""
    if not request.user.has_perm("devices.delete_device"):
        raise PermissionDenied
    if remove_sample(actor=actor_of(request), now=timezone.now()):
        messages.success(request, "The sample is removed, with its policy and its lists.")
    else:
        messages.info(request, "There is no sample.")
    return HttpResponseRedirect(reverse("admin:index"))
