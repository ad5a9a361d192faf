"""The heads of lines: a priority or none, and a stamp in one of the plain forms or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from logs.parsers.fast import stamps
from logs.parsers.fast.stamps import Moments
from logs.parsers.fast.text import Bools, Index, Text
from logs.parsers.times import AHEAD, BEHIND, SECOND

_ZERO = np.uint8(ord("0"))


class Arrivals(NamedTuple):
    """When each line came, and the zone of the clock that stamped it."""

    at: Moments
    zone_seconds: int  # east of UTC

    def of(self, rows: Index) -> Arrivals:
        """Return those of some lines."""
        return Arrivals(self.at[rows], self.zone_seconds)

    def near(self, moment: Moments) -> Bools:
        """Tell which moments the reference believes (`logs.parsers.times`)."""
        return (moment >= self.at - BEHIND) & (moment <= self.at + AHEAD)


class Heads(NamedTuple):
    """What stands at the very front of some lines."""

    stamp: Index  # where the stamp begins: behind the priority
    end: Index  # where it ends; the same place when there is none
    at: Moments  # the stamp where it is believed, else the arrival
    sure: Bools  # whether the stamp is all that its form promises


class _Form(NamedTuple):
    width: int
    read: Callable[[Text, Index, Arrivals], tuple[Moments, Bools]]


def _iso(text: Text, at: Index, arrivals: Arrivals) -> tuple[Moments, Bools]:
    moment, plain = stamps.iso(text, at)
    return np.where(arrivals.near(moment), moment, arrivals.at), plain


def _iso_long(text: Text, at: Index, arrivals: Arrivals) -> tuple[Moments, Bools]:
    moment, plain = stamps.iso_long(text, at)
    return np.where(arrivals.near(moment), moment, arrivals.at), plain


def _short(text: Text, at: Index, arrivals: Arrivals) -> tuple[Moments, Bools]:
    """Read stamps without year; one that is not near may be of another year."""
    moment, plain = stamps.short(text, at, arrivals.at)
    moment -= arrivals.zone_seconds * SECOND
    return moment, plain & arrivals.near(moment)


def _dated(text: Text, at: Index, arrivals: Arrivals) -> tuple[Moments, Bools]:
    moment, plain = stamps.dated(text, at)
    moment -= arrivals.zone_seconds * SECOND
    return np.where(arrivals.near(moment), moment, arrivals.at), plain


_FORMS = (
    _Form(stamps.ISO_BYTES, _iso),
    _Form(stamps.ISO_LONG_BYTES, _iso_long),
    _Form(stamps.SHORT_BYTES, _short),
    _Form(stamps.DATED_BYTES, _dated),
)
_NO_FORM = len(_FORMS)


def heads_of(text: Text, starts: Index, arrivals: Arrivals) -> Heads:
    """Return the heads of the lines that start here."""
    begin = starts + _priority(text, starts)
    kind = _forms(text, begin)
    end, at, sure = begin.copy(), arrivals.at.copy(), np.ones(len(begin), np.bool_)
    for number, form in enumerate(_FORMS):
        rows = np.flatnonzero(kind == number)
        if rows.size:
            end[rows] += form.width
            at[rows], sure[rows] = form.read(text, begin[rows], arrivals.of(rows))
    return Heads(begin, end, at, sure)


def _priority(text: Text, starts: Index) -> Index:
    """Return how wide `<123>` is at these places, 0 where there is none."""
    letter = text.columns(starts, 5)
    width = np.zeros(len(starts), np.intp)
    so_far = letter[0] == ord("<")
    for place in (1, 2, 3):
        so_far &= letter[place] - _ZERO <= 9
        width[so_far & (letter[place + 1] == ord(">"))] = place + 2
    return width


def _forms(text: Text, at: Index) -> npt.NDArray[np.uint8]:
    """Return the form that a stamp at each place has, if it is a stamp at all."""
    column = text.columns(at, 20)
    is_iso = (column[4] == ord("-")) & (column[10] == ord("T"))
    is_short = (column[3] == ord(" ")) & (column[9] == ord(":"))
    is_dated = (column[3] == ord(" ")) & (column[14] == ord(":"))
    kinds = [is_iso & (column[19] == ord("Z")), is_iso, is_short, is_dated]
    return np.select(kinds, range(_NO_FORM), _NO_FORM).astype(np.uint8)
