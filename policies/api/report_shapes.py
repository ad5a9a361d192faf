"""How differences, effects of allow entries and the worth of sources look in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from policies.api.compilations import AddressCount
from policies.api.why import SnapshotShortSerializer, SourceIdField
from policies.reports.difference import Change
from policies.reports.effects import EntryEffect
from policies.reports.worth import SourceWorth
from policies.states import Role


class _Paged(serializers.Serializer[Any]):
    count = serializers.IntegerField(read_only=True)
    next = serializers.URLField(read_only=True, allow_null=True)
    previous = serializers.URLField(read_only=True, allow_null=True)


class ChangeCountsSerializer(serializers.Serializer[Any]):
    """The size of what came or went."""

    addresses4 = AddressCount()
    addresses6 = AddressCount()
    prefixes = serializers.IntegerField(read_only=True)


class ListDifferenceSerializer(serializers.Serializer[Any]):
    """How much came and went in one list."""

    added = ChangeCountsSerializer(read_only=True)
    removed = ChangeCountsSerializer(read_only=True)


class EntryCountsSerializer(serializers.Serializer[Any]):
    """How many entries a list gained and lost."""

    added = serializers.IntegerField(read_only=True)
    removed = serializers.IntegerField(read_only=True)


class CauseSerializer(serializers.Serializer[Any]):
    """The part of one source in what came and went in the block list."""

    source = SourceIdField(  # type: ignore[assignment]
        help_text="Null for what no source caused: a protected address, a limit or a setting did."
    )
    name = serializers.CharField(read_only=True)
    role = serializers.ChoiceField(choices=Role.choices, read_only=True, allow_null=True)
    added = ChangeCountsSerializer(read_only=True)
    removed = ChangeCountsSerializer(read_only=True)
    entries = EntryCountsSerializer(
        read_only=True, allow_null=True, help_text="Of its list as written; null if not kept."
    )
    trouble = serializers.CharField(read_only=True, help_text="Why it cannot be told.")


class PrefixChangeSerializer(serializers.Serializer[Any]):
    """One prefix that came or went."""

    change = serializers.ChoiceField(choices=["added", "removed"], read_only=True)
    prefix = serializers.CharField(read_only=True)

    def to_representation(self, instance: Change) -> dict[str, str]:
        """Return the prefix and what became of it."""
        told = "added" if instance.sign == "+" else "removed"
        return {"change": told, "prefix": str(instance.prefix)}


class DifferenceSerializer(_Paged):
    """What changed between two compiled versions of a policy."""

    before = SnapshotShortSerializer(read_only=True)
    after = SnapshotShortSerializer(
        read_only=True, allow_null=True, help_text="Null for a candidate."
    )
    block = ListDifferenceSerializer(read_only=True)
    allow = ListDifferenceSerializer(read_only=True)
    causes = CauseSerializer(many=True, read_only=True)
    list = serializers.ChoiceField(
        choices=Role.choices, read_only=True, help_text="Whose prefixes are told."
    )
    results = PrefixChangeSerializer(many=True, read_only=True)


class AllowListSerializer(serializers.Serializer[Any]):
    """One allow list of a snapshot."""

    source = SourceIdField()  # type: ignore[assignment]
    name = serializers.CharField(read_only=True)
    entries = serializers.IntegerField(source="total", read_only=True)
    idle = serializers.IntegerField(read_only=True, help_text="Entries that cut nothing.")
    trouble = serializers.CharField(read_only=True, help_text="Why it cannot be told.")


class EntryEffectSerializer(serializers.Serializer[Any]):
    """One allow entry and what it took out of the block list, as if it were the only one."""

    source = SourceIdField()  # type: ignore[assignment]
    name = serializers.CharField(read_only=True)
    entry = serializers.CharField(read_only=True)
    line = serializers.IntegerField(read_only=True)
    effect = serializers.CharField(read_only=True, help_text='"cut 3 blocks" or "no overlap"')
    blocks = serializers.IntegerField(
        read_only=True, help_text="Prefixes of the block list that it touches."
    )
    removed = serializers.IntegerField(read_only=True, help_text="Those of which nothing is left.")
    addresses = AddressCount()

    def to_representation(self, instance: EntryEffect) -> dict[str, Any]:
        """Return the entry and its effect."""
        effect = instance.effect
        return {
            "source": instance.source or None,
            "name": instance.name,
            "entry": str(instance.span),
            "line": instance.line,
            "effect": str(effect),
            "blocks": effect.blocks,
            "removed": effect.removed,
            "addresses": str(effect.addresses),
        }


class AllowEffectsSerializer(_Paged):
    """What the allow entries of a snapshot did."""

    lists = AllowListSerializer(many=True, read_only=True)
    results = EntryEffectSerializer(many=True, read_only=True)


class SharedSerializer(serializers.Serializer[Any]):
    """What a list shares with one other."""

    source = serializers.IntegerField(source="source.pk", read_only=True)  # type: ignore[assignment]
    name = serializers.CharField(source="source.name", read_only=True)
    entries = serializers.IntegerField(
        source="overlap.entries",
        read_only=True,
        help_text="Entries of the list that the other holds at least in part.",
    )
    addresses4 = AddressCount(source="overlap.addresses4")
    addresses6 = AddressCount(source="overlap.addresses6")
    share4 = serializers.FloatField(
        source="overlap.share4", read_only=True, help_text="Of the list's IPv4 addresses, 0 to 1."
    )
    share6 = serializers.FloatField(source="overlap.share6", read_only=True)


class ReasonCountSerializer(serializers.Serializer[Any]):
    """A word and how often."""

    reason = serializers.CharField(read_only=True)
    count = serializers.IntegerField(read_only=True)

    def to_representation(self, instance: tuple[str, int]) -> dict[str, Any]:
        """Name the parts of the pair."""
        return {"reason": str(instance[0]), "count": instance[1]}


class WorthSerializer(serializers.Serializer[Any]):
    """What a source is worth."""

    source = serializers.IntegerField(source="source.pk", read_only=True)  # type: ignore[assignment]
    name = serializers.CharField(source="source.name", read_only=True)
    among = serializers.ChoiceField(choices=["policies", "site"], read_only=True)
    entries = serializers.IntegerField(read_only=True)
    entries_only = serializers.IntegerField(
        read_only=True, help_text="Entries of which no other list has any address."
    )
    only = ChangeCountsSerializer(read_only=True, help_text="Addresses that no other list has.")
    shared = SharedSerializer(many=True, read_only=True)
    unreadable = serializers.SerializerMethodField(
        help_text="Names of lists that cannot be read and were left out."
    )
    skipped = ReasonCountSerializer(
        many=True, read_only=True, help_text="Why entries were left out."
    )
    outcomes = ReasonCountSerializer(
        many=True, read_only=True, help_text="How the retrievals of the last 30 days ended."
    )
    retrieved_at = serializers.DateTimeField(
        source="source.retrieved_at", read_only=True, allow_null=True
    )
    changed_at = serializers.DateTimeField(
        source="source.changed_at", read_only=True, allow_null=True
    )
    failures = serializers.IntegerField(
        source="source.failures", read_only=True, help_text="In a row, up to now."
    )

    def get_unreadable(self, found: SourceWorth) -> list[str]:
        """Name the lists that were left out."""
        return [other.name for other in found.unreadable]
