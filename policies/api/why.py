"""How lists and snapshots answer for an address in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from policies.states import Role

EXTENTS = [("wholly", "all of it"), ("partly", "a part of it"), ("not", "none of it")]


class ExtentField(serializers.ChoiceField):
    """How much of the addresses."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"choices": EXTENTS, "read_only": True, **options})


class SnapshotShortSerializer(serializers.Serializer[Any]):
    """A snapshot in short."""

    id = serializers.IntegerField(source="pk", read_only=True)
    number = serializers.IntegerField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)


class ListedEntrySerializer(serializers.Serializer[Any]):
    """One entry of a list, as written, and when it was seen."""

    entry = serializers.CharField(source="text", read_only=True)
    line = serializers.IntegerField(
        read_only=True, help_text="0 where the list has no lines, and where the entry has gone."
    )
    first_seen = serializers.DateTimeField(read_only=True, allow_null=True)
    last_seen = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Of one that has gone: when it was missed first."
    )
    is_listed = serializers.BooleanField(
        read_only=True, help_text="Whether the newest list of the source has it."
    )


class SourceIdField(serializers.IntegerField):
    """The id of a source, null where it is not known any more."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"read_only": True, "allow_null": True, **options})

    def to_representation(self, value: int) -> int | None:  # type: ignore[override]
        """Return the id."""
        return value or None


class ListAnswerSerializer(serializers.Serializer[Any]):
    """What one list says of the addresses."""

    source = SourceIdField()  # type: ignore[assignment]  # a framework's name, and ours
    name = serializers.CharField(read_only=True)
    role = serializers.ChoiceField(choices=Role.choices, read_only=True, allow_null=True)
    extent = ExtentField()
    entries = ListedEntrySerializer(
        many=True, read_only=True, help_text="Those that hold all of the addresses, widest first."
    )
    crossing = ListedEntrySerializer(
        many=True, read_only=True, help_text="Ranges that begin or end among the addresses."
    )
    inside = serializers.IntegerField(
        read_only=True, help_text="How many entries hold a part of the addresses, and no more."
    )
    inside_first = ListedEntrySerializer(many=True, read_only=True, help_text="The first of these.")
    gone = ListedEntrySerializer(
        many=True, read_only=True, help_text="Those that held all of the addresses once."
    )
    trouble = serializers.CharField(read_only=True, help_text="Why it cannot be told.")


class CutAnswerSerializer(serializers.Serializer[Any]):
    """What keeps addresses out of the block list although a list names them."""

    reason = serializers.CharField(
        read_only=True, help_text="allowed, protected, critical, special-purpose or unknown"
    )
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]
    source = SourceIdField(  # type: ignore[assignment]
        help_text="The allow list; null where it is none."
    )
    entries = ListedEntrySerializer(
        many=True, read_only=True, help_text="The entries of the allow list that do it."
    )


class PolicyAnswerSerializer(serializers.Serializer[Any]):
    """What one policy does with the addresses."""

    policy = serializers.IntegerField(source="policy.pk", read_only=True)
    name = serializers.CharField(source="policy.name", read_only=True)
    blocked = ExtentField()
    allowed = ExtentField(help_text="How much of them its allow list holds.")
    snapshot = SnapshotShortSerializer(
        read_only=True,
        allow_null=True,
        help_text="Null where nothing is published, or `trouble` says why it cannot be told.",
    )
    lists = ListAnswerSerializer(
        many=True, read_only=True, help_text="Those that have something to say."
    )
    cuts = CutAnswerSerializer(many=True, read_only=True)
    trouble = serializers.CharField(read_only=True, help_text="Why it cannot be told.")
