"""What a person decides on the page of a policy: what the guard holds, and what is pinned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import URLPattern
from django.utils import timezone

from policies.admin.base import Button, Panel, actor_of
from policies.admin.compilations import cuts_table, gained, lost, manifest_table
from policies.admin.writes import UpdatingAdmin
from policies.models import Policy
from policies.services import (
    Busy,
    Refused,
    approve_candidate,
    discard_candidate,
    release_policy,
)
from policies.tasks import nudge
from policies.words import ago

Deed = Callable[[Policy, HttpRequest], str]


class DecidingAdmin(UpdatingAdmin):
    """Pages where the guard's candidate is approved or discarded, and a pinned policy released."""

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, and one address for each decision."""
        deeds: dict[str, Deed] = {"approve": _approve, "discard": _discard, "release": _release}
        return [*self.deed_paths(deeds, self.decide_view), *super().get_urls()]

    def decide_view(self, request: HttpRequest, pk: int, deed: Deed) -> HttpResponse:
        """Do what a person decided, and go back to the policy's page; a refusal is a message."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.get_object(request, str(pk))
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        try:
            messages.success(request, deed(self.policy_of(self._there(row, pk)), request))
        except (Refused, Busy) as refused:
            messages.error(request, str(refused))
        nudge()
        return HttpResponseRedirect(self.page_of(pk))

    def release_buttons(self, policy: Policy, request: HttpRequest) -> list[Button]:
        """Return the way on where a policy is pinned."""
        if policy.pinned_at is None or not self.has_change_permission(request, policy):
            return []
        return [Button("Release", self._url("release", policy), "lock_open", is_post=True)]

    def candidate_panels(self, policy: Policy, request: HttpRequest) -> list[Panel]:
        """Return what the guard holds, and the buttons for who may decide; [] for nothing."""
        candidate = policy.held
        if candidate is None:
            return []
        absolute = {one["rule"] for one in candidate.findings if not one["is_change"]}
        context: dict[str, Any] = {
            "candidate": candidate,
            "since": ago(candidate.created_at, now=timezone.now()),
            "gained": gained(candidate),
            "lost": lost(candidate),
            "absolute": sorted(absolute),
            "cuts": cuts_table(candidate),
            "manifest": manifest_table(candidate),
            "may_decide": self.has_change_permission(request, policy),
            "approve_url": self._url("approve", policy),
            "discard_url": self._url("discard", policy),
        }
        body = render_to_string("console/candidate.html", context, request)
        return [Panel("Held by the guard", body, tone="danger", name="held")]


def _approve(policy: Policy, request: HttpRequest) -> str:
    snapshot = approve_candidate(
        policy=policy, digest=_looked_at(request), actor=actor_of(request), now=timezone.now()
    )
    return f"{policy}: approved, and published as snapshot {snapshot.number}."


def _discard(policy: Policy, request: HttpRequest) -> str:
    discard_candidate(
        policy=policy, digest=_looked_at(request), actor=actor_of(request), now=timezone.now()
    )
    return f"{policy}: discarded. The snapshot in force stays until the lists change again."


def _release(policy: Policy, request: HttpRequest) -> str:
    release_policy(policy=policy, actor=actor_of(request), now=timezone.now())
    return f"{policy}: released. It follows its sources again; a worker compiles it within seconds."


def _looked_at(request: HttpRequest) -> str:
    return str(request.POST.get("block_digest", ""))
