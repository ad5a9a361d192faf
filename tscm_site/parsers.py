"""JSON bodies, bounded in size and depth, and free of text that no database takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

MAX_BODY_BYTES = 2 << 20


class BodyTooLarge(APIException):
    """A body beyond the bound."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"A body holds up to {MAX_BODY_BYTES:,} bytes."
    default_code = "body_too_large"


class BoundedJSONParser(JSONParser):
    """Reads a body no further than its bound, and refuses text that could not be stored."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the value; raises ParseError and BodyTooLarge."""
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
        try:
            value = super().parse(BytesIO(body), media_type, parser_context)
            # One half of a surrogate pair has no bytes: it would break whatever writes it next.
            text = json.dumps(value, ensure_ascii=False).encode()
        except RecursionError as error:
            raise ParseError("JSON parse error - nested too deeply") from error
        except UnicodeEncodeError as error:
            raise ParseError("JSON parse error - half of a surrogate pair") from error
        if b"\\u0000" in text and _holds_null(value):
            raise ParseError("JSON parse error - a null character")
        return value


def _holds_null(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_null(key) or _holds_null(item) for key, item in value.items())
    return isinstance(value, list) and any(_holds_null(item) for item in value)
