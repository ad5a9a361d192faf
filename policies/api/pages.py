"""Lists in pages of a bounded size."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

MAX_PAGE_SIZE = 500


class Pages(PageNumberPagination):
    """Pages of up to MAX_PAGE_SIZE rows; a size that is no number is refused."""

    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE_SIZE

    def get_page_size(self, request: Request) -> int | None:
        """Return the number of rows of a page; raises ValidationError."""
        text = request.query_params.get("page_size")
        if text is None:
            return self.page_size
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_PAGE_SIZE):
            message = f"Use a whole number from 1 to {MAX_PAGE_SIZE}."
            raise ValidationError({"page_size": [message]})
        return int(text[:9])

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the parameters with their bounds."""
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            parameter["schema"] |= {"minimum": 1}
            if parameter["name"] == "page_size":
                parameter["schema"] |= {"maximum": MAX_PAGE_SIZE, "default": self.page_size}
        return parameters
