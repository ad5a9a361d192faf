"""How the kernel of a gateway looks in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from devices.models import Gateway, GatewayState
from policies.api.fields import RowSerializer


class LiveSetSerializer(serializers.Serializer[Any]):
    """One set that is live in the kernel."""

    name = serializers.CharField(read_only=True)
    entries = serializers.IntegerField(read_only=True)
    bytes = serializers.IntegerField(
        read_only=True, help_text="Of kernel memory; 0 where the kernel does not say."
    )


class GatewaySerializer(RowSerializer[Gateway]):
    """What is known of a gateway's kernel; its enforcer writes it."""

    state = serializers.ChoiceField(choices=GatewayState.choices, read_only=True)
    label = serializers.CharField(source="state_word.label", read_only=True)  # type: ignore[assignment]
    tone = serializers.CharField(source="state_word.tone", read_only=True)
    detail = serializers.CharField(read_only=True, help_text="Why it is in this state.")
    node = serializers.CharField(source="device.node", read_only=True)
    snapshot_number = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="Of the snapshot in force; null for none."
    )
    entries = serializers.IntegerField(read_only=True, help_text="In all sets.")
    sets = serializers.SerializerMethodField()
    warnings = serializers.ListField(child=serializers.CharField(), read_only=True)
    dropped_in = serializers.IntegerField(
        read_only=True, help_text="Packets dropped inbound and forwarded."
    )
    dropped_out = serializers.IntegerField(read_only=True, help_text="Packets dropped outbound.")

    class Meta:
        model = Gateway
        fields = [
            "state", "label", "tone", "detail", "node", "snapshot_number", "block_digest",
            "allow_digest", "entries", "sets", "applied_at", "checked_at", "paused_until",
            "paused_by", "warnings", "healed", "healed_at", "dropped_in", "dropped_out",
            "dropped_since",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(LiveSetSerializer(many=True))
    def get_sets(self, gateway: Gateway) -> list[dict[str, Any]]:
        """Return the live sets."""
        return [
            {"name": name, "entries": entries, "bytes": memory}
            for name, (entries, memory) in gateway.sets.items()
        ]
