"""Carry a ledger on when the counters of its spool began anew: its files were lost, or some.

A disk was replaced, or the file of the counters was damaged and they were counted anew from the
batches that are there. What was counted before stays counted.
"""

from __future__ import annotations

from logs.models import Spool
from logs.spool.base import Counters


def counted(spool: Spool, told: Counters, *, open_lines: int) -> None:
    """Put counters into the columns of a spool, with what was counted before they began anew.

    Called after the rows of new batches were made.
    """
    if told.received < _received(spool) - _before(spool):
        _carry(spool, told, open_lines=open_lines)
    spool.spooled = spool.before_spooled + told.spooled
    spool.refused = spool.before_refused + told.refused
    spool.over_quota = spool.before_over_quota + told.over_quota
    spool.lost = spool.before_lost + told.lost
    spool.received = told.received + _before(spool)


def _carry(spool: Spool, told: Counters, *, open_lines: int) -> None:
    """Keep what the old counters say and the new ones do not."""
    held = spool.uploaded_lines + spool.waiting_lines + spool.expired_lines + open_lines
    before = max(0, held - told.spooled)  # in batches that the new counters do not know of
    # More of these than until now: they began at 0, and all that they tell of is new. Else they
    # only went back, and tell of what is left of the same lines.
    left = told.spooled if before <= spool.before_spooled else 0
    gone = max(0, spool.spooled - before - left)
    spool.before_spooled = before
    spool.before_refused = max(0, spool.refused - told.refused)
    spool.before_over_quota = max(0, spool.over_quota - told.over_quota)
    spool.before_lost = max(0, spool.lost + gone - told.lost)


def _received(spool: Spool) -> int:
    return spool.spooled + spool.missed


def _before(spool: Spool) -> int:
    missed = spool.before_refused + spool.before_over_quota + spool.before_lost
    return spool.before_spooled + missed
