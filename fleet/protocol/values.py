"""Typed texts: how a value stands in a TXT record, and how it is read again."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fleet.protocol.base import Value

MAX_BYTES = 8192  # of one text
SEALED = "x"

_STRING_BYTES = 255  # of one character-string of a record
_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_PLAIN = re.compile(rb"[ !#-\[\]-~]*")  # what stands between quotes as it is


class ValueRefused(ValueError):
    """A value that cannot be written as one text."""


class OtherType(ValueError):
    """A text of a type that this version does not know."""


def encode(value: Value) -> str:
    """Return a value as a typed text; raise `ValueRefused`."""
    if isinstance(value, bool):
        return f"b:{'yes' if value else 'no'}"
    if isinstance(value, int):
        return f"i:{value}"
    if isinstance(value, str):
        return f"s:{value}"
    if value is None:
        return "n:"
    for item in value:
        if not item or " " in item:
            raise ValueRefused(f"{item[:100]!r} cannot be an item of a list: it is empty or parted")
    return f"l:{' '.join(value)}"


def decode(text: str) -> Value:
    """Return the value of a typed text; a list comes as a tuple.

    Raises `OtherType`, or any other ValueError where the text is not of its own type.
    """
    kind, colon, rest = text.partition(":")
    if kind == "s" and colon:
        return rest
    if kind == "l" and colon:
        return _items(rest)
    if text in {"b:yes", "b:no"}:
        return text == "b:yes"
    if kind == "i" and _NUMBER.fullmatch(rest):
        return int(rest)
    if text == "n:":
        return None
    if colon and kind in {"b", "i", "n"}:
        raise ValueError(f"{text[:100]!r} is not of the type that it begins with")
    raise OtherType(f"{text[:100]!r} is of no type known here")


def rdata(text: str) -> str:
    """Return a text as the data of a TXT record in a zone file; raise `ValueRefused`."""
    raw = utf8(text)
    if len(raw) > MAX_BYTES:
        raise ValueRefused(f"it is {len(raw):,} bytes long, and {MAX_BYTES:,} can be sent")
    parts = range(0, max(1, len(raw)), _STRING_BYTES)
    return " ".join(_quoted(raw[start : start + _STRING_BYTES]) for start in parts)


def utf8(text: str) -> bytes:
    """Return a text as it goes over the wire; raise `ValueRefused` for one with half a character.

    No form takes such a text, but a row that was restored or edited may have one.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueRefused(f"{text[:100]!r} is no text: it has half a character") from error


def joined(strings: Iterable[bytes]) -> str:
    """Return the text of a TXT record; what is not UTF-8 comes as U+FFFD."""
    return b"".join(strings).decode(errors="replace")


def _items(text: str) -> tuple[str, ...]:
    items = tuple(text.split(" ")) if text else ()
    if not all(items):
        raise ValueError(f"{text[:100]!r} is no list: its items stand one blank apart")
    return items


def _quoted(raw: bytes) -> str:
    if _PLAIN.fullmatch(raw):
        return f'"{raw.decode()}"'
    return '"' + "".join(map(_escaped, raw)) + '"'


def _escaped(octet: int) -> str:
    if octet in b'"\\':
        return f"\\{chr(octet)}"
    return chr(octet) if 32 <= octet < 127 else f"\\{octet:03}"
