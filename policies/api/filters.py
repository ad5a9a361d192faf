"""The parameters that lists take."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Field, ForeignKey, QuerySet
from django_filters import rest_framework as filters
from rest_framework.request import Request

from policies.models import Policy, ProtectedAddress, Retrieval, Snapshot, Source
from policies.sources import SOURCES
from policies.states import Outcome, PolicyState, SourceState
from policies.visible import visible


class SeenFilter(filters.ModelChoiceFilter):
    """Rows that belong to one that the person sees."""

    def get_queryset(self, request: Request | None) -> QuerySet[Any]:
        """Return what may be named; all of it where nobody asks, as for the schema."""
        rows = super().get_queryset(request)
        return rows if request is None else visible(rows, request.user)


class SeenFilterSet(filters.FilterSet):
    """Takes for the row that a foreign key leads to only one that the person sees."""

    FILTER_DEFAULTS: ClassVar[dict[type[Field[Any, Any]], dict[str, Any]]] = {
        **filters.FilterSet.FILTER_DEFAULTS,
        ForeignKey: {
            **filters.FilterSet.FILTER_DEFAULTS[ForeignKey],
            "filter_class": SeenFilter,
        },
    }


class PolicyFilter(SeenFilterSet):
    """Policies by name, state and source."""

    name = filters.CharFilter(max_length=64)
    state = filters.ChoiceFilter(choices=PolicyState.choices)
    source = SeenFilter(queryset=Source.objects.all(), field_name="policy_sources__source")

    class Meta:
        model = Policy
        fields = ["name", "state", "source", "is_private", "is_paused", "is_sample"]


class SourceFilter(SeenFilterSet):
    """Sources by name, kind, state and policy."""

    name = filters.CharFilter(max_length=200)
    kind = filters.ChoiceFilter(choices=[(kind, engine.label) for kind, engine in SOURCES.items()])
    state = filters.ChoiceFilter(choices=SourceState.choices)
    policy = SeenFilter(queryset=Policy.objects.all(), field_name="policies")

    class Meta:
        model = Source
        fields = ["name", "kind", "state", "policy", "is_enabled", "is_sample"]


class SnapshotFilter(SeenFilterSet):
    """Snapshots by policy, number and time."""

    number = filters.NumberFilter(min_value=0, max_value=2_147_483_647)
    since = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Snapshot
        fields = ["policy", "number"]


class RetrievalFilter(SeenFilterSet):
    """Retrievals by source, outcome and time."""

    outcome = filters.ChoiceFilter(choices=Outcome.choices)
    since = filters.IsoDateTimeFilter(field_name="started_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="started_at", lookup_expr="lt")

    class Meta:
        model = Retrieval
        fields = ["source", "outcome"]


class ProtectedAddressFilter(filters.FilterSet):
    """Protected addresses by network and origin."""

    class Meta:
        model = ProtectedAddress
        fields = ["network", "origin"]
