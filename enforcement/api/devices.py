"""What gateways can be told, beside what every device has: parse, one service, answer.

This app stands on devices, so it extends their endpoints; devices know nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

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
from devices.services import (
    GatewayRefused,
    gateway_of,
    pause_gateway,
    resume_gateway,
)
from enforcement import services
from enforcement.api.serializers import (
    ApplySerializer,
    CheckSerializer,
    InquirySerializer,
    PauseSerializer,
)
from enforcement.models import Question
from enforcement.tasks import nudge
from policies.api.base import NON_FIELD, Conflict, actor_of
from policies.api.permissions import MayChange


class GatewayDeviceViewSet(DeviceViewSet):
    """The firewalls we serve, and the Linux gateways among them."""

    def send_workers(self, device: Device) -> None:
        """Send workers to what a write has left due, and the enforcer of a gateway."""
        super().send_workers(device)
        if device.is_gateway:
            nudge(device.node)

    @extend_schema(request=None, responses={202: InquirySerializer}, operation_id="devices_plan")
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def plan(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Ask the enforcer what an apply would change; nothing is changed.

        The answer is under `inquiries/{id}/` within a few seconds. 409: many questions wait.
        """
        return self._ask(request, Question.PLAN)

    @extend_schema(
        request=CheckSerializer, responses={202: InquirySerializer}, operation_id="devices_check"
    )
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def check(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Have the enforcer try whether it drops what is listed and lets pass what is not.

        The answer is under `inquiries/{id}/` within a few seconds. 409: many questions wait.
        """
        wanted = CheckSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        return self._ask(request, Question.CHECK, options=wanted.validated_data)

    @extend_schema(
        request=ApplySerializer, responses={202: DeviceSerializer}, operation_id="devices_apply"
    )
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def apply(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Have the enforcer apply the newest snapshot now, whatever was rolled back before.

        How it ends is in `gateway` of the device, and under `applications/`. 409: another snapshot
        than the one that was looked at is the newest.
        """
        device = self.get_object()
        wanted = ApplySerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        with gateway_refusals():
            services.apply_planned(
                device=device,
                snapshot=wanted.validated_data.get("snapshot"),
                actor=actor_of(request),
                now=timezone.now(),  # noqa: TID251  an edge
            )
        return self._left_due(device)

    @extend_schema(
        request=PauseSerializer, responses={202: DeviceSerializer}, operation_id="devices_pause"
    )
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def pause(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Let listed packets pass for some minutes or until a moment, within 7 days.

        The kernel itself ends it.
        """
        device = self.get_object()
        now = timezone.now()  # noqa: TID251  an edge
        wanted = PauseSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        with gateway_refusals():
            pause_gateway(
                device=device, until=wanted.end(now=now), actor=actor_of(request), now=now
            )
        return self._left_due(device)

    @extend_schema(request=None, responses={202: DeviceSerializer}, operation_id="devices_resume")
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def resume(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """End a pause; nothing happens where there is none."""
        device = self.get_object()
        with gateway_refusals():
            resume_gateway(
                device=device,
                actor=actor_of(request),
                now=timezone.now(),  # noqa: TID251  an edge
            )
        return self._left_due(device)

    def _ask(
        self, request: Request, question: Question, options: Mapping[str, object] | None = None
    ) -> Response:
        device = self.get_object()
        with gateway_refusals():
            inquiry = services.ask(
                gateway=gateway_of(device),
                question=question,
                options=options,
                actor=actor_of(request),
                now=timezone.now(),  # noqa: TID251  an edge
            )
        nudge(device.node)
        return Response(InquirySerializer(inquiry).data, status=status.HTTP_202_ACCEPTED)

    def _left_due(self, device: Device) -> Response:
        nudge(device.node)
        return self.shown(device, status=status.HTTP_202_ACCEPTED)


@contextmanager
def gateway_refusals() -> Iterator[None]:
    """Turn refusals into answers.

    409 where many questions wait or something else is the newest than was looked at, else 400.
    """
    try:
        yield
    except services.TooManyQuestions as error:
        raise Conflict(str(error), "busy") from error
    except services.PlanOutdated as error:
        raise Conflict(str(error), "outdated") from error
    except GatewayRefused as error:
        raise ValidationError({NON_FIELD: [str(error)]}, "refused") from error
