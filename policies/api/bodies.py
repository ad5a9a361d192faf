"""Bodies that are text and not JSON: lists, as lines and as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from policies.downloads import CSV, LINES
from policies.services.record_text import MAX_BYTES


class ListTooLong(APIException):
    """A list beyond the bound."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"A list holds up to {MAX_BYTES:,} bytes."
    default_code = "body_too_large"


class LinesParser(BaseParser):
    """Reads a body no further than its bound."""

    media_type = LINES

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:  # DRF takes any value, though its types do not say so
        """Return the body as bytes; raises ListTooLong."""
        body: bytes = stream.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise ListTooLong
        return body


class CsvParser(LinesParser):
    """The same, of CSV."""

    media_type = CSV


class CsvRenderer(BaseRenderer):
    """Says that an answer is CSV; the answer itself is streamed past it."""

    media_type = CSV
    format = "csv"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,  # noqa: ARG002
        renderer_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> bytes:
        """Return text as it is."""
        return str(data).encode()
