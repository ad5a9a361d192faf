"""What a person has to know about: alarms."""

from __future__ import annotations

from django_filters import rest_framework as filters
from rest_framework import serializers

from policies.api.base import Reading
from policies.api.fields import RowSerializer
from policies.models import Alarm
from policies.states import AlarmKind


class AlarmFilter(filters.FilterSet):
    """Alarms by kind, subject, time, and whether they are open."""

    kind = filters.ChoiceFilter(choices=AlarmKind.choices)
    open = filters.BooleanFilter(field_name="closed_at", lookup_expr="isnull")
    since = filters.IsoDateTimeFilter(field_name="opened_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="opened_at", lookup_expr="lt")

    class Meta:
        model = Alarm
        fields = ["kind", "subject"]


class AlarmSerializer(RowSerializer[Alarm]):
    """Something that is wrong, or was."""

    kind_label = serializers.CharField(source="kind_word.label", read_only=True)
    tone = serializers.CharField(source="kind_word.tone", read_only=True)
    is_open = serializers.SerializerMethodField()

    class Meta:
        model = Alarm
        fields = [
            "id", "kind", "kind_label", "tone", "subject", "message", "is_open", "opened_at",
            "closed_at",
        ]  # fmt: skip

    def get_is_open(self, alarm: Alarm) -> bool:
        """Whether there still is a cause for it."""
        return alarm.closed_at is None


class AlarmViewSet(Reading[Alarm]):
    """What is wrong: opened when it begins, closed by itself when it is over."""

    queryset = Alarm.objects.all()
    serializer_class = AlarmSerializer
    filterset_class = AlarmFilter
    search_fields = ("subject", "message")
    ordering_fields = ("id", "opened_at", "closed_at", "kind", "subject")
    ordering = ("-opened_at",)
