"""Refresh a policy while somebody waits: every source, then the compile, with progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from policies.models import Policy, Retrieval, Source
from policies.models.acceptance import ACCEPTED_FOR
from policies.services.changes import record_change
from policies.services.compile import CompileReport, compile_policy_now
from policies.services.retrieve import retrieve_source


class Busy(Exception):
    """Another worker is at it; asking again in a moment helps."""


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What a refresh brought: a retrieval for each source, and the compile."""

    retrievals: tuple[Retrieval, ...]
    compiled: CompileReport


def request_refresh(*, policy: Policy, now: datetime, accept_change: bool = False) -> None:
    """Leave a policy and its enabled sources due; the next beat sends them to a worker.

    `accept_change` lets one change beyond the shrink and growth limits pass, within a day.
    """
    due = {"due_at": now}
    if accept_change:
        due["accepted_until"] = now + ACCEPTED_FOR
    with transaction.atomic():
        # A disabled one is not retrieved: what is accepted would wait until it is turned on again.
        Source.objects.filter(policies=policy, is_enabled=True).update(**due)
        Policy.objects.filter(pk=policy.pk).update(**due)


def accept_change(*, policy: Policy, actor: str, now: datetime) -> None:
    """Let one change of a policy beyond the shrink and growth limits pass, and leave it due."""
    with transaction.atomic():
        request_refresh(policy=policy, now=now, accept_change=True)
        record_change(actor=actor, verb="accept", subject=f"policy {policy.name}", now=now)


def refresh_policy(
    *,
    policy: Policy,
    clock: Callable[[], datetime],
    accept_change: bool = False,
    on_progress: Callable[[str], None] = lambda _: None,
) -> RefreshReport:
    """Retrieve every source of a policy and compile it, in this process.

    `clock` gives the moment of each step. Raises Busy when a worker holds a source or the policy.
    """
    retrievals: list[Retrieval] = []
    for source in policy.sources.filter(is_enabled=True).order_by("name", "id"):
        on_progress(f"retrieve {source.name}")
        retrieval = retrieve_source(source_id=source.pk, now=clock(), accept_change=accept_change)
        if retrieval is None:
            raise Busy(f"{source.name} is being retrieved by a worker; try again in a minute")
        retrievals.append(retrieval)
    on_progress(f"compile {policy.name}")
    compiled = compile_policy_now(policy_id=policy.pk, now=clock(), accept_change=accept_change)
    if compiled is None:
        raise Busy(f"{policy.name} is being compiled by a worker; try again in a minute")
    return RefreshReport(tuple(retrievals), compiled)
