from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, IntegerField, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelect2MultipleWidget, UnfoldAdminTextareaWidget

from policies.admin.base import Overview, Panel
from policies.admin.writes import ServiceForm, UpdatingAdmin
from policies.models import Policy, PolicySource, Snapshot, Source
from policies.services.manage_policies import (
    POLICY_COLUMNS,
    Member,
    change_policy,
    create_policy,
    delete_policy,
)
from policies.services.rows import Refused
from policies.states import PolicyState, Role
from policies.words import addresses, ago, count, link, shortened, table, word

DEVICES_SHOWN = 50


class PolicyForm(ServiceForm):
    note = forms.CharField(required=False, widget=UnfoldAdminTextareaWidget({"rows": 3}))
    block_sources = forms.ModelMultipleChoiceField(
        Source.objects.only("name", "kind").order_by("name", "id"),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget(),
        help_text="Their addresses together are what the firewalls block.",
    )
    allow_sources = forms.ModelMultipleChoiceField(
        Source.objects.only("name", "kind").order_by("name", "id"),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget(),
        help_text="Their addresses are never blocked, whatever a block source says.",
    )

    class Meta:
        model = Policy
        fields = POLICY_COLUMNS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            return
        roles = list(self.instance.policy_sources.values_list("role", "source_id"))
        for role in Role:
            self.initial[f"{role}_sources"] = [pk for held, pk in roles if held == role]
        if self.instance.is_private:
            for name in ("name", "block_sources", "allow_sources"):
                if name in self.fields:
                    self.fields[name].disabled = True

    def write(self) -> Policy | None:
        """Make or change the policy."""
        values = dict(self.cleaned_data)
        members = [
            Member(source, role) for role in Role for source in values.pop(f"{role}_sources")
        ]
        try:
            if not self.instance.pk:
                name = values.pop("name")
                return create_policy(
                    name=name, members=members, options=values, actor=self.actor, now=self.now
                )
            policy = Policy.objects.get(pk=self.instance.pk)
            return change_policy(
                policy=policy, changes=values, members=members, actor=self.actor, now=self.now
            )
        except Refused as refused:
            field = "allow_sources" if refused.setting == "sources" else refused.setting
            self.refuse(field, refused)
            return None


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
class PolicyAdmin(UpdatingAdmin):
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
                    "keep_documentation",
                ),
                "description": "What this policy may never do, however its sources err. When the "
                "guard trips, the last snapshot stays in force and the policy says why.",
            },
        ),
        (
            "Delivery",
            {"fields": ("empty_list_address",)},
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Policy]:
        """Return the policies with how many sources and devices they have."""
        policies: QuerySet[Policy] = super().get_queryset(request)
        return policies.annotate(
            source_total=_source_total(),
            device_total=Count("devices", distinct=True),
        )

    def policy_of(self, row: Policy) -> Policy:
        """Return the policy itself."""
        return row

    def overview(self, row: Policy, request: HttpRequest) -> Overview:
        """Return the state, the current snapshot, the sources and who follows it."""
        return Overview(
            headline=word(*_state(row)),
            sentence=row.state_detail,
            buttons=self.update_buttons(row, request),
            top=(Panel("Published", _published(row.current)),),
            bottom=(
                Panel("State of its sources", _sources(row)),
                Panel("Followed by", _devices(row)),
            ),
        )

    def held_by(self, row: Policy) -> Iterable[Model]:
        """Return the devices that follow it."""
        devices: Iterable[Model] = row.devices.order_by("nickname", "id")
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


def _source_total() -> Coalesce:
    links = PolicySource.objects.filter(policy=OuterRef("pk")).order_by().values("policy")
    counted = links.annotate(total=Count("pk")).values("total")
    return Coalesce(Subquery(counted), 0, output_field=IntegerField())


def _state(policy: Policy) -> tuple[Any, str]:
    if policy.is_paused and policy.state == PolicyState.CURRENT:
        return "neutral", "current, updates off"
    return policy.state_word.tone, str(policy.state_word.label)


def _published(current: Snapshot | None) -> SafeString:
    if current is None:
        return table((), (), empty="No snapshot was published yet.")
    numbers, now = current.numbers, timezone.now()
    return table(
        ("Snapshot", "Since", "Entries", "Blocks", "Allows", "Gained", "Lost"),
        [
            (
                link(current, f"#{current.number}"),
                ago(current.created_at, now=now),
                count(current.entries),
                addresses(numbers["block"]),
                addresses(numbers["allow"]),
                addresses(numbers["added"]),
                addresses(numbers["removed"]),
            )
        ],
        empty="",
    )


def _sources(policy: Policy) -> SafeString:
    now = timezone.now()
    links = policy.policy_sources.select_related("source").order_by("-role", "id")
    return table(
        ("Source", "As", "State", "Prefixes", "Retrieved", "Error"),
        (
            (
                link(one.source),
                one.role,
                word(one.source.state_word.tone, one.source.state_word.label),
                count(one.source.list_prefixes if one.source.list_digest else None),
                ago(one.source.retrieved_at, now=now),
                one.source.error,
            )
            for one in links
        ),
        empty="It has no sources; choose at least one block source below.",
    )


def _devices(policy: Policy) -> SafeString:
    devices = policy.devices.order_by("nickname", "id")[: DEVICES_SHOWN + 1]
    rows = [
        (link(device), ago(device.last_pull_at, now=timezone.now()), count(device.last_pull_number))
        for device in devices
    ]
    if len(rows) > DEVICES_SHOWN:
        rows[DEVICES_SHOWN:] = [(SafeString("and more"), SafeString(""), "")]
    return table(("Device", "Last pull", "Snapshot pulled"), rows, empty="No device follows it.")
