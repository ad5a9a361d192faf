"""How records look in the API, and the parameters that their list takes."""

from __future__ import annotations

from typing import Any

from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from netsets.span import Span
from policies.api.fields import RowSerializer, Text, YesNo
from policies.models import ListRecord
from policies.models.record import LONGEST_NOTE, ListRecordQuerySet
from policies.services.record_text import BadLine, Draft, Drafts, draft_of

MAX_BATCH = 10_000
LINES_SHOWN = 100
OPTIONS = {
    "skip_bad": "Leave out what cannot be taken; else nothing is taken where anything cannot.",
    "replace": "Take out of the list what is not in the body.",
}


class RecordSerializer(RowSerializer[ListRecord]):
    """One entry of a list kept here: what, why, by whom and until when."""

    entry = Text(
        source="text", max_length=100, help_text="203.0.113.7, 203.0.113.0/24 or a range a-b."
    )

    class Meta:
        model = ListRecord
        fields = ["id", "entry", "family", "note", "added_by", "added_at", "expires_at"]
        read_only_fields = ["family", "added_by", "added_at"]


class RecordChangeSerializer(RecordSerializer):
    """The same; its entry stays."""

    entry = Text(source="text", read_only=True)


class NewRecordSerializer(serializers.Serializer[Any]):
    """A record to be added."""

    entry = Text(max_length=100)
    note = Text(max_length=LONGEST_NOTE, allow_blank=True, default="")
    expires_at = serializers.DateTimeField(allow_null=True, default=None)


class BatchSerializer(serializers.Serializer[Any]):
    """Many records at once."""

    records = NewRecordSerializer(
        many=True,
        max_length=MAX_BATCH,  # type: ignore[call-arg]
    )
    skip_bad = YesNo(default=False, help_text=OPTIONS["skip_bad"])
    replace = YesNo(default=False, help_text=OPTIONS["replace"])

    def drafts(self) -> Drafts:
        """Return what was sent; the line of each is its place, from 1."""
        good: list[Draft] = []
        bad: list[BadLine] = []
        for place, sent in enumerate(self.validated_data["records"], 1):
            try:
                good.append(draft_of(**sent, line=place))
            except ValueError as error:
                bad.append(BadLine(place, sent["entry"], str(error)))
        return Drafts(tuple(good), tuple(bad))


class BadLineSerializer(serializers.Serializer[Any]):
    """A line that was left out, and why."""

    line = serializers.IntegerField(read_only=True)
    text = serializers.CharField(read_only=True)
    reason = serializers.CharField(read_only=True)


class WrittenSerializer(serializers.Serializer[Any]):
    """What was done to a list."""

    added = serializers.IntegerField(read_only=True)
    changed = serializers.IntegerField(read_only=True)
    removed = serializers.IntegerField(read_only=True)
    left_out = serializers.IntegerField(read_only=True, help_text="Lines that cannot be taken.")
    left_out_lines = BadLineSerializer(
        many=True, read_only=True, help_text=f"The first {LINES_SHOWN} of them."
    )


class RecordFilter(filters.FilterSet):
    """Records by what they hold, who added them and when they expire."""

    touching = filters.CharFilter(
        method="by_addresses", help_text="Holds any address of this entry."
    )
    expires_since = filters.IsoDateTimeFilter(field_name="expires_at", lookup_expr="gte")
    expires_until = filters.IsoDateTimeFilter(field_name="expires_at", lookup_expr="lt")
    never_expires = filters.BooleanFilter(field_name="expires_at", lookup_expr="isnull")

    class Meta:
        model = ListRecord
        fields = ["added_by"]

    def by_addresses(self, rows: ListRecordQuerySet, name: str, value: str) -> Any:
        """Return the records that hold any address of `value`; raises ValidationError."""
        try:
            span = Span.exactly(value)
        except ValueError as error:
            raise ValidationError({name: [str(error)]}) from error
        return rows.touching(span)
