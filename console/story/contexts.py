"""What each part of a page tells, ready for its template."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from console.hits import MAY_SEE
from console.impact import source_context
from console.story.asked import of_device, of_lists, of_policy, of_snapshot, of_source
from console.story.drops import counts_by, drops_context, report_url
from console.story.served import deliveries_of
from devices.models import Device
from devices.reports.visible import device_ids
from logs.models import Spool
from logs.reports.hits import ReportRefused
from policies.models import Policy, PolicySource, Snapshot, Source
from policies.reports.difference import Compiled, Counts, causes, list_difference, previous_of
from policies.reports.effects import effects_of
from policies.reports.shares import Shares, TooMuch, shares_of
from policies.reports.worth import worth_of
from policies.states import Role

CHANGES_SHOWN = 6
CAUSES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Member:
    """A source of a policy, what only it has there, and what was dropped because of it."""

    link: PolicySource
    only: Counts | None  # None where it was not compared
    hits: int | None  # of 30 days; None where nobody may see them, or they cannot be counted
    url: str  # of their report
    is_stale: bool


def device_hits(device: Device, request: HttpRequest, now: datetime) -> dict[str, Any]:  # noqa: ARG001
    """Return what a device dropped in a day."""
    told = drops_context(of_device(device, now=now), now=now)
    has_lines = Spool.objects.filter(device=device, received__gt=0).exists()
    return told | {"has_lines": has_lines, "device": device}


def policy_hits(policy: Policy, request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Return what the devices that follow a policy dropped in thirty days."""
    return drops_context(of_policy(policy, request.user, now=now), now=now)


def policy_sources(policy: Policy, request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Return the sources of a policy, each with what only it has and what it had dropped."""
    context: dict[str, Any] = {}
    shares = Shares({}, frozenset())
    try:
        shares = shares_of(policy)
    except TooMuch as refused:
        context["shares_trouble"] = str(refused)
    hits: dict[str, int] | None = None
    asked = of_lists(policy, request.user, now=now)
    if request.user.has_perm(MAY_SEE):
        try:
            hits = counts_by(asked, now=now)
        except ReportRefused as refused:
            context["hits_trouble"] = str(refused)
    rows = policy.policy_sources.select_related("source").defer("source__settings")
    members = [
        Member(
            link=one,
            only=shares.only.get(one.source_id),
            hits=None if hits is None or one.role == Role.ALLOW else hits.get(one.source.name, 0),
            url=report_url(asked, list=one.source.name),
            is_stale=one.source.is_stale(now=now),
        )
        for one in rows.order_by("-role", "priority", "id")
    ]
    return context | {"members": members, "has_hits": hits is not None}


def source_hits(source: Source, request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Return what was dropped because of a source in thirty days."""
    return drops_context(of_source(source, device_ids(request.user), now=now), now=now)


def source_worth(source: Source, request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Return what only a source has, and what was dropped because of it alone."""
    try:
        found = worth_of(source, among="policies", now=now)
    except (OSError, ValueError) as error:
        return {"trouble": str(error)}
    context = source_context(request, source, among=found.among, now=now)
    return {"found": found, **context}


def snapshot_hits(snapshot: Snapshot, request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Return what was dropped while a snapshot was in force."""
    return drops_context(of_snapshot(snapshot, request.user, now=now), now=now)


def snapshot_difference(
    snapshot: Snapshot,
    request: HttpRequest,  # noqa: ARG001  as of every part
    now: datetime,  # noqa: ARG001
) -> dict[str, Any]:
    """Return what came and went with a snapshot, and because of which source."""
    return _difference(previous_of(snapshot), snapshot)


def policy_difference(policy: Policy, request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Return what came and went with the snapshot in force."""
    if policy.current is None:
        return {"trouble": "No snapshot was published yet."}
    return snapshot_difference(policy.current, request, now)


def snapshot_served(snapshot: Snapshot, request: HttpRequest, now: datetime) -> dict[str, Any]:  # noqa: ARG001
    """Return who was given a snapshot, and when."""
    return {"served": deliveries_of(snapshot, request.user)}


def snapshot_effects(
    snapshot: Snapshot,
    request: HttpRequest,  # noqa: ARG001
    now: datetime,  # noqa: ARG001
) -> dict[str, Any]:
    """Return how many entries of each allow list cut something out of a snapshot."""
    try:
        return {"lists": effects_of(snapshot)}
    except (OSError, ValueError) as error:
        return {"trouble": str(error)}


def _difference(before: Compiled | None, after: Snapshot) -> dict[str, Any]:
    context: dict[str, Any] = {"before": before, "after": after}
    if before is None:
        return context
    try:
        block = list_difference(before, after, Role.BLOCK)
        found = causes(before, after, block)
    except (OSError, ValueError) as error:
        return context | {"trouble": f"A list cannot be read: {error}"}
    return context | {
        "block_list": block,
        "causes": found[:CAUSES_SHOWN],
        "more_causes": max(0, len(found) - CAUSES_SHOWN),
        "changes": block.page(0, CHANGES_SHOWN),
        "more_changes": max(0, len(block) - CHANGES_SHOWN),
    }
