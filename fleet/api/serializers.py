"""How device entries, what groups inherit, and what devices said look in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from devices.kinds import CHOICES
from devices.models import DeviceGroup
from fleet.models import Entry, EntryKey, EntryStatus, GroupSettings
from fleet.reports.effective import Effective
from fleet.reports.health import EntryHealth, FleetHealth, health_of, status_of
from fleet.services.entries import LONGEST_NOTE, REGISTRATION_LEAST, REGISTRATION_MOST
from fleet.services.entry_keys import MOST_HOURS, ROTATION_HOURS
from policies.api.fields import RowId, RowSerializer, Text, Whole
from policies.models import Policy

_LAID_DOWN = "By name, as the kind of the device has them; null for one that is to be inherited."


class SettingsField(serializers.DictField):
    """Settings by name: any JSON value, which the rule of the setting judges."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "help_text": _LAID_DOWN, **options})


class FleetHealthSerializer(serializers.Serializer[FleetHealth]):
    """How the device does: a word, and a sentence that says what to do."""

    state = serializers.ChoiceField(choices=EntryHealth.choices, read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]
    tone = serializers.CharField(read_only=True)
    detail = serializers.CharField(read_only=True)


class EntryStatusSerializer(RowSerializer[EntryStatus]):
    """What a device said of itself last."""

    errors = serializers.ListField(child=serializers.CharField(), read_only=True)  # type: ignore[assignment]
    overrides = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Settings it has otherwise."
    )

    class Meta:
        model = EntryStatus
        fields = [
            "reported_at", "received_at", "version", "state", "serial", "snapshot_number", "digest",
            "retrieved_at", "uploaded_at", "clock_offset", "errors", "overrides",
        ]  # fmt: skip
        read_only_fields = fields


class EntryKeySerializer(RowSerializer[EntryKey]):
    """A device key, without its text, which is shown once."""

    class Meta:
        model = EntryKey
        fields = ["generation", "created_at", "retires_at"]
        read_only_fields = fields


