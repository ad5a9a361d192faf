"""Why is an address blocked? The answer in the API."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.reports.question import Question, QuestionRefused
from devices.reports.why import DeviceAnswer, why
from policies.api.parameters import parameters
from policies.api.why import (
    ExtentField,
    ListAnswerSerializer,
    PolicyAnswerSerializer,
    SnapshotShortSerializer,
)
from policies.models import Policy


class DeviceAnswerSerializer(serializers.Serializer[Any]):
    """What one device does with the addresses."""

    device = serializers.IntegerField(source="device.pk", read_only=True)
    name = serializers.CharField(source="device.nickname", read_only=True)
    policy = serializers.IntegerField(source="device.policy_id", read_only=True)
    blocked = ExtentField()
    snapshot = SnapshotShortSerializer(read_only=True, allow_null=True)
    is_packed = serializers.SerializerMethodField(
        help_text="Whether it has less than the whole snapshot, being too small for it."
    )
    trouble = serializers.CharField(read_only=True, help_text="Why it cannot be told.")

    def get_is_packed(self, answer: DeviceAnswer) -> bool:
        """Whether it has less than the whole snapshot."""
        return answer.packing is not None


class WhySerializer(serializers.Serializer[Any]):
    """Everything known about some addresses."""

    address = serializers.CharField(source="span", read_only=True)
    at = serializers.DateTimeField(read_only=True, allow_null=True, help_text="Null for now.")
    blocked = ExtentField(help_text="The most that any policy blocks.")
    policies = PolicyAnswerSerializer(many=True, read_only=True)
    devices = DeviceAnswerSerializer(
        many=True, read_only=True, help_text="Empty for whoever may not view devices."
    )
    other_lists = ListAnswerSerializer(
        many=True,
        read_only=True,
        help_text="The newest lists that no snapshot told was compiled from, where they have "
        "something to say.",
    )


class WhyView(APIView):
    """Is an address blocked, and because of what?"""

    queryset = Policy.objects.none()  # whoever may view policies may ask
    http_method_names = ["get", "head"]

    @extend_schema(
        operation_id="why",
        parameters=[
            OpenApiParameter(
                "address", OpenApiTypes.STR, required=True,
                description="An address, a prefix or a range such as 192.0.2.10-192.0.2.20.",
            ),
            OpenApiParameter(
                "at", OpenApiTypes.DATETIME,
                description="A past moment, ISO 8601, UTC where it names no zone: what policies "
                "had published and devices had pulled by then. Without it: now.",
            ),
        ],
        responses=WhySerializer,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """Tell whether an address, a prefix or a range is blocked, where, and because of what."""
        sent = parameters(request, "address", "at")
        if "address" not in sent:
            raise ValidationError({"address": ["Give an address, a prefix or a range."]})
        try:
            asked = Question.read(
                address=sent["address"], at=sent.get("at", ""), now=timezone.now()
            )
        except QuestionRefused as refused:
            raise ValidationError({refused.parameter: [str(refused)]}) from refused
        may_see_devices = request.user.has_perm("devices.view_device")
        answer = why(
            span=asked.span, at=asked.at, with_devices=may_see_devices, seen_by=request.user
        )
        return Response(WhySerializer(answer).data)
