"""How policies, sources and what happened to them look in the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from netsets.critical import CRITICAL
from policies.api.candidates import CandidateSummarySerializer
from policies.api.compilations import AddressCount
from policies.api.fields import RowSerializer, SeenIds, Text, YesNo
from policies.models import (
    Policy,
    PolicySource,
    PolicyTest,
    ProtectedAddress,
    Retrieval,
    Snapshot,
    Source,
)
from policies.services import Member, MustHold
from policies.services.manage_policies import DEFAULT_PRIORITY, MAX_MEMBERS, MAX_TESTS
from policies.services.sources import secret_names
from policies.sources import SOURCES
from policies.sources.examples import settings_lines
from policies.states import Expectation, Role

KINDS = {name: kind.label for name, kind in SOURCES.items()}


class SourceSerializer(RowSerializer[Source]):
    """A source: where a list comes from, and how the last retrieval of it ended."""

    settings = serializers.DictField(
        help_text=f"Replaced whole where they are sent. {' '.join(settings_lines(KINDS))}"
    )
    secrets = serializers.SerializerMethodField(help_text="Which secret settings are kept.")
    kind = Text(max_length=32, help_text=f"One of {', '.join(KINDS)}.")
    is_stale = serializers.SerializerMethodField()
    policies = SeenIds(Policy.objects.all(), help_text="Those that ask for it.")
    state_label = serializers.CharField(source="state_word.label", read_only=True)
    tone = serializers.CharField(source="state_word.tone", read_only=True)

    class Meta:
        model = Source
        fields = [
            "id", "name", "kind", "settings", "secrets", "may_be_empty", "shrink_limit", "severity",
            "refresh_minutes", "stale_minutes", "is_enabled", "is_sample", "policies", "state",
            "state_label", "tone", "error", "failures", "is_stale", "server", "due_at",
            "checked_at", "retrieved_at", "changed_at", "list_digest", "list_prefixes",
            "list_entries", "list_skipped",
        ]  # fmt: skip
        read_only_fields = [
            "is_sample", "state", "error", "failures", "server", "due_at", "checked_at",
            "retrieved_at", "changed_at", "list_digest", "list_prefixes", "list_entries",
            "list_skipped",
        ]  # fmt: skip

    def get_secrets(self, source: Source) -> list[str]:
        """Return the names of its secrets."""
        return secret_names(source)

    def get_is_stale(self, source: Source) -> bool:
        """Whether the list held is older than it may be."""
        return source.is_stale(now=timezone.now())  # noqa: TID251  an edge


class MemberSerializer(RowSerializer[PolicySource]):
    """A source in a policy, and what for."""

    name = serializers.CharField(source="source.name", read_only=True)
    role = serializers.ChoiceField(choices=Role.choices)

    class Meta:
        model = PolicySource
        fields = ["source", "name", "role", "priority"]


class PolicyTestSerializer(RowSerializer[PolicyTest]):
    """Something that must hold before a policy is published."""

    expect = serializers.ChoiceField(choices=Expectation.choices)

    class Meta:
        model = PolicyTest
        fields = ["expect", "network", "note"]


class TestOutcomeSerializer(serializers.Serializer[Any]):
    """How a policy test ends with the block list in force."""

    expect = serializers.ChoiceField(
        source="test.expect", choices=Expectation.choices, read_only=True
    )
    network = serializers.CharField(source="test.text", read_only=True)
    note = serializers.CharField(source="test.note", read_only=True)
    is_passed = serializers.BooleanField(read_only=True)
    detail = serializers.CharField(
        read_only=True, help_text="What is wrong; empty where nothing is."
    )


class CurrentSnapshotSerializer(RowSerializer[Snapshot]):
    """The snapshot in force, in short."""

    class Meta:
        model = Snapshot
        fields = ["id", "number", "created_at", "entries"]


@dataclass(frozen=True, slots=True)
class Taken:
    """What was sent of a policy: columns by name, sources and tests; None where none were sent."""

    columns: dict[str, Any]
    members: list[Member] | None
    tests: list[MustHold] | None


class PolicySerializer(RowSerializer[Policy]):
    """A policy: block sources, allow sources and a guard."""

    sources = MemberSerializer(
        source="policy_sources",
        many=True,
        required=False,
        max_length=MAX_MEMBERS,  # type: ignore[call-arg]
    )
    tests = PolicyTestSerializer(
        many=True,
        required=False,
        max_length=MAX_TESTS,  # type: ignore[call-arg]
    )
    critical_except = serializers.ListField(
        child=serializers.ChoiceField(choices=list(CRITICAL)),
        required=False,
        max_length=len(CRITICAL),
        help_text="Groups of critical services that may be blocked.",
    )
    current = CurrentSnapshotSerializer(read_only=True, allow_null=True)
    pinned = CurrentSnapshotSerializer(read_only=True, allow_null=True)
    candidate = CandidateSummarySerializer(source="held", read_only=True, allow_null=True)
    state_label = serializers.CharField(source="state_word.label", read_only=True)
    tone = serializers.CharField(source="state_word.tone", read_only=True)

    class Meta:
        model = Policy
        fields = [
            "id", "name", "note", "sources", "tests", "widest4", "widest6", "max_share",
            "shrink_limit", "growth_limit", "reject_limit", "keep_special", "keep_documentation",
            "protect_critical", "critical_except", "stale_entries", "merge_to4", "merge_to6",
            "keep_snapshots", "keep_days", "empty_list_address", "is_private", "is_paused",
            "is_sample", "state", "state_label", "tone", "state_detail", "accepted_until",
            "due_at", "compiled_at", "current", "candidate", "pinned", "pinned_at", "pinned_by",
        ]  # fmt: skip
        read_only_fields = [
            "is_private", "is_paused", "is_sample", "state", "state_detail", "accepted_until",
            "due_at", "compiled_at", "pinned_at", "pinned_by",
        ]  # fmt: skip
        extra_kwargs = {"note": {"max_length": 2000}}

    def taken(self) -> Taken:
        """Return what was sent."""
        columns = dict(self.validated_data)
        rows, tests = columns.pop("policy_sources", None), columns.pop("tests", None)
        members = rows if rows is None else [_member(row) for row in rows]
        return Taken(columns, members, tests if tests is None else [_must_hold(t) for t in tests])


def _member(row: dict[str, Any]) -> Member:
    return Member(row["source"], Role(row["role"]), row.get("priority", DEFAULT_PRIORITY))


def _must_hold(row: dict[str, Any]) -> MustHold:
    return MustHold(Expectation(row["expect"]), row["network"], row.get("note", ""))


class RefreshSerializer(serializers.Serializer[Any]):
    """How to refresh."""

    accept_change = YesNo(
        default=False,
        help_text="Let one change beyond the shrink and growth limits pass.",
    )


class SkippedSerializer(serializers.Serializer[Any]):
    """How many entries of a list were left out for one reason."""

    reason = serializers.CharField(read_only=True)
    count = serializers.IntegerField(read_only=True)

    def to_representation(self, instance: list[Any]) -> dict[str, Any]:
        """Name the parts of the pair that is kept."""
        return {"reason": str(instance[0]), "count": int(instance[1])}


class RetrievalSerializer(RowSerializer[Retrieval]):
    """One attempt to retrieve a source."""

    source_name = serializers.CharField(source="source.name", read_only=True)
    outcome_label = serializers.CharField(source="outcome_word.label", read_only=True)
    tone = serializers.CharField(source="outcome_word.tone", read_only=True)
    skipped = SkippedSerializer(many=True, read_only=True)
    samples = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="The first few skipped entries."
    )
    added = AddressCount()
    removed = AddressCount()
    seconds = serializers.FloatField(read_only=True)

    class Meta:
        model = Retrieval
        fields = [
            "id", "source", "source_name", "started_at", "finished_at", "seconds", "outcome",
            "outcome_label", "tone", "error", "server", "entries", "prefixes",
            "host_bits_cleared", "skipped", "samples", "added", "removed", "list_digest",
        ]  # fmt: skip


class ProtectedAddressSerializer(RowSerializer[ProtectedAddress]):
    """An address or network that no policy may block."""

    class Meta:
        model = ProtectedAddress
        fields = ["id", "network", "reason", "origin", "until"]
        read_only_fields = ["origin", "until"]
        validators: list[Any] = []  # the service knows which rows are a person's
