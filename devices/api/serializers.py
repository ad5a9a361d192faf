"""How devices and pulls look in the API. Settings are held to the rules of the device's kind."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from devices.api.gateways import GatewaySerializer
from devices.health import Health, HealthState, health_of
from devices.kinds import CHOICES
from devices.kinds.rules import LOG_QUOTA_LEAST, LOG_QUOTA_MOST, LOG_SIZE_LEAST, LOG_SIZE_MOST
from devices.models import Device, DeviceGroup, Pull
from devices.services import feed_urls, lists_of
from policies.api.compilations import AddressCount, CountsSerializer
from policies.api.fields import RowId, RowSerializer, Text, Whole
from policies.models import Packing, Policy

MAX_ITEMS = 64
MAX_SERVERS = 8
_COLUMNS = [
    "device_id", "management_ip", "send_logs", "syslog_sources", "log_size", "log_quota",
    "log_names", "log_writer", "policy_updates", "syslog_forward", "forward_source", "upload_proxy",
    "upload_proxy_user", "max_policy_size", "ip_type", "public_ip", "domain_name",
    "client_networks", "note", "node", "enforcer", "verdict", "log_limit", "cut_connections",
    "canaries", "test_address",
]  # fmt: skip
_LISTS = ["block_list", "allow_list", "dns_server", "dns_port"]


class HealthSerializer(serializers.Serializer[Health]):
    """How the device does: a word, and a sentence that says what to do."""

    state = serializers.ChoiceField(choices=HealthState.choices, read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]
    tone = serializers.CharField(read_only=True)
    detail = serializers.CharField(read_only=True)


class FeedUrlsSerializer(serializers.Serializer[Any]):
    """Where the device fetches its feeds; each has its `.md5` beside it."""

    block = serializers.URLField(read_only=True)
    allow = serializers.URLField(read_only=True)


class PublishedSnapshotSerializer(serializers.Serializer[Any]):
    """The snapshot the device is served."""

    id = serializers.IntegerField(read_only=True)
    number = serializers.IntegerField(read_only=True)
    entries = serializers.IntegerField(read_only=True)


class DroppedSerializer(serializers.Serializer[Any]):
    """What of one source did not fit."""

    source = serializers.CharField(read_only=True)  # type: ignore[assignment]
    prefixes = serializers.IntegerField(read_only=True)
    addresses = AddressCount()

    def to_representation(self, instance: list[Any]) -> dict[str, Any]:
        """Name the parts of the row that is kept."""
        name, prefixes, addresses = instance
        return {"source": name, "prefixes": prefixes, "addresses": str(addresses)}


class PackingSerializer(RowSerializer[Packing]):
    """The policy's snapshot cut to the size of the device."""

    added = CountsSerializer(read_only=True)
    left_out = CountsSerializer(read_only=True)
    dropped = DroppedSerializer(many=True, read_only=True)

    class Meta:
        model = Packing
        fields = ["most", "entries", "created_at", "added", "left_out", "dropped"]


class DeviceSettingsSerializer(RowSerializer[Device]):
    """The settings of a device; what is not sent stays as it is."""

    policy = RowId(
        queryset=Policy.objects.all(),
        required=False,
        allow_null=True,
        help_text="The policy to follow; null for one of its own, made from the list names.",
    )
    group = RowId(
        queryset=DeviceGroup.objects.all(),
        required=False,
        allow_null=True,
        help_text="The group it is in; null for none. Who is in groups sees only their devices.",
    )
    block_list = Text(max_length=255, required=False)
    allow_list = Text(max_length=255, required=False, allow_blank=True, help_text="Empty for none.")
    dns_server = serializers.ListField(
        child=Text(max_length=255),
        required=False,
        max_length=MAX_SERVERS,
        help_text="Empty for the site's own.",
    )
    dns_port = Whole(min_value=1, max_value=65535, required=False)
    syslog_sources = serializers.ListField(
        child=Text(max_length=50),
        required=False,
        max_length=MAX_ITEMS,
        help_text="Addresses and networks that its log lines come from, beside its own address.",
    )
    log_names = serializers.ListField(
        child=Text(max_length=253),
        required=False,
        max_length=MAX_ITEMS,
        help_text="Host names or DeviceUUIDs in its log lines, where devices share an address.",
    )
    syslog_forward = Text(
        max_length=2400,
        required=False,
        allow_blank=True,
        help_text="host:port/udp, /tcp or /tls, several separated by commas.",
    )
    client_networks = serializers.ListField(
        child=Text(max_length=50),
        required=False,
        max_length=MAX_ITEMS,
        help_text="Networks that may fetch the feeds; empty for all.",
    )
    node = Text(
        max_length=64,
        required=False,
        allow_blank=True,
        help_text="Of a gateway: the machine that enforces, by the name it calls itself; empty for "
        "this one.",
    )
    log_limit = Text(
        max_length=16,
        required=False,
        allow_blank=True,
        help_text="Of a gateway: such as 10/second; empty to log every listed packet.",
    )
    canaries = serializers.ListField(
        child=Text(max_length=60),
        required=False,
        max_length=MAX_ITEMS,
        help_text="Of a gateway: addresses, or address:port, that must stay reachable.",
    )
    upload_proxy_password = Text(
        max_length=200, required=False, allow_blank=True, trim_whitespace=False, write_only=True
    )

    class Meta:
        model = Device
        fields = ["policy", "group", *_COLUMNS, *_LISTS, "upload_proxy_password"]
        extra_kwargs = {
            "log_size": {"min_value": LOG_SIZE_LEAST, "max_value": LOG_SIZE_MOST},
            "log_quota": {"min_value": LOG_QUOTA_LEAST, "max_value": LOG_QUOTA_MOST},
            "max_policy_size": {"min_value": 1, "max_value": 2_000_000_000},
            "note": {"max_length": 2000},
        }


