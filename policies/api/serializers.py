"""How policies and what belongs to them look in the API.

Counts of addresses are decimal strings: an IPv6 count has up to 39 digits, and a JSON number that
long is silently rounded by most clients.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from policies.api.fields import RowSerializer, Text, YesNo
from policies.models import (
    Change,
    Feed,
    Policy,
    PolicySource,
    ProtectedAddress,
    Retrieval,
    Snapshot,
    Source,
)
from policies.services import Member
from policies.services.manage_policies import MAX_MEMBERS
from policies.states import Role

ADDRESSES = "Number of addresses, as decimal text."


class AddressCount(serializers.CharField):
    """A number of addresses, as decimal text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"read_only": True, "help_text": ADDRESSES, **options})


class SourceSerializer(RowSerializer[Source]):
    """A source: where a list comes from, and how the last retrieval of it ended."""

    settings = serializers.DictField(
        help_text="By the rules of the kind. memory: {entries: [...]}. dns: {name, servers, port, "
        "encoding, max_names, max_bytes}; without servers the site's own are asked. user: {type}, "
        "block or allow for good; its entries are its records."
    )
    kind = Text(max_length=32, help_text="dns, memory or user")
    policies = serializers.PrimaryKeyRelatedField[Policy](many=True, read_only=True)
    state_label = serializers.CharField(source="state_word.label", read_only=True)
    tone = serializers.CharField(source="state_word.tone", read_only=True)

    class Meta:
        model = Source
        fields = [
            "id", "name", "kind", "settings", "may_be_empty", "shrink_limit", "refresh_minutes",
            "is_enabled", "is_sample", "policies", "state", "state_label", "tone", "error",
            "failures", "server", "due_at", "checked_at", "retrieved_at", "changed_at",
            "list_digest", "list_prefixes",
        ]  # fmt: skip
        read_only_fields = [
            "is_sample", "state", "error", "failures", "server", "due_at", "checked_at",
            "retrieved_at", "changed_at", "list_digest", "list_prefixes",
        ]  # fmt: skip


class MemberSerializer(RowSerializer[PolicySource]):
    """A source in a policy, and what for."""

    name = serializers.CharField(source="source.name", read_only=True)
    role = serializers.ChoiceField(choices=Role.choices)

    class Meta:
        model = PolicySource
        fields = ["source", "name", "role"]


class CurrentSnapshotSerializer(RowSerializer[Snapshot]):
    """The snapshot in force, in short."""

    class Meta:
        model = Snapshot
        fields = ["id", "number", "created_at", "entries"]


class PolicySerializer(RowSerializer[Policy]):
    """A policy: block sources, allow sources and a guard."""

    sources = MemberSerializer(
        source="policy_sources",
        many=True,
        required=False,
        max_length=MAX_MEMBERS,  # type: ignore[call-arg]
    )
    current = CurrentSnapshotSerializer(read_only=True, allow_null=True)
    state_label = serializers.CharField(source="state_word.label", read_only=True)
    tone = serializers.CharField(source="state_word.tone", read_only=True)

    class Meta:
        model = Policy
        fields = [
            "id", "name", "note", "sources", "widest4", "widest6", "max_share", "shrink_limit",
            "growth_limit", "keep_documentation", "empty_list_address", "is_private", "is_paused",
            "is_sample", "state", "state_label", "tone", "state_detail", "accepted_until",
            "due_at", "compiled_at", "current",
        ]  # fmt: skip
        read_only_fields = [
            "is_private", "is_paused", "is_sample", "state", "state_detail", "accepted_until",
            "due_at", "compiled_at",
        ]  # fmt: skip
        extra_kwargs = {"note": {"max_length": 2000}}

    def taken(self) -> tuple[dict[str, Any], list[Member] | None]:
        """Return what was sent: columns by name, and the sources; None where none were sent."""
        columns = dict(self.validated_data)
        rows = columns.pop("policy_sources", None)
        if rows is None:
            return columns, None
        return columns, [Member(row["source"], Role(row["role"])) for row in rows]


class RefreshSerializer(serializers.Serializer[Any]):
    """How to refresh."""

    accept_change = YesNo(
        default=False,
        help_text="Let one change beyond the shrink and growth limits pass.",
    )


class CountsSerializer(serializers.Serializer[Any]):
    """The size of one list."""

    addresses4 = AddressCount()
    addresses6 = AddressCount()
    prefixes = serializers.IntegerField(read_only=True)


class NumbersSerializer(serializers.Serializer[Any]):
    """The sizes of a snapshot's lists, and of the difference to the block list before."""

    block = CountsSerializer(read_only=True)
    allow = CountsSerializer(read_only=True)
    added = CountsSerializer(read_only=True)
    removed = CountsSerializer(read_only=True)


class CutSerializer(serializers.Serializer[Any]):
    """What was taken out of the block list for one reason."""

    reason = serializers.CharField(read_only=True)
    addresses = AddressCount()

    def to_representation(self, instance: list[Any]) -> dict[str, Any]:
        """Name the parts of the pair that is kept."""
        return {"reason": str(instance[0]), "addresses": str(instance[1])}


class ManifestEntrySerializer(serializers.Serializer[Any]):
    """One list that a snapshot was compiled from."""

    name = serializers.CharField(read_only=True)
    role = serializers.ChoiceField(choices=Role.choices, read_only=True)
    digest = serializers.CharField(read_only=True)


class FeedSerializer(RowSerializer[Feed]):
    """One list of a snapshot as it is served."""

    class Meta:
        model = Feed
        fields = ["list", "format", "digest", "md5", "size", "gzip_size", "lines"]


class SnapshotSerializer(RowSerializer[Snapshot]):
    """One compiled version of a policy; it never changes."""

    numbers = NumbersSerializer(read_only=True)
    cuts = CutSerializer(many=True, read_only=True)
    sources = ManifestEntrySerializer(many=True, read_only=True)
    feeds = FeedSerializer(many=True, read_only=True)
    policy_name = serializers.CharField(source="policy.name", read_only=True)
    is_current = serializers.SerializerMethodField()

    class Meta:
        model = Snapshot
        fields = [
            "id", "policy", "policy_name", "number", "created_at", "is_current", "entries",
            "block_prefixes", "allow_prefixes", "block_digest", "allow_digest",
            "empty_list_address", "numbers", "cuts", "sources", "feeds",
        ]  # fmt: skip

    def get_is_current(self, snapshot: Snapshot) -> bool:
        """Whether it is the policy's snapshot in force."""
        return bool(snapshot.policy.current_id == snapshot.pk)


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
    added = AddressCount()
    removed = AddressCount()
    seconds = serializers.FloatField(read_only=True)

    class Meta:
        model = Retrieval
        fields = [
            "id", "source", "source_name", "started_at", "finished_at", "seconds", "outcome",
            "outcome_label", "tone", "error", "server", "entries", "prefixes",
            "host_bits_cleared", "skipped", "added", "removed", "list_digest",
        ]  # fmt: skip


class ChangeSerializer(RowSerializer[Change]):
    """Who changed what, when."""

    detail = serializers.DictField(
        read_only=True, help_text="{setting: [before, after], …}; secrets are masked."
    )

    class Meta:
        model = Change
        fields = ["id", "at", "actor", "verb", "subject", "detail"]


class ProtectedAddressSerializer(RowSerializer[ProtectedAddress]):
    """An address or network that no policy may block."""

    class Meta:
        model = ProtectedAddress
        fields = ["id", "network", "reason", "origin"]
        read_only_fields = ["origin"]
        validators: list[Any] = []  # the service knows which rows are a person's
