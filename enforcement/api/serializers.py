"""How questions, their answers and what was done in kernels look in the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from devices.models import GatewayRelease
from devices.services.gateways import PAUSE_MOST
from enforcement import services
from enforcement.kernel.base import Way
from enforcement.models import Application, Inquiry, Question
from enforcement.services import CheckAnswer, PlanAnswer
from policies.api.base import NON_FIELD
from policies.api.fields import Address, RowSerializer, Whole

_WAYS = [(str(way), str(way)) for way in Way]
_MINUTE = timedelta(minutes=1)


class _Answer(serializers.Serializer[Any]):
    """What an enforcer answered, as it is kept."""


class PlanAnswerSerializer(_Answer):
    """The steps from what a kernel holds to the newest snapshot: what an apply would do."""

    label = serializers.CharField(help_text="What is wanted, such as edge-block #12.")  # type: ignore[assignment]
    snapshot = serializers.IntegerField()
    in_force = serializers.IntegerField(
        allow_null=True, help_text="The snapshot's number; null where nothing is in force."
    )
    way = serializers.ChoiceField(choices=_WAYS)
    added = serializers.IntegerField(help_text="Block entries that come.")
    removed = serializers.IntegerField(help_text="Block entries that go.")
    allow_added = serializers.IntegerField()
    allow_removed = serializers.IntegerField()
    first_added = serializers.ListField(child=serializers.CharField())
    first_removed = serializers.ListField(child=serializers.CharField())
    entries = serializers.IntegerField(help_text="In all sets, when it is done.")
    memory = serializers.IntegerField(help_text="Bytes of kernel memory on top of what is held.")
    rules = serializers.ListField(
        child=serializers.CharField(), help_text="What changes in the rules, a sentence each."
    )
    canaries = serializers.ListField(
        child=serializers.CharField(), help_text="Who must still answer afterwards."
    )
    cost = serializers.CharField(help_text="A sentence; empty where it costs next to nothing.")
    changes_nothing = serializers.BooleanField()


class CheckStepSerializer(_Answer):
    """One thing that a check looked at."""

    name = serializers.CharField()
    ok = serializers.BooleanField(allow_null=True, help_text="Null where it could not be told.")
    seen = serializers.CharField(help_text="What was seen and, where it is not well, what to do.")


class CheckAnswerSerializer(_Answer):
    """Whether a gateway drops what is listed and lets pass what is not, as tried on the spot."""

    ok = serializers.BooleanField(
        allow_null=True, help_text="Null where some of it could not be told, such as the log."
    )
    sentence = serializers.CharField()
    listed = serializers.CharField(help_text="The address that must be dropped; empty for none.")
    unlisted = serializers.CharField(help_text="The address that must pass; empty for none.")
    steps = CheckStepSerializer(many=True)


class InquirySerializer(RowSerializer[Inquiry]):
    """A question to the enforcer of a gateway, and its answer once `answered_at` is set."""

    device = serializers.IntegerField(source="gateway.device_id", read_only=True)
    question = serializers.ChoiceField(choices=Question.choices, read_only=True)
    error = serializers.CharField(read_only=True, help_text="Why there is no answer, else empty.")
    plan = serializers.SerializerMethodField()
    check = serializers.SerializerMethodField()
    advice = serializers.SerializerMethodField(
        help_text="What to do where no answer came within half a minute, else empty."
    )

    class Meta:
        model = Inquiry
        fields = [
            "id", "device", "question", "asked_at", "asked_by", "answered_at", "error", "plan",
            "check", "advice",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(PlanAnswerSerializer(allow_null=True))
    def get_plan(self, inquiry: Inquiry) -> dict[str, Any] | None:
        """Return the answer where a plan was asked for."""
        if inquiry.question != Question.PLAN or inquiry.answer is None:
            return None
        return PlanAnswerSerializer(PlanAnswer.read(inquiry.answer)).data

    @extend_schema_field(CheckAnswerSerializer(allow_null=True))
    def get_check(self, inquiry: Inquiry) -> dict[str, Any] | None:
        """Return the answer where a check was asked for."""
        if inquiry.question != Question.CHECK or inquiry.answer is None:
            return None
        return CheckAnswerSerializer(CheckAnswer.read(inquiry.answer)).data

    def get_advice(self, inquiry: Inquiry) -> str:
        """Return what to do about a question that waits long."""
        return services.advice(inquiry, now=timezone.now())  # noqa: TID251  an edge


class CheckSerializer(serializers.Serializer[Any]):
    """What to check a gateway with."""

    address = Address(
        required=False, help_text="A listed address to try in place of the gateway's own."
    )


class ApplySerializer(serializers.Serializer[Any]):
    """What a person looked at before."""

    snapshot = Whole(
        min_value=1,
        max_value=2_147_483_647,
        required=False,
        help_text="The snapshot of the plan; nothing is applied where another is the newest.",
    )


class PauseSerializer(serializers.Serializer[Any]):
    """How long listed packets are to pass: one of both."""

    minutes = Whole(min_value=1, max_value=PAUSE_MOST // _MINUTE, required=False)
    until = serializers.DateTimeField(
        required=False, help_text="ISO 8601, UTC where it names no zone."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Hold it to one of both; raises ValidationError."""
        if len(attrs) != 1:
            raise ValidationError({NON_FIELD: ["Give either minutes or until."]})
        return attrs

    def end(self, *, now: datetime) -> datetime:
        """Return when the pause is to end."""
        sent = self.validated_data
        moment: datetime = sent["until"] if "until" in sent else now + sent["minutes"] * _MINUTE
        return moment


class ReleaseSerializer(RowSerializer[GatewayRelease]):
    """A kernel that is to be let go, and why that could not be done yet."""

    class Meta:
        model = GatewayRelease
        fields = ["id", "node", "nickname", "asked_at", "detail"]


class ApplicationSerializer(RowSerializer[Application]):
    """What was done in a kernel once, and how it ended."""

    device = serializers.IntegerField(source="gateway.device_id", read_only=True)
    device_nickname = serializers.CharField(source="gateway.device.nickname", read_only=True)

    class Meta:
        model = Application
        fields = [
            "id", "device", "device_nickname", "at", "seconds", "trigger", "outcome",
            "snapshot_number", "way", "added", "removed", "cut", "times", "detail",
        ]  # fmt: skip
