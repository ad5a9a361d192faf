from __future__ import annotations

from copy import deepcopy
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from policies.admin.base import Button, Overview, Panel
from policies.admin.decisions import DecidingAdmin
from policies.admin.policy_form import PolicyForm
from policies.admin.policy_panels import (
    history_panel,
    published_panel,
    sources_table,
    tests_panels,
)
from policies.admin.story import alarms_panels, changes_panels
from policies.models import Policy, PolicySource
from policies.services.manage_policies import delete_policy
from policies.services.rows import Refused
from policies.states import PolicyState
from policies.visible import visible
from policies.words import ago, count, link, shortened, word


class OwnersFilter(admin.SimpleListFilter):
    """Policies that devices share, or those made for one device."""

    title = "owner"
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the two kinds."""
        return [("shared", "shared"), ("private", "one device")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Policy]) -> QuerySet[Policy]:  # noqa: ARG002
        """Return the policies of the chosen kind."""
        if self.value() not in {"shared", "private"}:
            return queryset
        return queryset.filter(is_private=self.value() == "private")


@admin.register(Policy)
class PolicyAdmin(DecidingAdmin):
    form = PolicyForm
    refusals = (Refused,)
    list_display = (
        "name", "state_shown", "detail", "snapshot", "entries", "source_count", "device_count",
        "compiled",
    )  # fmt: skip
    list_filter = ("state", OwnersFilter)
    list_select_related = ("current",)
    search_fields = ("name", "note", "state_detail")
    search_help_text = "Name, note or reason"
    ordering = ("name", "id")
    fieldsets = (
        (None, {"fields": ("name", "note")}),
        ("Sources", {"fields": ("block_sources", "allow_sources")}),
        (
            "Guard",
            {
                "fields": (
                    "widest4", "widest6", "max_share", "shrink_limit", "growth_limit",
                    "reject_limit",
                ),
                "description": "What this policy may never do, however its sources err. When the "
                "guard trips, the last snapshot stays in force, and what was held back waits on "
                "this page for a person.",
            },
        ),
        (
            "Never blocked",
            {
                "fields": (
                    "protect_critical", "critical_except", "keep_special", "keep_documentation",
                ),
                "description": "Taken out of the block list whatever a source says. Protected "
                "addresses are taken out of every policy; they have a page of their own.",
            },
        ),
        (
            "Tests",
            {
                "fields": ("must_hold",),
                "description": "Tried on every list before it is published. One that fails holds "
                "the policy, and nobody can let it pass.",
            },
        ),
        (
            "Freshness",
            {
                "fields": ("stale_entries",),
                "description": "A list past its limit of age raises an alarm in either case. Allow "
                "lists always keep their entries.",
            },
        ),
        (
            "Small devices",
            {
                "fields": ("merge_to4", "merge_to6", "priorities"),
                "description": "For devices whose maximum policy size is below what it holds.",
            },
        ),
        ("History", {"fields": ("keep_snapshots", "keep_days")}),
        ("Delivery", {"fields": ("empty_list_address",)}),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Policy]:
        """Return the policies with how many sources and devices they have."""
        policies: QuerySet[Policy] = super().get_queryset(request)
        return policies.annotate(
            source_total=_source_total(),
            device_total=Count("devices", distinct=True),
        )

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Return the form; sources that the person does not see are none of its choices."""
        form = super().get_form(request, *args, **kwargs)
        for name in ("block_sources", "allow_sources"):
            if name in form.base_fields:  # shared by all requests
                field = form.base_fields[name] = deepcopy(form.base_fields[name])
                field.queryset = visible(field.queryset, request.user)
        return form

    def policy_of(self, row: Policy) -> Policy:
        """Return the policy itself."""
        return row

    def overview(self, row: Policy, request: HttpRequest) -> Overview:
        """Return the state, the current snapshot, the sources and who follows it."""
        now = timezone.now()
        return Overview(
            headline=word(*_state(row)),
            sentence=_sentence(row),
            buttons=[
                *self.release_buttons(row, request),
                *self.update_buttons(row, request),
                *_keep_buttons(row, request),
            ],
            top=(
                *self.candidate_panels(row, request),
                *alarms_panels(_subjects(row), request, now=now),
                published_panel(row.current, now=now),
                Panel("Its sources", sources_table(row, now=now), name="sources"),
            ),
            bottom=(
                *tests_panels(row),
                *changes_panels(self.subject_of(row), request, now=now),
                history_panel(row, now=now),
            ),
            has_settings=self.has_change_permission(request, row),
        )

    def held_by(self, row: Policy) -> QuerySet[Any]:
        """Return the devices that follow it."""
        devices: QuerySet[Any] = row.devices.order_by("nickname", "id")
        return devices

    def remove(self, row: Policy, *, actor: str, now: datetime) -> None:
        """Delete a policy that no device follows."""
        delete_policy(policy=row, actor=actor, now=now)

    @display(description="state", ordering="state")
    def state_shown(self, policy: Policy) -> SafeString:
        """Return the state as a word."""
        return word(*_state(policy))

    @display(description="reason")
    def detail(self, policy: Policy) -> str:
        """Return why it is in this state."""
        return shortened(policy.state_detail)

    @display(description="snapshot", ordering="last_number")
    def snapshot(self, policy: Policy) -> SafeString:
        """Return the current snapshot."""
        current = policy.current
        return link(current, f"#{current.number}" if current else "")

    @display(description="entries", ordering="current__entries")
    def entries(self, policy: Policy) -> str:
        """Return how many entries it has."""
        return count(policy.current.entries if policy.current else None)

    @display(description="sources", ordering="source_total")
    def source_count(self, policy: Any) -> str:
        """Return how many sources it takes."""
        return count(policy.source_total)

    @display(description="devices", ordering="device_total")
    def device_count(self, policy: Any) -> str:
        """Return how many devices follow it."""
        return count(policy.device_total)

    @display(description="compiled", ordering="compiled_at")
    def compiled(self, policy: Policy) -> SafeString:
        """Return when it was compiled last."""
        return ago(policy.compiled_at, now=timezone.now())


def _keep_buttons(policy: Policy, request: HttpRequest) -> list[Button]:
    """Return what pauses a policy: the snapshot in force stays until a person releases it."""
    may = request.user.has_perm("policies.change_policy")
    if not may or policy.current_id is None or policy.pinned_at is not None:
        return []
    url = reverse("admin:policies_snapshot_return", args=[policy.current_id])
    return [Button("Pause at this snapshot", url, "pause")]


def _subjects(policy: Policy) -> list[str]:
    names = policy.sources.order_by("name", "pk").values_list("name", flat=True)
    return [f"policy {policy}", *(f"source {name}" for name in names)]


def _source_total() -> Coalesce:
    links = PolicySource.objects.filter(policy=OuterRef("pk")).order_by().values("policy")
    counted = links.annotate(total=Count("pk")).values("total")
    return Coalesce(Subquery(counted), 0, output_field=IntegerField())


def _state(policy: Policy) -> tuple[Any, str]:
    if policy.is_paused and policy.state == PolicyState.CURRENT:
        return "neutral", "current, updates off"
    return policy.state_word.tone, str(policy.state_word.label)


def _sentence(policy: Policy) -> str:
    """Return why it is in its state; of a pinned one also since when and by whom."""
    why = policy.state_detail
    if policy.held is not None:  # the panel below has the reasons
        why = "What it would publish waits for a decision, here below."
    if policy.pinned_at is None:
        return why
    since = f"Pinned since {policy.pinned_at:%Y-%m-%d %H:%M} UTC by {policy.pinned_by}"
    return f"{since}: {why}" if why else f"{since}."
