"""Filters of the device list."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from devices.health import HealthState, health_of
from devices.models import Device, DeviceGroup
from devices.reports.healths import read_for_health
from policies.models import Policy, Source
from policies.visible import visible

POLICIES_OFFERED = 100
GROUPS_OFFERED = 100


class HealthFilter(admin.SimpleListFilter):
    """Devices by the word for their health, which is told from their rows and the clock."""

    title = "health"
    parameter_name = "health"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the words, worst first."""
        return [(str(state), str(state.label)) for state in HealthState]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Device]) -> QuerySet[Device]:  # noqa: ARG002
        """Return the devices of which this is said."""
        if self.value() is None:
            return queryset
        now = timezone.now()
        devices = read_for_health(Device.objects.all())
        said = [one.pk for one in devices if health_of(one, now=now).state == self.value()]
        return queryset.filter(pk__in=said)


class PolicyFilter(admin.SimpleListFilter):
    """Devices by the shared policy they follow, or with one of their own."""

    title = "policy"
    parameter_name = "policy"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the shared policies."""
        shared = Policy.objects.filter(is_private=False).order_by("name", "id")
        names = shared.values_list("pk", "name")[:POLICIES_OFFERED]
        return [("own", "its own"), *((str(pk), name) for pk, name in names)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Device]) -> QuerySet[Device]:  # noqa: ARG002
        """Return the devices that follow it."""
        chosen = self.value()
        if chosen == "own":
            return queryset.filter(policy__is_private=True)
        return queryset.filter(policy=int(chosen)) if chosen and chosen.isdecimal() else queryset


class GroupFilter(admin.SimpleListFilter):
    """Devices by the group they are in."""

    title = "group"
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the groups that the person sees."""
        groups = visible(DeviceGroup.objects.order_by("name", "id"), request.user)
        return [(str(pk), name) for pk, name in groups.values_list("pk", "name")[:GROUPS_OFFERED]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Device]) -> QuerySet[Device]:  # noqa: ARG002
        """Return the devices that are in it."""
        chosen = self.value()
        return queryset.filter(group=int(chosen)) if chosen and chosen.isdecimal() else queryset


def with_health(devices: QuerySet[Device]) -> QuerySet[Device]:
    """Return devices with what their health is told from, in a fixed number of queries."""
    # A fixed list holds all its entries in its settings: not to be read for a word.
    sources = Prefetch("policy__sources", Source.objects.defer("settings"))
    rows = devices.select_related("policy__current", "gateway")
    return rows.prefetch_related(sources, "policy__current__packings")
