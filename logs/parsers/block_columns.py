"""The columns of a text, filled from events of one line each and from very many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from logs.parsers.base import Columns, Event
from logs.parsers.fast.found import Found
from logs.parsers.fast.text import Index, Text
from logs.parsers.fields import WITH_PORTS

_HALF = (1 << 64) - 1
_TYPES: Mapping[str, npt.DTypeLike] = {
    "at": np.int64,
    "source_high": np.uint64, "source_low": np.uint64,
    "destination_high": np.uint64, "destination_low": np.uint64,
    "source_port": np.uint16, "destination_port": np.uint16,
    "protocol": np.uint8, "action": np.uint8, "side": np.uint8,
    "said": np.uint32, "offset": np.uint64, "size": np.uint32,
}  # fmt: skip
_HAS_PORTS = np.isin(np.arange(256), list(WITH_PORTS))


Meanings = npt.NDArray[np.int64]
"""A column for each line: its protocol, action, side, and the place of its word."""


class Table:
    """The columns of a text, one row a line until they are read."""

    def __init__(self, text: Text, offset: int) -> None:
        """Make room for all lines; `offset` is where the letters of the text begin in a batch."""
        count = len(text.ends)
        self._column = {name: np.zeros(count, kind) for name, kind in _TYPES.items()}
        self._column["offset"][:] = text.starts + offset
        self._column["size"][:] = text.ends - text.starts
        self._is_event = np.zeros(count, np.bool_)

    @property
    def left(self) -> Index:
        """The lines that are no events so far."""
        return np.flatnonzero(~self._is_event)

    def take_found(self, lines: Index, found: Found, meanings: Meanings) -> None:
        """Fill in lines that were read at once."""
        has_ports = _HAS_PORTS[meanings[0]]
        self._fill(
            lines,
            at=found.at,
            source_high=found.source.high,
            source_low=found.source.low,
            destination_high=found.destination.high,
            destination_low=found.destination.low,
            source_port=found.ports[0] * has_ports,
            destination_port=found.ports[1] * has_ports,
            protocol=meanings[0],
            action=meanings[1],
            side=meanings[2],
            said=meanings[3],
        )

    def take_events(self, lines: Index, events: list[Event], said: list[int]) -> None:
        """Fill in lines that were read one by one, one at least; `said` are places of words."""
        (at, source, destination, source_port, destination_port, protocol, action, side, _) = zip(
            *events, strict=True
        )
        self._fill(
            lines,
            at=at,
            source_high=[address >> 64 for address in source],
            source_low=[address & _HALF for address in source],
            destination_high=[address >> 64 for address in destination],
            destination_low=[address & _HALF for address in destination],
            source_port=source_port,
            destination_port=destination_port,
            protocol=protocol,
            action=action,
            side=side,
            said=said,
        )

    def _fill(self, lines: Index, **values: npt.ArrayLike) -> None:
        for name, value in values.items():
            self._column[name][lines] = value
        self._is_event[lines] = True

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Return the columns of the lines that are events."""
        if self._is_event.all():
            return self._column
        rows = np.flatnonzero(self._is_event)
        return {name: column[rows] for name, column in self._column.items()}


def join(tables: Sequence[Mapping[str, npt.NDArray[Any]]], words: Sequence[str]) -> Columns:
    """Return columns, one behind the other, as one value."""
    whole = {
        name: np.concatenate([np.zeros(0, kind), *(table[name] for table in tables)])
        for name, kind in _TYPES.items()
    }
    return Columns(**whole, words=tuple(words))
