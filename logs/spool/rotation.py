"""When the active file becomes a batch."""

from __future__ import annotations

from logs.spool.state import State

MOST_SECONDS = 900.0  # with content
_SECOND = 1_000_000_000


def is_due(state: State, *, log_size: int, now: int) -> bool:
    """Tell whether a spool is to be rotated; `now` is nanoseconds since 1970.

    Where the clock was set back behind the first line, nobody knows how old it is: it is due.
    """
    if not state.bytes:
        return False
    age = now - state.since
    return state.bytes >= log_size or age >= MOST_SECONDS * _SECOND or age < -_SECOND
