"""What a person has to know about: alarms."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from policies import services
from policies.alarm_words import NEXT_STEPS
from policies.api.base import Reading, actor_of, refusals
from policies.api.fields import RowSerializer, Text
from policies.api.permissions import MayChange
from policies.models import Alarm
from policies.models.alarm import LONGEST_NOTE
from policies.states import AlarmKind, AlarmSeverity


class AlarmFilter(filters.FilterSet):
    """Alarms by kind, severity, subject, time, and whether they are open or acknowledged."""

    kind = filters.ChoiceFilter(choices=AlarmKind.choices)
    severity = filters.ChoiceFilter(choices=AlarmSeverity.choices, method="of_severity")
    open = filters.BooleanFilter(field_name="closed_at", lookup_expr="isnull")
    acknowledged = filters.BooleanFilter(
        field_name="acknowledged_at", lookup_expr="isnull", exclude=True
    )
    since = filters.IsoDateTimeFilter(field_name="opened_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="opened_at", lookup_expr="lt")

    class Meta:
        model = Alarm
        fields = ["kind", "subject"]

    def of_severity(self, rows: QuerySet[Alarm], name: str, value: str) -> QuerySet[Alarm]:  # noqa: ARG002
        """Return the alarms that are as bad, no better and no worse."""
        kinds = [kind for kind in AlarmKind if kind.severity == value]
        return rows.filter(kind__in=kinds)


class AlarmSerializer(RowSerializer[Alarm]):
    """Something that is wrong, or was."""

    kind_label = serializers.CharField(source="kind_word.label", read_only=True)
    tone = serializers.CharField(source="kind_word.tone", read_only=True)
    severity = serializers.ChoiceField(
        source="severity_word", choices=AlarmSeverity.choices, read_only=True
    )
    next_step = serializers.SerializerMethodField(help_text="What to do about it.")
    is_open = serializers.BooleanField(read_only=True)

    class Meta:
        model = Alarm
        fields = [
            "id", "kind", "kind_label", "tone", "severity", "subject", "message", "next_step",
            "is_open", "opened_at", "closed_at", "acknowledged_at", "acknowledged_by", "note",
        ]  # fmt: skip

    def get_next_step(self, alarm: Alarm) -> str:
        """What to do about it."""
        return NEXT_STEPS.get(alarm.kind_word, "")


class AcknowledgeSerializer(serializers.Serializer[Any]):
    """Who acknowledges an alarm may leave a note."""

    note = Text(max_length=LONGEST_NOTE, required=False, allow_blank=True, default="")


class AlarmViewSet(Reading[Alarm]):
    """What is wrong: opened when it begins, closed by itself when it is over."""

    queryset: QuerySet[Alarm] = Alarm.objects.all()
    serializer_class = AlarmSerializer
    filterset_class = AlarmFilter
    search_fields = ("subject", "message", "note")
    ordering_fields = ("id", "opened_at", "closed_at", "kind", "subject", "acknowledged_at")
    ordering = ("-opened_at",)

    @extend_schema(
        request=AcknowledgeSerializer,
        responses=AlarmSerializer,
        operation_id="alarms_acknowledge",
    )
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def acknowledge(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Say that you have seen it: it stays open and calls no more. 409: it is over."""
        alarm = self.get_object()
        sent = AcknowledgeSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        with refusals():
            services.acknowledge_alarm(
                alarm=alarm,
                note=sent.validated_data["note"],
                actor=actor_of(request),
                now=timezone.now(),
            )
        return self.shown(alarm)
