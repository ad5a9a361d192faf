"""What the page of a device tells before its settings: what it is served, and who fetched it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from devices.admin.feed import previews_of
from devices.admin.pull import answer_of
from devices.models import Device
from policies.admin.base import Panel
from policies.admin.story import facts_table, with_note
from policies.models import Packing, Snapshot
from policies.words import NOTHING, ago, count, link, table, word

PULLS_SHOWN = 6
LINES_SHOWN = 4  # of each feed


def served_panel(device: Device, *, now: datetime) -> Panel:
    """Return what a device is served: of which policy, how old, how large, and what is left out."""
    snapshot = device.published
    facts: list[tuple[str, object]] = [
        ("Policy", _policy(device)),
        ("Snapshot", _snapshot(snapshot, device, now=now)),
        ("Entries", _entries(snapshot, device)),
        ("Fits", _fit(snapshot, device)),
    ]
    if not device.is_gateway:
        facts.append(("Last pull", _last_pull(device, now=now)))
    facts.append(("Group", link(device.group) if device.group else NOTHING))
    return Panel("What it is served", facts_table(facts), name="served", is_half=True)


def feeds_panel(device: Device) -> Panel:
    """Return where a firewall fetches its lists, and how they begin."""
    context: dict[str, Any] = {"previews": previews_of(device, lines=LINES_SHOWN)}
    body = render_to_string("console/feed_urls.html", context)
    url = reverse("admin:devices_device_feed", args=[device.pk])
    more = format_html('<a href="{}">Show feed</a>', url)
    return Panel("Feeds", body, name="feeds", is_half=True, more=more)


def pulls_panel(device: Device, *, now: datetime) -> Panel:
    """Return who fetched a feed of a device last."""
    pulls = device.pulls.order_by("-at", "-id")[:PULLS_SHOWN]
    body = table(
        ("When", "Client", "File", "Answer", "Snapshot"),
        (
            (
                link(pull, ago(pull.at, now=now)),
                pull.client,
                pull.file.removeprefix("threatstop-"),
                answer_of(pull),
                NOTHING if pull.snapshot_number is None else f"#{pull.snapshot_number}",
            )
            for pull in pulls
        ),
        empty="Nobody has fetched a feed of this device yet. Enter the feed URLs in the firewall.",
    )
    url = reverse("admin:devices_pull_changelist")
    more = format_html('<a href="{}?q={}">All pulls</a>', url, device.nickname)
    return Panel("Recent pulls", body, name="pulls", is_half=True, more=more)


def _policy(device: Device) -> SafeString:
    policy = device.policy
    named = with_note(link(policy), "its own" if policy.is_private else "")
    if device.policy_updates:
        return named
    return format_html("{} {}", named, word("neutral", "policy updates off"))


def _snapshot(snapshot: Snapshot | None, device: Device, *, now: datetime) -> SafeString:
    if snapshot is None:
        return SafeString("nothing is published yet")
    newest = device.policy.current
    note = ""
    if newest is not None and newest.pk != snapshot.pk:
        note = f"The policy is at {newest.number:,}."
    made = ago(snapshot.created_at, now=now)
    said = format_html("{}, made {}", link(snapshot, f"#{snapshot.number}"), made)
    return with_note(said, note)


def _entries(snapshot: Snapshot | None, device: Device) -> SafeString | str:
    if snapshot is None:
        return NOTHING
    packing = _packing(snapshot, device)
    feeds = {feed.list: feed for feed in snapshot.feeds.filter(format="text")}
    block = feeds.get("block") if packing is None else packing
    sizes = [one.size for one in (block, feeds.get("allow")) if one is not None]
    blocked = snapshot.block_prefixes if block is None else block.lines
    said = f"{blocked:,} blocked, {snapshot.allow_prefixes:,} allowed"
    return with_note(said, filesizeformat(sum(sizes)) if sizes else "")


def _packing(snapshot: Snapshot, device: Device) -> Packing | None:
    is_current = device.policy.current_id == snapshot.pk
    return device.packing if is_current else None


def _fit(snapshot: Snapshot | None, device: Device) -> SafeString | str:
    if snapshot is None:
        return NOTHING
    packing, most = _packing(snapshot, device), device.max_policy_size
    if most is None:
        return SafeString("no limit of the device is known")
    if packing is None:
        return f"whole; the device takes {count(most)}"
    if packing.is_whole:
        return f"packed into the {count(most)} it takes, nothing left out"
    left = count(packing.left_out["prefixes"])
    return format_html("{} {} prefixes are left out", word("warning", f"cut to {most:,}"), left)


def _last_pull(device: Device, *, now: datetime) -> SafeString:
    number = device.last_pull_number
    return with_note(
        ago(device.last_pull_at, now=now), f"Snapshot {number:,}." if number is not None else ""
    )
