"""Filters of the list of device entries."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from devices.admin.filters import GroupFilter as DeviceGroupFilter
from fleet.models import Entry, EntryStatus
from fleet.reports.health import EntryHealth
from fleet.reports.listed import following, of_health
from policies.models import Policy
from policies.visible import visible

OFFERED = 100
_NONE = "none"


class HealthFilter(admin.SimpleListFilter):
    """Entries by the word for their health."""

    title = "health"
    parameter_name = "health"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the words, worst first."""
        return [(str(state), str(state.label)) for state in EntryHealth]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:  # noqa: ARG002
        """Return the entries of which this is said."""
        said = self.value()
        return queryset if said is None else of_health(queryset, said, now=timezone.now())


class GroupFilter(DeviceGroupFilter):
    """Entries by the group they are in."""


class VersionFilter(admin.SimpleListFilter):
    """Entries by the version of their appliance."""

    title = "version"
    parameter_name = "version"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the versions that there are."""
        seen = visible(EntryStatus.objects.all(), request.user).order_by("version")
        return [(one, one or "none told") for one in seen.values_list("version", flat=True)
                .distinct()[:OFFERED]]  # fmt: skip

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:  # noqa: ARG002
        """Return the entries whose device has it."""
        return queryset if self.value() is None else queryset.filter(status__version=self.value())


class PolicyFilter(admin.SimpleListFilter):
    """Entries by the policy they follow, be it by their group."""

    title = "policy"
    parameter_name = "policy"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the published policies."""
        published = visible(Policy.objects.exclude(publication=None), request.user)
        names = published.order_by("name", "id").values_list("pk", "name")[:OFFERED]
        return [(_NONE, "its lists"), *((str(pk), name) for pk, name in names)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:  # noqa: ARG002
        """Return the entries that follow it."""
        chosen = self.value()
        if chosen == _NONE:
            return following(queryset).filter(follows=None)
        is_id = chosen is not None and chosen.isdecimal() and len(chosen) < 19
        return following(queryset).filter(follows=chosen) if is_id else queryset
