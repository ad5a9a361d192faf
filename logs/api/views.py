"""The endpoints of logs: what came and what became of it is read; senders are decided about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api.permissions import SeesDevices
from devices.models import Device
from logs import services
from logs.api import serializers
from logs.api.permissions import MayAdopt
from logs.models import Batch, Delivery, Forward, LineShape, Receiver, Sender, Spool
from logs.reports.ledger import ledgers
from policies.api.base import NON_FIELD, Conflict, Reading, actor_of
from policies.api.filters import SeenFilter, SeenFilterSet
from policies.api.permissions import MayChange


class LedgerViewSet(Reading[Device]):
    """The ledger of each device: every line that came, and where it is now."""

    queryset = Device.objects.filter(is_sample=False).select_related("spool")
    serializer_class = serializers.LedgerSerializer
    permission_classes = (SeesDevices,)
    search_fields = ("nickname", "device_id")
    ordering_fields = ("id", "nickname")
    ordering = ("nickname",)

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Return the serializer, with the ledgers of the devices of this page."""
        shown = args[0] if args else []
        devices = shown if isinstance(shown, list) else [shown]
        spools = Spool.objects.filter(device__in=[device.pk for device in devices])
        kwargs["context"] = {**self.get_serializer_context(), "ledgers": ledgers(spools)}
        return self.get_serializer_class()(*args, **kwargs)


class BatchFilter(SeenFilterSet):
    """Batches by device, number, state and time."""

    device = SeenFilter(queryset=Device.objects.all(), field_name="spool__device")
    number = filters.NumberFilter(min_value=1)
    since = filters.IsoDateTimeFilter(field_name="closed_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="closed_at", lookup_expr="lt")

    class Meta:
        model = Batch
        fields = ["device", "number", "state"]


class BatchViewSet(Reading[Batch]):
    """Closed batches of lines, the newest first; a number that is missing is a lost batch."""

    queryset = Batch.objects.select_related("spool__device")
    serializer_class = serializers.BatchSerializer
    filterset_class = BatchFilter
    permission_classes = (SeesDevices,)
    search_fields = ("spool__device__nickname", "error")
    ordering_fields = ("id", "number", "closed_at", "lines", "bytes", "attempts", "due_at")
    ordering = ("-closed_at",)


class DeliveryFilter(SeenFilterSet):
    """Attempts by device, batch, outcome and time."""

    device = SeenFilter(queryset=Device.objects.all(), field_name="batch__spool__device")
    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = Delivery
        fields = ["device", "batch", "outcome"]


class DeliveryViewSet(Reading[Delivery]):
    """Each attempt to upload a batch, the newest first."""

    queryset = Delivery.objects.select_related("batch__spool")
    serializer_class = serializers.DeliverySerializer
    filterset_class = DeliveryFilter
    permission_classes = (SeesDevices,)
    search_fields = ("batch__spool__device__nickname", "detail")
    ordering_fields = ("id", "at", "seconds", "sent")
    ordering = ("-at",)


class ForwardFilter(SeenFilterSet):
    """Forwarding by device and state."""

    class Meta:
        model = Forward
        fields = ["device", "state"]


class ForwardViewSet(Reading[Forward]):
    """Where lines are forwarded, and how that does."""

    queryset = Forward.objects.select_related("device")
    serializer_class = serializers.ForwardSerializer
    filterset_class = ForwardFilter
    permission_classes = (SeesDevices,)
    search_fields = ("device__nickname", "target", "error")
    ordering_fields = ("id", "target", "lag_lines", "lag_bytes", "oldest_at", "dropped")
    ordering = ("target",)


class LineShapeFilter(SeenFilterSet):
    """Shapes by device."""

    class Meta:
        model = LineShape
        fields = ["device"]


class LineShapeViewSet(Reading[LineShape]):
    """Lines that no parser knows, by what they look like; the most frequent first."""

    queryset = LineShape.objects.select_related("device")
    serializer_class = serializers.LineShapeSerializer
    filterset_class = LineShapeFilter
    permission_classes = (SeesDevices,)
    search_fields = ("device__nickname", "shape", "sample")
    ordering_fields = ("id", "lines", "first_at", "last_at")
    ordering = ("-lines",)


class ReceiverViewSet(Reading[Receiver]):
    """The receivers: where they listen, since when, what they count."""

    queryset = Receiver.objects.all()
    serializer_class = serializers.ReceiverSerializer
    search_fields = ("node",)
    ordering_fields = ("id", "node", "reported_at")
    ordering = ("node",)

    def get_serializer_context(self) -> dict[str, Any]:
        """Return the context, with the moment."""
        return {**super().get_serializer_context(), "now": timezone.now()}

    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Forget a receiver that is to run no more. 409: it runs."""
        receiver = self.get_object()
        try:
            services.forget_receiver(receiver=receiver, actor=actor_of(request), now=timezone.now())
        except services.ReceiverRefused as error:
            raise Conflict(str(error), "running") from error
        return Response(status=status.HTTP_204_NO_CONTENT)


class SenderFilter(filters.FilterSet):
    """Senders by address, and whether they were set aside."""

    address = filters.CharFilter(max_length=45)

    class Meta:
        model = Sender
        fields = ["address", "is_ignored"]


class SenderViewSet(Reading[Sender]):
    """Addresses whose lines are refused, because no device is known by them."""

    queryset: QuerySet[Sender] = Sender.objects.all()
    serializer_class = serializers.SenderSerializer
    filterset_class = SenderFilter
    search_fields = ("address", "sample")
    ordering_fields = ("id", "address", "lines", "bytes", "first_at", "last_at")
    ordering = ("-last_at",)

    @extend_schema(
        request=serializers.AdoptSerializer,
        responses={204: None},
        operation_id="logs_senders_adopt",
    )
    @action(detail=True, methods=["post"], permission_classes=[MayAdopt])
    def adopt(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Make the address a syslog source of a device: its lines are kept from now on.

        The sender is none any more, and goes from the list.
        """
        sender = self.get_object()
        wanted = serializers.AdoptSerializer(data=request.data, context={"request": request})
        wanted.is_valid(raise_exception=True)
        with sender_refusals():
            services.adopt_sender(
                sender=sender,
                device=wanted.validated_data["device"],
                actor=actor_of(request),
                now=timezone.now(),
            )
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        request=None, responses=serializers.SenderSerializer, operation_id="logs_senders_ignore"
    )
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def ignore(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Set a sender aside; its lines are refused all the same."""
        return self._ignore(request, ignored=True)

    @extend_schema(
        request=None, responses=serializers.SenderSerializer, operation_id="logs_senders_heed"
    )
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def heed(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Have a sender stand among those to decide about again."""
        return self._ignore(request, ignored=False)

    def _ignore(self, request: Request, *, ignored: bool) -> Response:
        sender = self.get_object()
        services.ignore_sender(
            sender=sender, actor=actor_of(request), now=timezone.now(), ignored=ignored
        )
        return self.shown(sender)


@contextmanager
def sender_refusals() -> Iterator[None]:
    """Turn refusals into answers."""
    try:
        yield
    except services.SenderRefused as error:
        raise ValidationError({NON_FIELD: [str(error)]}, "refused") from error
