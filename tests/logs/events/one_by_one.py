"""Blocks parsed line by line: what the fast way is held against, and a parser that knows less."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from logs.events.source import Block
from logs.parsers.base import NO_CONNECTION, NOT_OURS, Arrival, Columns, Event, Miss, Parsed
from logs.parsers.one import parse_line
from logs.parsers.shapes import Shapes
from logs.services.parse import Parsers

_WORD = 0xFFFF_FFFF_FFFF_FFFF
One = Callable[[bytes, Arrival], Event | Miss]


def parsers(version: int, one: One = parse_line) -> Parsers:
    """Return parsers of a version that read with `one`."""
    return Parsers(version, lambda block: parse(block, one))


def events_of(block: Block, one: One = parse_line) -> list[tuple[int, int, Event | Miss]]:
    """Return what each line says, with its place and size."""
    found, offset = [], 0
    for line in block.data.removesuffix(b"\n").split(b"\n"):
        place = block.offset + offset
        segment = int(np.searchsorted(block.came.ends, place, side="right"))
        said = one(line, Arrival(int(block.came.at[min(segment, len(block.came.at) - 1)]), 0))
        found.append((place, len(line), said))
        offset += len(line) + 1
    return found


def parse(block: Block, one: One = parse_line) -> Parsed:
    """Return what a block says."""
    read, shapes = events_of(block, one), Shapes()
    for offset, size, told in read:
        if told is NOT_OURS:
            begin = offset - block.offset
            shapes.add(block.data[begin : begin + size])
    events = [(offset, size, told) for offset, size, told in read if isinstance(told, Event)]
    said = [event for _, _, event in events]
    words = tuple(dict.fromkeys(event.said for event in said))
    return Parsed(
        Columns(
            at=np.array([event.at for event in said], np.int64),
            source_high=np.array([event.source >> 64 for event in said], np.uint64),
            source_low=np.array([event.source & _WORD for event in said], np.uint64),
            destination_high=np.array([event.destination >> 64 for event in said], np.uint64),
            destination_low=np.array([event.destination & _WORD for event in said], np.uint64),
            source_port=np.array([event.source_port for event in said], np.uint16),
            destination_port=np.array([event.destination_port for event in said], np.uint16),
            protocol=np.array([event.protocol for event in said], np.uint8),
            action=np.array([event.action for event in said], np.uint8),
            side=np.array([event.side for event in said], np.uint8),
            said=np.array([words.index(event.said) for event in said], np.uint32),
            offset=np.array([offset for offset, _, _ in events], np.uint64),
            size=np.array([size for _, size, _ in events], np.uint32),
            words=words,
        ),
        lines=len(read),
        no_connection=sum(told is NO_CONNECTION for _, _, told in read),
        shapes=shapes.found,
    )
