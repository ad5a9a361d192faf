"""What a primary's faults are called, each with its cause and the next step.

PrimaryError
├── PrimaryUnavailable
└── PrimaryRefused
    └── SerialBehind    the zone's serial is beyond the one that it was to get
"""

from __future__ import annotations

from fleet.primary.base import PrimaryError, PrimaryRefused, PrimaryUnavailable
from policies.sources.base import SourceError, SourceUnavailable
from policies.sources.dns_errors import (
    ClosedEarly,
    NoSuchName,
    Refused,
    ServerFailed,
    ServerUnknown,
    TimedOut,
    Unreachable,
)
from policies.sources.zone_errors import (
    KeyRefused,
    KeyUnknown,
    NotAuthoritative,
    WrongTime,
    ZoneTooLarge,
)

_RUNS = "See that the name server runs and takes TCP from this machine (TSCM_PORTAL_PRIMARY)."
_READS = "See that the name server has read tscm.conf as it is now (TSCM_PORTAL_DIR, _CONTROL)."
_NEXT: dict[type[SourceError], str] = {
    Unreachable: _RUNS,
    ServerUnknown: "See that TSCM_PORTAL_PRIMARY names the name server and resolves here.",
    TimedOut: "It is tried again; see whether the name server is overloaded or hangs.",
    ClosedEarly: "It is tried again; see the name server's log where it comes back.",
    ServerFailed: "It is tried again; the name server's log says why the zone is not usable.",
    Refused: _READS,
    NoSuchName: _READS,
    NotAuthoritative: f"The zone is not served there. {_READS}",
    KeyUnknown: f"The console's key is not known there. {_READS}",
    KeyRefused: f"The console's key is another one there. {_READS}",
    WrongTime: "Set the clock here and at the name server by NTP.",
    ZoneTooLarge: "Publish the policy in another form, or use TSCM_PORTAL_WAY=file.",
}
_SEE_LOG = "See the name server's log."
# Faults of the server as a whole: the next zone would meet the same.
OF_THE_SERVER = (Unreachable, ServerUnknown, TimedOut)


class SerialBehind(PrimaryRefused):
    """The zone is at a serial that the one it was to get does not follow; try one behind it."""

    def __init__(self, zone: str, *, wanted: int, serial: int) -> None:
        super().__init__(
            f"zone {zone} could not be written: it is at serial {serial} or needs it on the way,"
            f" and {wanted} does not follow that. It is tried again with a higher one."
        )
        self.serial = serial  # what the one to try must follow


def fault_of(error: SourceError, *, deed: str, advice: str = "") -> PrimaryError:
    """Return what a conversation's fault is for a primary; `deed` says what did not come about.

    `advice` is the next step where it is not the one that follows from the fault.
    """
    kind = next((known for known in type(error).__mro__ if known in _NEXT), None)
    advice = advice or (_NEXT[kind] if kind is not None else _SEE_LOG)
    fault = PrimaryUnavailable if isinstance(error, SourceUnavailable) else PrimaryRefused
    return fault(f"{deed}: {error}. {advice}")
