"""The values in a JSON document that a JSONPath (RFC 9535) leads to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice

import jsonpath_rfc9535
from jsonpath_rfc9535 import JSONPathError, JSONValue

from policies.decoders.base import DecodeError
from policies.decoders.entry_line import entry_line, refused_line
from policies.sources.base import Layout

# A document in memory is up to thirty times its text.
MAX_BYTES = 16 << 20
MAX_VALUES = 2_000_000


def json_lines(text: bytes, layout: Layout) -> bytes:
    """Return a value a line, in the order of the document; the line is the value's ordinal.

    NDJSON is taken as well: the path then leads from the root of each line. Raises `DecodeError`.
    """
    if len(text) > MAX_BYTES:
        raise DecodeError(
            f"the JSON has {len(text):,} bytes, and more than {MAX_BYTES:,} are not read. "
            f"Set a URL with less, or one in another layout."
        )
    query = jsonpath_rfc9535.compile(layout.path)
    try:
        nodes = (node for root in _documents(text) for node in query.finditer(root))
        values = [node.value for node in islice(nodes, MAX_VALUES + 1)]
    except (JSONPathError, RecursionError) as error:
        raise DecodeError(f"the JSON is nested too deeply for {layout.path} ({error}).") from error
    if len(values) > MAX_VALUES:
        raise DecodeError(f"{layout.path} leads to more than {MAX_VALUES:,} values.")
    # JSON may hold half of a surrogate pair, which no text can be written with.
    return "\n".join(_line(value) for value in values).encode(errors="replace")


def _documents(text: bytes) -> Iterator[JSONValue]:
    """Yield the one document, or each line's own."""
    decoded = text.decode("utf-8-sig", "replace")
    try:
        yield json.loads(decoded)
    except ValueError as error:
        lines = [line for line in decoded.splitlines() if line.strip()]
        if len(lines) < 2:
            raise DecodeError(f"no JSON ({error}). Check the layout.") from error
        yield from _line_documents(lines)


def _line_documents(lines: list[str]) -> Iterator[JSONValue]:
    for number, line in enumerate(lines, start=1):
        try:
            yield json.loads(line)
        except ValueError as error:
            raise DecodeError(
                f"neither JSON nor a JSON document a line (line {number}: {error}). "
                f"Check the layout."
            ) from error


def _line(value: object) -> str:
    if isinstance(value, str):
        return entry_line(value)
    return refused_line(f"a {type(value).__name__}, not a text")
