"""Fields that take the JSON type they say and no other: 0 is no text, and "1" is no number."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import models
from rest_framework import serializers

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
    """The id of another row, a JSON number."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the row; raises ValidationError."""
        if type(data) is not int:
            self.fail("incorrect_type", data_type=type(data).__name__)
        return super().to_internal_value(data)


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
