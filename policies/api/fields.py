"""Fields that take the JSON type they say and no other: 0 is no text, and "1" is no number."""

from __future__ import annotations

from functools import cached_property
from typing import Any, TypeVar

from django.db import models
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from policies.visible import visible

Row = TypeVar("Row", bound=models.Model)


class Text(serializers.CharField):
    """A JSON string."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text; raises ValidationError."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Address(serializers.IPAddressField):
    """An IPv4 or IPv6 address in a JSON string, without a zone."""

    def to_internal_value(self, data: Any) -> str:
        """Return the address; raises ValidationError."""
        if not isinstance(data, str) or "%" in data:
            self.fail("invalid", value=str(data)[:100])
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A JSON number without a fraction."""

    def to_internal_value(self, data: Any) -> int:
        """Return the number; raises ValidationError."""
        if type(data) is not int:
            self.fail("invalid")
        return super().to_internal_value(data)


class YesNo(serializers.BooleanField):
    """JSON's true or false."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the value; raises ValidationError."""
        if not isinstance(data, bool):
            self.fail("invalid", input=str(data)[:100])
        return data


class Number(serializers.DecimalField):
    """A JSON number, with a fraction or without."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "coerce_to_string": False})

    def to_internal_value(self, data: Any) -> Any:
        """Return the number; raises ValidationError."""
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return super().to_internal_value(data)


class RowId(serializers.PrimaryKeyRelatedField[Any]):
    """The id of another row that the person sees, a JSON number."""

    def get_queryset(self) -> QuerySet[Any] | None:
        """Return the rows that may be named; None where none can, as in an answer."""
        rows, request = super().get_queryset(), self.context.get("request")
        return rows if rows is None or request is None else visible(rows, request.user)

    def to_internal_value(self, data: Any) -> Any:
        """Return the row; raises ValidationError."""
        if type(data) is not int:
            self.fail("incorrect_type", data_type=type(data).__name__)
        return super().to_internal_value(data)


@extend_schema_field({"type": "array", "items": {"type": "integer"}, "readOnly": True})
class SeenIds(serializers.Field[Any, Any, list[int], Any]):
    """The ids of related rows, those that the person sees; nobody changes them here."""

    def __init__(self, queryset: QuerySet[Any], **options: Any) -> None:
        """Take what the rows are of."""
        super().__init__(read_only=True, **options)
        self.queryset = queryset

    def to_representation(self, value: Any) -> list[int]:
        """Return the ids; `value` is the manager of a relation, better prefetched."""
        seen = self._seen
        return [row.pk for row in value.all() if seen is None or row.pk in seen]

    @cached_property
    def _seen(self) -> frozenset[int] | None:
        """What the person sees, None for all; asked once an answer."""
        request = self.context.get("request")
        rows = self.queryset if request is None else visible(self.queryset, request.user)
        return None if rows is self.queryset else frozenset(rows.values_list("pk", flat=True))


class RowSerializer(serializers.ModelSerializer[Row]):
    """A ModelSerializer made of the fields above."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: Text,
        models.TextField: Text,
        models.GenericIPAddressField: Address,
        models.PositiveIntegerField: Whole,
        models.PositiveSmallIntegerField: Whole,
        models.BooleanField: YesNo,
        models.DecimalField: Number,
    }
    serializer_related_field = RowId