class EntrySerializer(RowSerializer[Entry]):
    """One device as the portal knows it. The context holds `now`."""

    policy_name = serializers.CharField(
        source="policy.name", read_only=True, default=None, allow_null=True
    )
    group_name = serializers.CharField(
        source="group.name", read_only=True, default=None, allow_null=True
    )
    settings = serializers.DictField(
        read_only=True, help_text="Those laid down for this device itself; no secrets."
    )
    health = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    keys = EntryKeySerializer(many=True, read_only=True)

    class Meta:
        model = Entry
        fields = [
            "id", "nickname", "device_id", "kind", "manufacturer", "model", "group", "group_name",
            "policy", "policy_name", "settings", "note", "created_at", "due_at", "serial",
            "written_at", "write_error", "health", "status", "keys",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(FleetHealthSerializer)
    def get_health(self, entry: Entry) -> dict[str, Any]:
        """Return its health now."""
        return FleetHealthSerializer(health_of(entry, now=self.context["now"])).data

    @extend_schema_field(EntryStatusSerializer(allow_null=True))
    def get_status(self, entry: Entry) -> dict[str, Any] | None:
        """Return what the device said last, null where it never linked."""
        said = status_of(entry)
        return EntryStatusSerializer(said).data if said is not None else None


class NewEntrySerializer(EntrySerializer):
    """An entry whose key was just made: the key is in this answer and nowhere else, ever.

    The context holds `linking`.
    """

    device_key = serializers.SerializerMethodField(help_text="Shown this once.")
    portal = serializers.SerializerMethodField(help_text="host or host:port, by DNS over TLS.")
    domain = serializers.SerializerMethodField(help_text="What the names of its zones end in.")
    tls_name = serializers.SerializerMethodField(
        help_text="In the certificate of the portal's name server; empty for its host."
    )
    command = serializers.SerializerMethodField(help_text="What to type on the device.")

    class Meta(EntrySerializer.Meta):
        fields = [
            *EntrySerializer.Meta.fields, "device_key", "portal", "domain", "tls_name", "command",
        ]  # fmt: skip
        read_only_fields = fields

    def get_device_key(self, entry: Entry) -> str:  # noqa: ARG002
        """Return the key as it is typed."""
        return str(self.context["linking"].key_text)

    def get_portal(self, entry: Entry) -> str:  # noqa: ARG002
        """Return where devices reach the portal."""
        return str(self.context["linking"].portal)

    def get_domain(self, entry: Entry) -> str:  # noqa: ARG002
        """Return the domain of the portal."""
        return str(self.context["linking"].domain)

    def get_tls_name(self, entry: Entry) -> str:  # noqa: ARG002
        """Return the name that the portal's certificate is for."""
        return str(self.context["linking"].tls_name)

    def get_command(self, entry: Entry) -> str:  # noqa: ARG002
        """Return the command that links the device."""
        return str(self.context["linking"].command)


class EntryChangeSerializer(RowSerializer[Entry]):
    """What is to be changed of an entry; what is not sent stays as it is."""

    settings = SettingsField()
    policy = RowId(
        queryset=Policy.objects.all(), required=False, allow_null=True,
        help_text="The policy to follow; null for that of its group, or its lists.",
    )  # fmt: skip
    group = RowId(
        queryset=DeviceGroup.objects.all(), required=False, allow_null=True,
        help_text="Whose settings it inherits, and whose people see it.",
    )  # fmt: skip

    class Meta:
        model = Entry
        fields = ["nickname", "manufacturer", "model", "note", "settings", "policy", "group"]
        extra_kwargs = {"note": {"max_length": LONGEST_NOTE}}


class EntryAddSerializer(EntryChangeSerializer):
    """An entry to add; with `registration` it is made once, however often it is sent."""

    # Whether a name is taken is told by the service: who registers again has it already.
    nickname = Text(max_length=64)
    kind = serializers.ChoiceField(choices=CHOICES)
    registration = Text(
        min_length=REGISTRATION_LEAST, max_length=REGISTRATION_MOST, required=False,
        write_only=True, trim_whitespace=False,
        help_text="A random secret that only the machine knows, which registers itself with it: "
        "the same name and secret again answer 200 with the same entry.",
    )  # fmt: skip

    class Meta(EntryChangeSerializer.Meta):
        fields = [*EntryChangeSerializer.Meta.fields, "kind", "registration"]


class RegisterSerializer(serializers.Serializer[Any]):
    """What a machine says of itself with a token that is for adding device entries alone."""

    nickname = Text(max_length=64)
    kind = serializers.ChoiceField(choices=CHOICES)
    manufacturer = Text(max_length=64, required=False, allow_blank=True)
    model = Text(max_length=64, required=False, allow_blank=True)
    registration = Text(
        min_length=REGISTRATION_LEAST, max_length=REGISTRATION_MOST, trim_whitespace=False
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse what such a token does not decide."""
        others = sorted(set(self.initial_data) - set(self.fields))
        if others:
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                {others[0]: [f"This token is for adding device entries: it says {known} alone."]}
            )
        return attrs


class RotateSerializer(serializers.Serializer[Any]):
    """How long the old key stays good."""

    hours = Whole(
        min_value=0, max_value=MOST_HOURS, default=ROTATION_HOURS,
        help_text="The device finds the new one in its settings meanwhile; with 0 it is cut off "
        "until it is told the new one.",
    )  # fmt: skip


class RevokeSerializer(serializers.Serializer[Any]):
    """Which key is good no more."""

    generation = Whole(min_value=1, max_value=2_147_483_647)


class EffectiveSettingSerializer(serializers.Serializer[Any]):
    """One setting that is in force for a device, and who says so."""

    name = serializers.CharField(read_only=True)
    value = serializers.JSONField(read_only=True, help_text="Of a secret 'set' or empty.")
    origin = serializers.CharField(
        read_only=True,
        help_text="default (nobody lays it down), entry, or the word group and its name.",
    )
    is_secret = serializers.BooleanField(read_only=True)


class EffectiveSerializer(serializers.Serializer[Effective]):
    """All that is laid down for a device."""

    settings = EffectiveSettingSerializer(many=True, read_only=True)
    policy = serializers.IntegerField(
        source="policy.pk", read_only=True, default=None, allow_null=True,
        help_text="null where its lists are settings.",
    )  # fmt: skip
    policy_name = serializers.CharField(
        source="policy.name", read_only=True, default=None, allow_null=True
    )
    policy_origin = serializers.CharField(read_only=True)
    not_of_kind = serializers.ListField(
        child=serializers.CharField(), read_only=True,
        help_text="What its group lays down and its kind does without.",
    )  # fmt: skip


class GroupSettingsSerializer(RowSerializer[GroupSettings]):
    """What the device entries of a group inherit; what is not sent stays as it is."""

    group = RowId(queryset=DeviceGroup.objects.all())
    group_name = serializers.CharField(source="group.name", read_only=True)
    settings = SettingsField()
    policy = RowId(queryset=Policy.objects.all(), required=False, allow_null=True)
    policy_name = serializers.CharField(
        source="policy.name", read_only=True, default=None, allow_null=True
    )

    class Meta:
        model = GroupSettings
        fields = ["id", "group", "group_name", "settings", "policy", "policy_name"]
