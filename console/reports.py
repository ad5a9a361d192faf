"""The pages that answer what changed, what allow entries do, and what a source is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from console.impact import effects_context, source_context
from console.pages import framed, number_in, require
from policies.models import Candidate, Snapshot, Source
from policies.reports.difference import Compiled, causes, list_difference, previous_of
from policies.reports.effects import effects_of, page_of
from policies.reports.worth import worth_of
from policies.states import Role
from policies.visible import visible

PAGE = 200
OTHERS_SHOWN = 100  # snapshots to compare with


@dataclass(frozen=True, slots=True)
class Pager:
    """Which page is shown, of how many rows."""

    page: int
    total: int

    @classmethod
    def of(cls, request: HttpRequest, total: int) -> Pager:
        """Return the page that was asked for, the nearest where there is no such page."""
        last = max(1, -(-total // PAGE))
        return cls(min(number_in(request, "page") or 1, last), total)

    @property
    def start(self) -> int:
        """The place of the first row, from 0."""
        return (self.page - 1) * PAGE

    @property
    def first(self) -> int:
        """The place of the first row, from 1."""
        return self.start + 1

    @property
    def last(self) -> int:
        """The place of the last row, from 1."""
        return min(self.start + PAGE, self.total)

    @property
    def previous(self) -> int | None:
        """The page before."""
        return self.page - 1 if self.page > 1 else None

    @property
    def next(self) -> int | None:
        """The page after."""
        return self.page + 1 if self.last < self.total else None


def difference_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what changed between a snapshot and another, the one before at first."""
    require(request, "policies.view_snapshot")
    after = get_object_or_404(_snapshots(request), pk=pk)
    return _difference(request, after, _chosen(request) or previous_of(after))


def candidate_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what would change if what the guard holds of a policy were published."""
    require(request, "policies.view_policy")
    rows = Candidate.objects.select_related("policy__current")
    after = get_object_or_404(visible(rows, request.user), policy=pk)
    return _difference(request, after, _chosen(request) or after.policy.current)


def effects_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what each allow entry took out of a snapshot's block list."""
    require(request, "policies.view_snapshot")
    snapshot = get_object_or_404(_snapshots(request), pk=pk)
    only_idle = request.GET.get("idle") == "true"
    context: dict[str, Any] = {"snapshot": snapshot, "only_idle": only_idle}
    try:
        lists = effects_of(snapshot)
    except (OSError, ValueError) as error:
        context["trouble"] = str(error)
    else:
        total = sum(one.idle if only_idle else one.total for one in lists)
        pager = Pager.of(request, total)
        rows, _ = page_of(lists, pager.start, PAGE, only_idle=only_idle)
        context |= {"lists": lists, "pager": pager}
        context |= effects_context(request, snapshot, rows, now=timezone.now())
    return framed(request, "console/effects.html", f"Allow entries of {snapshot}", context)


def worth_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what only a source has, what it shares with others, and how it does."""
    require(request, "policies.view_source")
    source = get_object_or_404(visible(Source.objects.defer("settings"), request.user), pk=pk)
    now = timezone.now()
    context: dict[str, Any] = {"source": source, "now": now}
    context["among"] = among = "site" if request.GET.get("among") == "site" else "policies"
    try:
        context["found"] = worth_of(
            source, among="site" if among == "site" else "policies", now=now
        )
    except (OSError, ValueError) as error:
        context["trouble"] = str(error)
    else:
        context |= source_context(request, source, among=context["found"].among, now=now)
    return framed(request, "console/worth.html", f"What {source} is worth", context)


def _difference(request: HttpRequest, after: Compiled, before: Snapshot | None) -> HttpResponse:
    role = Role.ALLOW if request.GET.get("list") == Role.ALLOW else Role.BLOCK
    context: dict[str, Any] = {
        "after": after,
        "before": before,
        "before_query": str(before.pk) if before else "",
        "role": str(role),
        "others": _others(after, before),
        "text_url": _text_url(after),
        "is_candidate": isinstance(after, Candidate),
    }
    if before is not None:
        try:
            context |= _compared(request, before, after, role)
        except (OSError, ValueError) as error:
            context["trouble"] = f"A list cannot be read: {error}"
    return framed(request, "console/difference.html", f"What changed: {after}", context)


def _compared(
    request: HttpRequest, before: Snapshot, after: Compiled, role: Role
) -> dict[str, Any]:
    block, allow = (list_difference(before, after, one) for one in (Role.BLOCK, Role.ALLOW))
    told = block if role == Role.BLOCK else allow
    pager = Pager.of(request, len(told))
    return {
        "block_list": block,
        "allow_list": allow,
        "causes": causes(before, after, block),
        "pager": pager,
        "rows": told.page(pager.start, PAGE),
    }


def _others(after: Compiled, before: Snapshot | None) -> list[Snapshot]:
    """Return the snapshots of the policy to choose from, and the chosen one."""
    same = Snapshot.objects.filter(policy=after.policy_id).order_by("-number")
    if isinstance(after, Snapshot):
        same = same.exclude(pk=after.pk)
    columns = same.select_related("policy").only("number", "created_at", "policy__name")
    shown = list(columns[:OTHERS_SHOWN])
    return shown if before is None or before in shown else [before, *shown]


def _text_url(after: Compiled) -> str:
    if isinstance(after, Snapshot):
        return reverse("snapshot-difference-text", args=[after.pk])
    return reverse("candidate-difference-text", args=[after.policy_id])


def _chosen(request: HttpRequest) -> Snapshot | None:
    """Return the snapshot that was chosen to start from; None where there is none such."""
    return _snapshots(request).filter(pk=number_in(request, "against")).first()


def _snapshots(request: HttpRequest) -> QuerySet[Snapshot]:
    return visible(Snapshot.objects.select_related("policy"), request.user)
