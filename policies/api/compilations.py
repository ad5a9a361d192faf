"""How compiled lists look in the API: those in force, those before, and those held back.

Counts of addresses are decimal strings: an IPv6 count has up to 39 digits, and a JSON number that
long is silently rounded by most clients.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from rest_framework import serializers

from policies.api.fields import RowSerializer
from policies.models import Feed, Snapshot
from policies.models.snapshot import Compilation
from policies.states import Role

ADDRESSES = "Number of addresses, as decimal text."

Row = TypeVar("Row", bound=Compilation)


class AddressCount(serializers.CharField):
    """A number of addresses, as decimal text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"read_only": True, "help_text": ADDRESSES, **options})


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


class CutItemSerializer(serializers.Serializer[Any]):
    """One protected, critical or allowed thing that cut something out of the block list."""

    reason = serializers.CharField(read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]
    addresses = AddressCount()

    def to_representation(self, instance: list[Any]) -> dict[str, Any]:
        """Name the parts of the triple that is kept."""
        reason, label, addresses = map(str, instance)
        return {"reason": reason, "label": label, "addresses": addresses}


class ManifestEntrySerializer(serializers.Serializer[Any]):
    """One list that a snapshot was compiled from."""

    source = serializers.IntegerField(  # type: ignore[assignment]
        read_only=True, default=0, help_text="Its id; 0 where it was not kept."
    )
    name = serializers.CharField(read_only=True)
    role = serializers.ChoiceField(choices=Role.choices, read_only=True)
    priority = serializers.IntegerField(read_only=True, default=0)
    digest = serializers.CharField(read_only=True)
    retrieved_at = serializers.CharField(
        read_only=True, default="", help_text="ISO 8601; empty where it was not kept."
    )


class FeedSerializer(RowSerializer[Feed]):
    """One list of a snapshot as it is served."""

    class Meta:
        model = Feed
        fields = ["list", "format", "digest", "md5", "size", "gzip_size", "lines"]


class CompilationSerializer(RowSerializer[Row]):
    """What snapshots and candidates have in common."""

    COLUMNS: ClassVar = (
        "created_at", "entries", "block_prefixes", "allow_prefixes", "block_digest",
        "allow_digest", "empty_list_address", "numbers", "cuts", "cut_items", "sources",
    )  # fmt: skip

    numbers = NumbersSerializer(read_only=True)
    cuts = CutSerializer(many=True, read_only=True)
    cut_items = CutItemSerializer(many=True, read_only=True)
    sources = ManifestEntrySerializer(many=True, read_only=True)


class SnapshotSerializer(CompilationSerializer[Snapshot]):
    """One compiled version of a policy; it never changes."""

    feeds = FeedSerializer(many=True, read_only=True)
    policy_name = serializers.CharField(source="policy.name", read_only=True)
    is_current = serializers.SerializerMethodField()

    class Meta:
        model = Snapshot
        fields = [
            "id", "policy", "policy_name", "number", "is_current", "note",
            *CompilationSerializer.COLUMNS, "feeds",
        ]  # fmt: skip

    def get_is_current(self, snapshot: Snapshot) -> bool:
        """Whether it is the policy's snapshot in force."""
        return bool(snapshot.policy.current_id == snapshot.pk)
