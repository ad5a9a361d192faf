"""Panels that need more than one app: who follows a policy, how long a list was, why here."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from console.story.sizes import size_chart
from devices.admin.filters import with_health
from devices.health import health_of, last_seen
from devices.models import Device
from policies.admin.base import Panel
from policies.models import Policy, Source
from policies.reports.sizes import sizes_of
from policies.visible import visible
from policies.words import ago, count, link, table, word

FOLLOWERS_SHOWN = 20


def why_panels(device: Device, request: HttpRequest) -> tuple[Panel, ...]:
    """Return the field that asks why something is blocked on a device; () for who may not ask."""
    if not request.user.has_perm("policies.view_policy"):
        return ()
    body = render_to_string("console/story_why.html", {"device": device})
    return (Panel("Why is it blocked here?", body, name="why", is_half=True),)


def followers_panels(policy: Policy, request: HttpRequest, *, now: datetime) -> tuple[Panel, ...]:
    """Return the devices that follow a policy and how each does, of those that the person sees."""
    if not request.user.has_perm("devices.view_device"):
        return ()
    seen = visible(Device.objects.filter(policy=policy), request.user)
    total = seen.count()
    rows = with_health(seen).order_by("nickname", "id")[:FOLLOWERS_SHOWN]
    body = table(
        ("Device", "Health", "Has", "Seen"),
        (
            (
                link(device),
                _health(device, now=now),
                _number(device),
                ago(last_seen(device), now=now),
            )
            for device in rows
        ),
        empty="No device follows it.",
    )
    url = reverse("admin:devices_device_changelist")
    every = format_html('<a href="{}?policy={}">All {}</a>', url, policy.pk, count(total))
    more = every if total > FOLLOWERS_SHOWN and not policy.is_private else ""
    return (Panel("Followed by", body, name="devices", is_half=True, more=more),)


def sizes_panel(source: Source, *, now: datetime) -> Panel:
    """Return how long the list of a source was over thirty days."""
    chart = size_chart(sizes_of(source, now=now), now=now)
    return Panel("How long its list was", chart, name="sizes", is_half=True)


def _health(device: Device, *, now: datetime) -> SafeString:
    said = health_of(device, now=now)
    return format_html('<span title="{}">{}</span>', said.detail, word(said.tone, said.label))


def _number(device: Device) -> str:
    number = device.gateway.snapshot_number if device.is_gateway else device.last_pull_number
    return "nothing yet" if number is None else f"#{number}"
