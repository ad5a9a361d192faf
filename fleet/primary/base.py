"""The values between a portal and its primary: zones, keys, who may ask, and the protocol.

PrimaryError
├── PrimaryUnavailable   nobody answers, time is over, SERVFAIL: tried again
└── PrimaryRefused       REFUSED, a bad key, a command that failed: a person must look
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class PrimaryError(Exception):
    """A primary did not do what was asked; says which zone, why, and what to do."""


class PrimaryUnavailable(PrimaryError):
    """It may work later."""


class PrimaryRefused(PrimaryError):
    """A person must look."""


class Role(StrEnum):
    """What a zone is for."""

    SETTINGS = "settings"  # of one device
    STATUS = "status"  # of all devices, written by them
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Key:
    """A TSIG key, hmac-sha256."""

    name: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may query and transfer a zone: the holders of keys, and whoever asks from networks."""

    keys: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """The holder of a key may write TXT records at and below a name."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class ServedZone:
    """A zone as the primary's configuration has it; what is in it is written apart."""

    name: str  # without the final dot
    role: Role
    access: Access
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """All that a portal wants its primary to serve; the console's own key may do all with it."""

    keys: tuple[Key, ...]
    zones: tuple[ServedZone, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ZoneContent:
    """What a zone is to hold, SOA and NS aside, which the primary's module adds.

    `body` has one record a line, `owner TAB type TAB rdata NEWLINE`, in presentation format, the
    owner relative to the zone (`@` for itself), lines sorted and without repeats.
    """

    name: str
    serial: int
    body: bytes


class Primary(Protocol):
    """One way to bring zones onto a name server."""

    def configure(self, served: Served) -> bool:
        """Make the server serve exactly these zones; return whether anything was changed.

        Raises a `PrimaryError`.
        """

    def write(self, zones: Iterable[ZoneContent]) -> Mapping[str, PrimaryError]:
        """Make zones hold what they are to hold, each whole or not at all.

        Returns the faults by zone; raises a `PrimaryError` where nothing could be written.
        """
