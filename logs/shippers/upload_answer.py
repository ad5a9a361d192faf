"""What the log service's answer means for the batch that was sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from logs.shippers.upload_errors import (
    AnsweredEarly,
    BatchRefused,
    NumberTaken,
    OtherReceived,
    RedirectRefused,
    ServerFailed,
    StatusRefused,
    UploadFault,
)
from logs.spool.packed import digest_field

_TOLD = 200  # characters of the other side's words that are repeated
_STATUSES: dict[int, type[UploadFault]] = {
    400: BatchRefused,
    408: ServerFailed,
    409: NumberTaken,
    413: BatchRefused,
    415: BatchRefused,
    422: BatchRefused,
    429: ServerFailed,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The log service's answer."""

    status: int
    reason: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes  # as much of it as is read

    def __str__(self) -> str:
        """Return the status line's part that people know."""
        return f"{self.status} {self.reason}".rstrip()

    @property
    def is_duplicate(self) -> bool:
        """Whether the log service says that it had the batch already."""
        return self.headers.get("tscm-duplicate", "").lower() == "yes"

    def told(self) -> str:
        """Return the beginning of a plain text for people, on one line; "" for anything else."""
        if not self.headers.get("content-type", "").startswith(("text/plain", "application/json")):
            return ""
        words = self.body[: 4 * _TOLD].decode("utf-8", "replace").split()
        return "".join(c for c in " ".join(words) if c.isprintable())[:_TOLD]


def check(answer: Answer, about: str, *, handed: int, total: int, sha256: bytes) -> None:
    """Return if the answer is a receipt for all `total` bytes; raise an `UploadFault`."""
    if answer.status != 200:
        raise _status_fault(answer, about)
    if handed != total:
        raise AnsweredEarly(
            f"uploading {about}: the answer was {answer} after {handed:,} of {total:,} bytes"
        )
    stated = answer.headers.get("tscm-received-bytes")
    if stated is not None and stated != str(total):
        raise OtherReceived(
            f"uploading {about}: the answer states {stated[:40]!r} bytes, and {total:,} were sent"
        )
    digest = answer.headers.get("tscm-received-digest")
    if digest is not None and digest != digest_field(sha256):
        raise OtherReceived(
            f"uploading {about}: the answer states the digest {digest[:80]!r}, and what was sent "
            f"has {digest_field(sha256)!r}"
        )


def _status_fault(answer: Answer, about: str) -> UploadFault:
    message = f"uploading {about}: the answer was {answer}"
    if 300 <= answer.status < 400:
        return RedirectRefused(f"{message}, to {answer.headers.get('location', '')[:_TOLD]!r}")
    if told := answer.told():
        message += f" ({told!r})"
    wait = _retry_after(answer.headers)
    if wait is not None:
        message += f", to be tried again in {wait:,.0f} s"
    default = ServerFailed if answer.status >= 500 else StatusRefused
    return _STATUSES.get(answer.status, default)(message, retry_after=wait)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait; a moment is reckoned from the answer's own Date."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal() and text.isascii():
        return float(text[:9])
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, math.ceil(wait.total_seconds()))
