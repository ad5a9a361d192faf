"""How reports look in the API, and the parameters that all of them take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers

from logs.events.filters import By, Connection, Direction
from logs.events.text import protocol_name
from logs.reports.asked import ACTIONS, LASTS
from logs.reports.lines import RawLine
from logs.reports.report import WORDS

ROWS, ROWS_MOST = 50, 10_000
PAGE_SIZE, PAGE_SIZE_MOST, SKIP_MOST = 100, 1000, 100_000


def _words(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, many=True, description=description)


FILTERS = [
    OpenApiParameter(
        "last", OpenApiTypes.STR, enum=list(LASTS), description="The time until now; 24h without."
    ),
    OpenApiParameter(
        "since", OpenApiTypes.STR, description="ISO 8601, UTC where it names no zone."
    ),
    OpenApiParameter("until", OpenApiTypes.STR, description="Not in it; now without it."),
    OpenApiParameter("direction", OpenApiTypes.STR, enum=list(Direction)),
    _words("device", "Names; apart by commas, or repeated."),
    _words("inside", "Addresses, prefixes or ranges of the site's own end."),
    _words("outside", "The same of the other end."),
    _words("ports", "Of the destination: 443, 8000-8100."),
    _words("except_ports", "None of these."),
    _words("list", "A source's name; repeated for more."),
    OpenApiParameter(
        "severity", {"type": "integer", "minimum": 1, "maximum": 5}, description="At least."
    ),
    _words("action", f"What became of it: {', '.join(ACTIONS)}; dropped without."),
]


class TotalsSerializer(serializers.Serializer[Any]):
    """Connections, and how many different hosts they are of."""

    inbound = serializers.IntegerField(read_only=True)
    outbound = serializers.IntegerField(read_only=True)
    inside_hosts = serializers.IntegerField(source="insides", read_only=True)
    outside_addresses = serializers.IntegerField(source="outsides", read_only=True)
    is_estimate = serializers.BooleanField(
        read_only=True, help_text="Of the hosts, where there are very many connections."
    )


class BucketSerializer(serializers.Serializer[Any]):
    """What was counted from a moment until the next."""

    at = serializers.DateTimeField(read_only=True)
    inbound = serializers.IntegerField(read_only=True)
    outbound = serializers.IntegerField(read_only=True)


class TimelineSerializer(serializers.Serializer[Any]):
    """Connections over time, and in all."""

    since = serializers.DateTimeField(read_only=True)
    until = serializers.DateTimeField(read_only=True)
    step_seconds = serializers.IntegerField(read_only=True)
    totals = TotalsSerializer(read_only=True)
    buckets = BucketSerializer(many=True, read_only=True)


class SummaryRowSerializer(serializers.Serializer[Any]):
    """Connections that share what the summary is by."""

    key = serializers.CharField(
        read_only=True, help_text="As the parameter takes it; empty where there is none."
    )
    connections = serializers.IntegerField(read_only=True)
    inside_hosts = serializers.IntegerField(source="insides", read_only=True)
    outside_addresses = serializers.IntegerField(source="outsides", read_only=True)
    first_at = serializers.DateTimeField(read_only=True)
    last_at = serializers.DateTimeField(read_only=True)


class SummarySerializer(serializers.Serializer[Any]):
    """The largest rows of a summary, and how much there is in all."""

    since = serializers.DateTimeField(read_only=True)
    until = serializers.DateTimeField(read_only=True)
    by = serializers.ChoiceField(choices=list(By), read_only=True)
    rows = SummaryRowSerializer(many=True, read_only=True)
    total_rows = serializers.IntegerField(read_only=True)
    total_connections = serializers.IntegerField(read_only=True)
    is_estimate = serializers.BooleanField(read_only=True, help_text="Of the hosts.")


_ACTION = serializers.ChoiceField(choices=list(ACTIONS))


class ConnectionSerializer(serializers.Serializer[Any]):
    """One connection that a line tells of. The context holds `devices`, names by id."""

    at = serializers.DateTimeField(read_only=True)
    device = serializers.IntegerField(source="device_id", read_only=True)
    device_nickname = serializers.SerializerMethodField()
    direction = serializers.ChoiceField(choices=list(Direction), read_only=True)
    source = serializers.IPAddressField(read_only=True)  # type: ignore[assignment]
    source_port = serializers.IntegerField(read_only=True)
    destination = serializers.IPAddressField(read_only=True)
    destination_port = serializers.IntegerField(read_only=True)
    protocol = serializers.SerializerMethodField()
    action = serializers.SerializerMethodField()
    said = serializers.CharField(read_only=True, help_text="What the firewall calls it.")
    list = serializers.CharField(read_only=True, help_text="The source that holds the address.")
    entry = serializers.CharField(read_only=True, help_text="Its entry that does.")
    snapshot = serializers.IntegerField(
        source="snapshot_id", read_only=True, allow_null=True, help_text="In force at that time."
    )
    line = serializers.CharField(
        source="ref", read_only=True, help_text="What its line is asked for with."
    )

    def get_device_nickname(self, one: Connection) -> str:
        """Return the device's name; empty where it is gone."""
        names: Mapping[int, str] = self.context["devices"]
        return names.get(one.device_id, "")

    def get_protocol(self, one: Connection) -> str:
        """Return the protocol's name, its number where it has none."""
        return protocol_name(one.protocol)

    @extend_schema_field(_ACTION)
    def get_action(self, one: Connection) -> str:
        """Return what became of it."""
        return WORDS[one.action]


class ConnectionsSerializer(serializers.Serializer[Any]):
    """A page of connections, the newest first."""

    since = serializers.DateTimeField(read_only=True)
    until = serializers.DateTimeField(read_only=True)
    count = serializers.IntegerField(read_only=True)
    next = serializers.URLField(read_only=True, allow_null=True)
    previous = serializers.URLField(read_only=True, allow_null=True)
    results = ConnectionSerializer(many=True, read_only=True)


class LineSerializer(serializers.Serializer[Any]):
    """A line as it came, and the connection it tells of. The context holds `devices`."""

    text = serializers.CharField(read_only=True, allow_null=True)
    why_not = serializers.CharField(
        read_only=True, help_text="Why it cannot be shown; empty where it can."
    )
    connection = serializers.SerializerMethodField()

    @extend_schema_field(ConnectionSerializer(allow_null=True))
    def get_connection(self, told: RawLine) -> dict[str, Any] | None:
        """Return the connection."""
        if told.connection is None:
            return None
        return ConnectionSerializer(told.connection, context=self.context).data