class DeviceAddSerializer(DeviceSettingsSerializer):
    """A device to add. Without `policy` it gets one of its own, made from its list names."""

    kind = serializers.ChoiceField(choices=CHOICES)

    class Meta(DeviceSettingsSerializer.Meta):
        fields = ["nickname", "kind", *DeviceSettingsSerializer.Meta.fields]


class DeviceSerializer(RowSerializer[Device]):
    """A device: its settings, its health, its feeds or its kernel, and the snapshot it is served.

    The context holds `now` and `feed_base`; rows are annotated with `published_row`.
    """

    policy_name = serializers.CharField(source="policy.name", read_only=True)
    group_name = serializers.CharField(
        source="group.name", read_only=True, default=None, allow_null=True
    )
    block_list = serializers.SerializerMethodField()
    allow_list = serializers.SerializerMethodField()
    dns_server = serializers.SerializerMethodField()
    dns_port = serializers.SerializerMethodField()
    syslog_sources = serializers.ListField(child=serializers.CharField(), read_only=True)
    log_names = serializers.ListField(child=serializers.CharField(), read_only=True)
    client_networks = serializers.ListField(child=serializers.CharField(), read_only=True)
    canaries = serializers.ListField(child=serializers.CharField(), read_only=True)
    set_by_portal = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text="Settings that a portal lays down: they are changed there, or overridden here.",
    )
    health = serializers.SerializerMethodField()
    feeds = serializers.SerializerMethodField()
    gateway = serializers.SerializerMethodField()
    snapshot = PublishedSnapshotSerializer(source="published_row", read_only=True, allow_null=True)
    packing = serializers.SerializerMethodField()

    class Meta:
        model = Device
        fields = [
            "id", "nickname", "kind", "policy", "policy_name", "group", "group_name", "is_sample",
            "created_at", "health", "feeds", "gateway", "snapshot", "packing", "last_pull_at",
            "last_pull_number", "portal", "set_by_portal", *_COLUMNS, *_LISTS,
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(PackingSerializer(allow_null=True))
    def get_packing(self, device: Device) -> dict[str, Any] | None:
        """Return how the policy was cut to its size, null where it fits as it is."""
        packing = device.packing
        return PackingSerializer(packing).data if packing is not None else None

    def get_block_list(self, device: Device) -> str:
        """Return the name of the first block list in the DNS, "" where there is none."""
        return lists_of(device).block_list

    def get_allow_list(self, device: Device) -> str:
        """Return the name of the first allow list in the DNS, "" where there is none."""
        return lists_of(device).allow_list

    def get_dns_server(self, device: Device) -> list[str]:
        """Return the servers of its lists, empty for the site's own."""
        return list(lists_of(device).dns_server)

    def get_dns_port(self, device: Device) -> int:
        """Return the port of its lists."""
        return lists_of(device).dns_port

    @extend_schema_field(HealthSerializer)
    def get_health(self, device: Device) -> dict[str, Any]:
        """Return its health now."""
        return HealthSerializer(health_of(device, now=self.context["now"])).data

    @extend_schema_field(FeedUrlsSerializer(allow_null=True))
    def get_feeds(self, device: Device) -> dict[str, Any] | None:
        """Return the URLs of its feeds, null for a gateway, which pulls none."""
        return feed_urls(device, base=self.context["feed_base"]) or None

    @extend_schema_field(GatewaySerializer(allow_null=True))
    def get_gateway(self, device: Device) -> dict[str, Any] | None:
        """Return what is known of a gateway's kernel, null for a device that pulls feeds."""
        return GatewaySerializer(device.gateway).data if device.is_gateway else None


class PullSerializer(RowSerializer[Pull]):
    """One request for a feed."""

    device_nickname = serializers.CharField(source="device.nickname", read_only=True)

    class Meta:
        model = Pull
        fields = [
            "id", "device", "device_nickname", "at", "client", "agent", "file", "method", "status",
            "snapshot_number", "sent", "is_complete",
        ]  # fmt: skip
