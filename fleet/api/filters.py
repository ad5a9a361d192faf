"""The parameters that the lists of a fleet take."""

from __future__ import annotations

from typing import ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters

from fleet.models import Entry, PolicyZone, Rollout, RolloutState
from fleet.reports.health import EntryHealth
from fleet.reports.listed import of_health
from policies.api.filters import SeenFilter, SeenFilterSet
from policies.models import Policy


class EntryFilter(SeenFilterSet):
    """Entries by name, ID, kind, group, policy, health and version."""

    nickname = filters.CharFilter(max_length=64)
    device_id = filters.CharFilter(max_length=64)
    version = filters.CharFilter(field_name="status__version", max_length=64)
    health = filters.ChoiceFilter(choices=EntryHealth.choices, method="by_health")

    class Meta:
        model = Entry
        fields: ClassVar[list[str]] = ["nickname", "device_id", "kind", "group", "policy"]

    def by_health(self, rows: QuerySet[Entry], _name: str, value: str) -> QuerySet[Entry]:
        """Return the entries of which this is said now."""
        return of_health(rows, value, now=timezone.now())


class RolloutFilter(SeenFilterSet):
    """Rollouts by name and state."""

    name = filters.CharFilter(max_length=100)
    state = filters.ChoiceFilter(choices=RolloutState.choices)

    class Meta:
        model = Rollout
        fields: ClassVar[list[str]] = ["name", "state", "canary"]


class PolicyZoneFilter(SeenFilterSet):
    """Zones of published policies by name, policy, form and what they list."""

    name = filters.CharFilter(max_length=253)
    policy = SeenFilter(queryset=Policy.objects.all(), field_name="publication__policy")

    class Meta:
        model = PolicyZone
        fields: ClassVar[list[str]] = ["name", "form", "role"]
