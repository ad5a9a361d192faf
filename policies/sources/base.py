"""The promise every kind of source keeps, and how it fails.

SourceError
├── SourceUnavailable   time-out, connection refused, SERVFAIL: tried again later
└── SourceRefused       REFUSED, NXDOMAIN, over a bound: a person must look
    └── EmptyList       the source answered in good order, and the list holds nothing

`SourceMisconfigured` stands outside the tree on purpose: no retry may hide it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self


class SourceError(Exception):
    """A retrieval that brought nothing usable; the last good list stays in force."""


class SourceUnavailable(SourceError):
    """The source could not answer now; trying again later may help."""


class SourceRefused(SourceError):
    """The source answered, and trying again will not change the answer."""


class EmptyList(SourceRefused):
    """The source answered in good order that its list holds nothing."""


class SourceMisconfigured(ValueError):
    """A source's settings cannot work; the message names the setting and what it accepts."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock by which a retrieval must have ended."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """Return the deadline `seconds` from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Return the seconds left, 0.0 when the deadline has passed."""
        return max(0.0, self.at - time.monotonic())


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text holds its entries: one decoder for each `kind`."""

    kind: str = "lines"  # "lines", "dshield", "csv" or "json"
    column: str = ""  # csv: the column's number, from 1, or its name in the header
    separator: str = ","  # csv
    path: str = ""  # json: a JSONPath (RFC 9535) of the values that are entries


LINES = Layout()


@dataclass(frozen=True, slots=True)
class Known:
    """What is held of a source's last whole answer."""

    version: str  # the `Retrieved.version` that came with it
    # Reads what `Retrieved.keep` was, or raises OSError or ValueError; None where nothing was kept.
    payload: Callable[[], bytes] | None = None
    # The list is wanted whole all the same: whoever says "unchanged" may be wrong. The version
    # still tells an older answer from a newer one.
    is_whole_wanted: bool = False


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What came back from a source, untouched."""

    format: str  # the key in DECODERS of what can read the payload
    payload: tuple[bytes, ...]  # one body, or the messages of a DNS answer in order
    server: str  # who answered, as "address#port"; "" where nobody was asked
    version: str | None = None  # a serial, an ETag; None where the source has no such thing
    layout: Layout = LINES  # how a text holds its entries
    keep: bytes = b""  # what the source wants back next time as `Known.payload`


class Source(Protocol):
    """One place addresses come from.

    A kind is built from the JSON settings of a row and has one verb.
    """

    label: ClassVar[str]
    secrets: ClassVar[tuple[str, ...]]  # the settings that are kept encrypted and never shown

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Self:
        """Build the source; raise `SourceMisconfigured` for a setting that cannot work."""
        ...

    def retrieve(self, *, known: Known | None, deadline: Deadline) -> Retrieved | None:
        """Retrieve the list whole, or return None when what is `known` is still current.

        Raises `SourceUnavailable` or `SourceRefused`, never anything else, for whatever the
        other side does, and never later than `deadline`.
        """
        ...
