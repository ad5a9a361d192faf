"""How ledgers, batches, senders, receivers and forwarding look in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from devices.models import Device
from logs.models import Batch, Delivery, Forward, LineShape, Receiver, Sender, Spool
from logs.reports.counters import explained
from logs.reports.ledger import Ledger
from logs.reports.receivers import ReceiverState, receiver_state
from logs.reports.uploads import Uploads, UploadState, uploads_of
from policies.api.fields import RowId, RowSerializer

_NEVER = Ledger()


class UploadsSerializer(serializers.Serializer[Uploads]):
    """How uploads do: a word, and a sentence that says why and what to do."""

    state = serializers.ChoiceField(choices=UploadState.choices, read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]
    tone = serializers.CharField(read_only=True)
    detail = serializers.CharField(read_only=True)


class LedgerSerializer(serializers.Serializer[Device]):
    """The lines of one device since it is known, all of one moment.

    received = kept + refused + over_quota + lost; kept = uploaded + waiting + expired.
    """

    device = serializers.IntegerField(source="pk", read_only=True)
    device_nickname = serializers.CharField(source="nickname", read_only=True)
    received = serializers.IntegerField(read_only=True)
    kept = serializers.IntegerField(source="spooled", read_only=True)
    refused = serializers.IntegerField(read_only=True, help_text="Could not be written.")
    over_quota = serializers.IntegerField(read_only=True, help_text="There was no room for them.")
    lost = serializers.IntegerField(read_only=True, help_text="Were kept, and are gone.")
    uploaded = serializers.IntegerField(read_only=True)
    waiting = serializers.IntegerField(
        read_only=True, help_text="In batches that are still to be uploaded, and in the open file."
    )
    open = serializers.IntegerField(read_only=True, help_text="Of those that wait.")
    expired = serializers.IntegerField(
        read_only=True, help_text="Were removed before they were uploaded."
    )
    batches_waiting = serializers.IntegerField(read_only=True)
    batches_refused = serializers.IntegerField(read_only=True)
    batches_missing = serializers.IntegerField(
        read_only=True, help_text="How many numbers have no batch."
    )
    is_balanced = serializers.BooleanField(read_only=True, help_text="Whether both equations hold.")
    last_line_at = serializers.DateTimeField(read_only=True, allow_null=True)
    reported_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When its receiver told last; null for never."
    )
    trouble = serializers.CharField(read_only=True, help_text="What its receiver said of it.")
    uploads = UploadsSerializer(read_only=True)

    def to_representation(self, instance: Device) -> dict[str, Any]:
        """Return a device's ledger. The context holds `ledgers`, by the ids of devices."""
        ledger = self.context["ledgers"].get(instance.pk, _NEVER)
        spool = getattr(instance, "spool", None) or Spool(device=instance)
        told = {name: getattr(ledger, name) for name in (*Ledger.__slots__, "is_balanced")}
        row = {
            **told,
            "pk": instance.pk,
            "nickname": instance.nickname,
            "trouble": spool.trouble,
            "uploads": uploads_of(spool, ledger),
        }
        return super().to_representation(row)  # type: ignore[arg-type]


class BatchSerializer(RowSerializer[Batch]):
    """Lines that were closed at one time, and what became of them."""

    device = serializers.IntegerField(source="spool.device_id", read_only=True)
    device_nickname = serializers.CharField(source="spool.device.nickname", read_only=True)
    state_label = serializers.CharField(source="state_word.label", read_only=True)
    tone = serializers.CharField(source="state_word.tone", read_only=True)

    class Meta:
        model = Batch
        fields = [
            "id", "device", "device_nickname", "number", "device_id", "writer", "lines", "bytes",
            "sha256", "first_at", "last_at", "closed_at", "state", "state_label", "tone",
            "attempts", "due_at", "error", "uploaded_at", "removed_at", "parsed_at",
            "parsed_version", "events", "no_connection", "unknown", "parse_error",
        ]  # fmt: skip


class LineShapeSerializer(RowSerializer[LineShape]):
    """Lines of a device that no parser knows and that look alike."""

    device_nickname = serializers.CharField(source="device.nickname", read_only=True)

    class Meta:
        model = LineShape
        fields = [
            "id", "device", "device_nickname", "shape", "lines", "sample", "first_at", "last_at",
            "version",
        ]  # fmt: skip


class DeliverySerializer(RowSerializer[Delivery]):
    """An attempt to upload a batch, or several in a row that ended alike."""

    device = serializers.IntegerField(source="batch.spool.device_id", read_only=True)
    number = serializers.IntegerField(
        source="batch.number", read_only=True, help_text="Of the batch, among its device's."
    )
    outcome_label = serializers.CharField(source="outcome_word.label", read_only=True)
    tone = serializers.CharField(source="outcome_word.tone", read_only=True)

    class Meta:
        model = Delivery
        fields = [
            "id", "device", "batch", "number", "at", "seconds", "outcome", "outcome_label", "tone",
            "times", "sent", "detail",
        ]  # fmt: skip


class SenderSerializer(RowSerializer[Sender]):
    """An address whose lines are refused, because no device is known by it."""

    transports = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Sender
        fields = [
            "id", "address", "lines", "bytes", "transports", "first_at", "last_at", "sample",
            "is_ignored",
        ]  # fmt: skip


class AdoptSerializer(serializers.Serializer[Any]):
    """Whose the address is."""

    device = RowId(queryset=Device.objects.all())


class CounterSerializer(serializers.Serializer[Any]):
    """Something a receiver counts."""

    name = serializers.CharField(read_only=True)
    label = serializers.CharField(source="meaning.label", read_only=True)  # type: ignore[assignment]
    value = serializers.IntegerField(read_only=True)
    tone = serializers.CharField(read_only=True)
    sentence = serializers.CharField(
        read_only=True, help_text="What it means and, where it tells of trouble, what to do."
    )


class ReceiverSerializer(RowSerializer[Receiver]):
    """The receiver of one machine. The context holds `now`."""

    state = serializers.SerializerMethodField()
    listeners = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Such as 'udp [::]:514'."
    )
    counters = serializers.SerializerMethodField()

    class Meta:
        model = Receiver
        fields = [
            "id", "node", "state", "started_at", "reported_at", "stopped_at", "listeners",
            "counters", "dropped_at", "trouble",
        ]  # fmt: skip

    @extend_schema_field(serializers.ChoiceField(choices=ReceiverState.choices))
    def get_state(self, receiver: Receiver) -> str:
        """Return how it does."""
        return receiver_state(receiver, now=self.context["now"])

    @extend_schema_field(CounterSerializer(many=True))
    def get_counters(self, receiver: Receiver) -> list[dict[str, Any]]:
        """Return what it counted since it started, and a few levels as they are now."""
        return [CounterSerializer(one).data for one in explained(receiver.counters)]


class ForwardSerializer(RowSerializer[Forward]):
    """How the forwarding of a device's lines to one target does."""

    device_nickname = serializers.CharField(source="device.nickname", read_only=True)
    state_label = serializers.CharField(source="state_word.label", read_only=True)
    tone = serializers.CharField(source="state_word.tone", read_only=True)

    class Meta:
        model = Forward
        fields = [
            "id", "device", "device_nickname", "target", "state", "state_label", "tone", "error",
            "connected_at", "address", "sent", "dropped", "cut", "lag_lines", "lag_bytes",
            "oldest_at", "reported_at",
        ]  # fmt: skip


class WaitingBatchesSerializer(serializers.Serializer[Any]):
    """How many batches are tried again."""

    batches = serializers.IntegerField(read_only=True)
