"""What a sender announces of a batch, read from the head of its request before any of the body."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from devices.kinds.rules import DEVICE_ID

MOST_BODY = 1 << 30  # bytes as sent
MOST_TEXT = 4 << 30  # bytes unpacked

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_SHOWN = 60


class Declined(Exception):
    """A request that is answered with this status and a plain reason."""

    def __init__(self, status: str, reason: str) -> None:
        """Take the status line's part, such as "404 Not Found", and the reason."""
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Announced:
    """A batch as its sender announces it; the body is held against this."""

    device_id: str
    number: int
    body_bytes: int
    body_sha256: bytes
    lines: int
    text_bytes: int
    text_sha256: bytes


def read_head(environ: Mapping[str, object]) -> Announced:
    """Return what a request announces. Raises Declined."""
    if "CONTENT_LENGTH" not in environ:
        raise Declined("411 Length Required", "Content-Length is missing")
    if (encoding := str(environ.get("HTTP_CONTENT_ENCODING", ""))) != "gzip":
        raise Declined(
            "415 Unsupported Media Type",
            f"Content-Encoding must be gzip, not {encoding[:_SHOWN]!r}",
        )
    for name in ("TSCM-First", "TSCM-Last"):
        _moment(environ, name)
    announced = Announced(
        device_id=_device_id(environ),
        number=_number(environ, "TSCM-Batch"),
        body_bytes=_number(environ, "Content-Length"),
        body_sha256=_digest(environ, "Content-Digest"),
        lines=_number(environ, "TSCM-Lines"),
        text_bytes=_number(environ, "TSCM-Bytes"),
        text_sha256=_digest(environ, "TSCM-Digest"),
    )
    if announced.number < 1:
        raise _bad("TSCM-Batch", "0", "a whole number from 1")
    if announced.body_bytes > MOST_BODY or announced.text_bytes > MOST_TEXT:
        raise Declined(
            "413 Content Too Large",
            f"a batch has at most {MOST_BODY:,} bytes as sent and {MOST_TEXT:,} unpacked",
        )
    return announced


def _device_id(environ: Mapping[str, object]) -> str:
    text = _value(environ, "TSCM-Device")
    if DEVICE_ID.fullmatch(text) is None:
        raise _bad("TSCM-Device", text, "1 to 64 letters, digits, '-' or '_'")
    return text


def _number(environ: Mapping[str, object], name: str) -> int:
    text = _value(environ, name)
    if _NUMBER.fullmatch(text) is None:
        raise _bad(name, text, "a whole number")
    return int(text)


def _digest(environ: Mapping[str, object], name: str) -> bytes:
    text = _value(environ, name)
    if (match := _DIGEST.fullmatch(text)) is None:
        raise _bad(name, text, "one digest such as sha-256=:…:")
    return base64.b64decode(match[1])


def _moment(environ: Mapping[str, object], name: str) -> None:
    text = _value(environ, name)
    try:
        is_moment = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        is_moment = False
    if not is_moment:
        raise _bad(name, text, "a moment such as 2026-11-21T12:00:00.000Z")


def _value(environ: Mapping[str, object], name: str) -> str:
    key = name.upper().replace("-", "_")
    value = environ.get(key if key == "CONTENT_LENGTH" else f"HTTP_{key}")
    if value is None:
        raise Declined("400 Bad Request", f"{name} is missing")
    return str(value)


def _bad(name: str, value: str, accepted: str) -> Declined:
    return Declined("400 Bad Request", f"{name} must be {accepted}, not {value[:_SHOWN]!r}")
