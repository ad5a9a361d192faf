"""One entry of a list, read strictly: an address, a prefix or a range, or the reason why not.

This is the slow and exact way; `parse` has a fast way for the plain cases, and both must agree.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

MAX_CHARACTERS = 100  # two IPv6 addresses in their longest spelling and a dash fit

HOST_NAME = "host name"
INCOMPLETE = "incomplete address"
LEADING_ZERO = "leading zero"
MARKUP = "markup"
NOT_AN_ADDRESS = "not an address"
PORT = "port"
PREFIX_LENGTH = "prefix length"
RANGE = "range"
SEVERAL_WORDS = "several words"
TOO_LONG = "too long"

_QUAD = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_SHORT = re.compile(r"[0-9]+(?:\.[0-9]+){0,2}\.?")
_PORT = re.compile(r"(?:[0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]+")
_HOST = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+\.?")
_LENGTH = re.compile(r"[0-9]{1,3}")
_RANGE = re.compile(r"([0-9A-Fa-f.:]+)[ \t]*-[ \t]*([0-9A-Fa-f.:]+)")


class Unreadable(ValueError):
    """An entry that is no address, prefix or range; `reason` is one of this module's words."""

    def __init__(self, reason: str, token: str) -> None:
        """Keep the reason apart from the sentence."""
        super().__init__(f"{shown(token)!r} is not an address, prefix or range: {reason}")
        self.reason = reason


class Entry(NamedTuple):
    """A run of addresses of one family, as whole numbers."""

    version: int
    first: int
    last: int
    host_bits: bool = False  # a prefix was given with bits below its length


def shown(token: str) -> str:
    """Return the token short enough, and plain enough, to be shown to a person."""
    plain = token.encode("ascii", "backslashreplace").decode("ascii")
    plain = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in plain)
    return plain if len(plain) <= 60 else plain[:57] + "..."


def read_entry(token: str) -> Entry:
    """Read one token whole; raise `Unreadable` with the reason when it is anything else."""
    if len(token) > MAX_CHARACTERS:
        raise Unreadable(TOO_LONG, token)
    if pair := _RANGE.fullmatch(token):
        return _read_range(pair[1], pair[2], token)
    text, slash, length = token.partition("/")
    address = _address(text)
    if address is None:
        raise Unreadable(_why(token, text), token)
    number = int(address)
    if not slash:
        return Entry(address.version, number, number)
    width = address.max_prefixlen
    if not _LENGTH.fullmatch(length) or int(length) > width:
        raise Unreadable(PREFIX_LENGTH, token)
    if len(length) > 1 and length[0] == "0":
        raise Unreadable(LEADING_ZERO, token)
    host = (1 << (width - int(length))) - 1
    return Entry(address.version, number & ~host, number | host, bool(number & host))


def _read_range(low: str, high: str, token: str) -> Entry:
    first, last = _address(low), _address(high)
    if first is None or last is None:
        raise Unreadable(_why(token, low if first is None else high), token)
    if first.version != last.version or int(first) > int(last):
        raise Unreadable(RANGE, token)
    return Entry(first.version, int(first), int(last))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if not text.isascii() or "%" in text:  # a zone means nothing outside its own host
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _why(token: str, text: str) -> str:
    """Return the reason for which `text`, the address part of `token`, is none."""
    reasons = (
        (MARKUP, "<" in token or ">" in token),
        (SEVERAL_WORDS, len(token.split()) > 1),
        (LEADING_ZERO, _QUAD.fullmatch(text) and re.search(r"(?:^|\.)0[0-9]", text)),
        (INCOMPLETE, _SHORT.fullmatch(text)),
        (PORT, _PORT.fullmatch(text)),
        (HOST_NAME, _HOST.fullmatch(text)),
    )
    return next((reason for reason, fits in reasons if fits), NOT_AN_ADDRESS)
