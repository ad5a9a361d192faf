"""The parameters that lists take."""

from __future__ import annotations

from django_filters import rest_framework as filters

from policies.models import Change, Policy, ProtectedAddress, Retrieval, Snapshot, Source
from policies.sources import SOURCES
from policies.states import Outcome, PolicyState, SourceState


class PolicyFilter(filters.FilterSet):
    """Policies by name, state and source."""

    name = filters.CharFilter(max_length=64)
    state = filters.ChoiceFilter(choices=PolicyState.choices)
    source = filters.ModelChoiceFilter(
        queryset=Source.objects.all(), field_name="policy_sources__source"
    )

    class Meta:
        model = Policy
        fields = ["name", "state", "source", "is_private", "is_paused", "is_sample"]


class SourceFilter(filters.FilterSet):
    """Sources by name, kind, state and policy."""

    name = filters.CharFilter(max_length=200)
    kind = filters.ChoiceFilter(choices=[(kind, engine.label) for kind, engine in SOURCES.items()])
    state = filters.ChoiceFilter(choices=SourceState.choices)
    policy = filters.ModelChoiceFilter(queryset=Policy.objects.all(), field_name="policies")

    class Meta:
        model = Source
        fields = ["name", "kind", "state", "policy", "is_enabled", "is_sample"]


class SnapshotFilter(filters.FilterSet):
    """Snapshots by policy, number and time."""

    number = filters.NumberFilter(min_value=0, max_value=2_147_483_647)
    since = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Snapshot
        fields = ["policy", "number"]


class RetrievalFilter(filters.FilterSet):
    """Retrievals by source, outcome and time."""

    outcome = filters.ChoiceFilter(choices=Outcome.choices)
    since = filters.IsoDateTimeFilter(field_name="started_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="started_at", lookup_expr="lt")

    class Meta:
        model = Retrieval
        fields = ["source", "outcome"]


class ChangeFilter(filters.FilterSet):
    """Changes by who, what and when."""

    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = Change
        fields = ["actor", "verb", "subject"]


class ProtectedAddressFilter(filters.FilterSet):
    """Protected addresses by network and origin."""

    class Meta:
        model = ProtectedAddress
        fields = ["network", "origin"]
