"""What the logs of a device can be told, beside what every device has.

This app stands on devices, so it extends their endpoints; devices know nothing of it.
"""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api.serializers import DeviceSerializer
from devices.api.views import DeviceViewSet
from devices.models import Device
from logs import services
from logs.api.serializers import WaitingBatchesSerializer
from logs.tasks import nudge
from policies.api.base import NON_FIELD, actor_of
from policies.api.permissions import MayChange


class LoggedDeviceViewSet(DeviceViewSet):
    """The firewalls we serve, and what can be told to their logs."""

    @extend_schema(
        request=None, responses={202: DeviceSerializer}, operation_id="devices_rotate_logs"
    )
    @action(detail=True, methods=["post"], url_path="rotate-logs", permission_classes=[MayChange])
    def rotate_logs(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Have what is open become a batch within seconds, which is uploaded then."""
        device = self._receiving()
        services.ask_rotation(device=device, now=timezone.now())  # noqa: TID251  an edge
        nudge()
        return self.shown(device, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        request=None,
        responses={202: WaitingBatchesSerializer},
        operation_id="devices_retry_uploads",
    )
    @action(detail=True, methods=["post"], url_path="retry-uploads", permission_classes=[MayChange])
    def retry_uploads(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Try again at once what failed or was refused; answers how many batches that is."""
        device = self._receiving()
        batches = services.retry_uploads(
            device=device,
            actor=actor_of(request),
            now=timezone.now(),  # noqa: TID251  an edge
        )
        nudge()
        told = WaitingBatchesSerializer({"batches": batches})
        return Response(told.data, status=status.HTTP_202_ACCEPTED)

    def _receiving(self) -> Device:
        device = self.get_object()
        if device.is_sample:
            raise ValidationError(
                {NON_FIELD: [f"{device.nickname} is a sample: it receives nothing."]}, "refused"
            )
        return device
