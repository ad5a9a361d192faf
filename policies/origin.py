"""Where what is done now comes from: which door, and which address behind it.

Every edge says so once, for the run of its request or command; whatever nobody asked for comes from
the system itself. So no service has to pass it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

LONGEST_CHANNEL = 100
LONGEST_ADDRESS = 64


@dataclass(frozen=True, slots=True)
class Origin:
    """A door, such as 'console' or 'API, token backup', and the address of who came through it."""

    channel: str
    address: str = ""  # "" where there is none, as for the system


SYSTEM = Origin("system")
_now: ContextVar[Origin] = ContextVar("origin", default=SYSTEM)


def current_origin() -> Origin:
    """Return where what is done now comes from."""
    return _now.get()


@contextmanager
def acting_from(origin: Origin) -> Iterator[None]:
    """Have everything inside come from `origin`."""
    token = _now.set(Origin(origin.channel[:LONGEST_CHANNEL], origin.address[:LONGEST_ADDRESS]))
    try:
        yield
    finally:
        _now.reset(token)


def came_by(channel: str) -> None:
    """Say more precisely by which door the request came that is answered now."""
    _now.set(replace(_now.get(), channel=channel[:LONGEST_CHANNEL]))
