"""Lists as files to be kept, for pages and API alike."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import StreamingHttpResponse

CSV, LINES, JSON_LINES = "text/csv", "text/plain", "application/x-ndjson"


def as_file(
    lines: Iterator[bytes] | Iterator[str], *, name: str, media_type: str = LINES
) -> StreamingHttpResponse:
    """Return lines as a file to be kept, made while it is sent."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(
        lines, content_type=f"{media_type}; charset=utf-8", headers=headers
    )
