"""The messages of a transfer: where each record lies, before anybody decodes one."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import dns.exception
import dns.name
import numpy as np
import numpy.typing as npt
from dns.rdatatype import RdataType

from policies.sources.dns_wire import HEADER_BYTES, Header, Unreadable

Places = npt.NDArray[np.int64]

_COUNTS = struct.Struct("!4H")
_FIXED = struct.Struct("!HHIH")  # type, class, TTL, length of the data
FIXED_BYTES = _FIXED.size
_POINTER = 0xC0
_REPEATED = 12  # an owner that is a pointer, and the fixed part: what records of one name share


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a message: where it begins, what it is, where its data lies."""

    start: int
    rdtype: int
    rdclass: int
    ttl: int
    data: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One message, and where its records lie: the answers first."""

    wire: bytes
    answers: int
    starts: Places  # of each record, where its owner begins
    stops: Places  # where its owner ends: at the root label, or at a pointer

    def __len__(self) -> int:
        """Return how many records there are, in all sections."""
        return len(self.starts)

    def record(self, number: int) -> Record:
        """Return a record by its number."""
        stop = int(self.stops[number])
        fixed = stop + (2 if self.wire[stop] >= _POINTER else 1)
        rdtype, rdclass, ttl, length = _FIXED.unpack_from(self.wire, fixed)
        data = fixed + FIXED_BYTES
        return Record(int(self.starts[number]), rdtype, rdclass, ttl, data, data + length)

    def answers_of(self, rdtype: RdataType) -> list[int]:
        """Return the numbers of the answers of a type."""
        octets = np.frombuffer(self.wire, np.uint8)
        stops = self.stops[: self.answers]
        fixed = stops + np.where(octets[stops] >= _POINTER, 2, 1)
        alike = (octets[fixed] == rdtype >> 8) & (octets[fixed + 1] == rdtype & 0xFF)
        found: list[int] = np.flatnonzero(alike).tolist()
        return found

    def name(self, at: int) -> dns.name.Name:
        """Return the name that begins `at`; raise `Unreadable` where there is none."""
        try:
            return dns.name.from_wire(self.wire, at)[0]
        except (dns.exception.DNSException, IndexError) as error:
            raise Unreadable(f"no name at byte {at} ({type(error).__name__})") from error

    def only(self, answers: npt.NDArray[np.bool_]) -> Message:
        """Return the message with some of its answers, and with nothing else."""
        chosen = np.flatnonzero(answers)
        return Message(self.wire, len(chosen), self.starts[chosen], self.stops[chosen])

    @property
    def header(self) -> Header:
        """The first twelve bytes."""
        return Header.of(self.wire)

    @property
    def signature(self) -> Record | None:
        """The TSIG record, which is the last of all; None where there is none."""
        if len(self) == self.answers:
            return None
        last = self.record(len(self) - 1)
        return last if last.rdtype == RdataType.TSIG else None


class Block:
    """The answers of several messages, as columns."""

    def __init__(self, messages: Sequence[Message]) -> None:
        """Put the messages one behind the other."""
        self.messages = messages
        self.wires = b"".join(message.wire for message in messages)
        self.octets = np.frombuffer(self.wires, np.uint8)
        answers = [message.answers for message in messages]
        self.bases = [0, *accumulate(len(message.wire) for message in messages)][:-1]
        self.message_of = np.repeat(np.arange(len(messages)), answers)
        base = np.array(self.bases, np.int64)[self.message_of]
        self.starts = base + np.concatenate([m.starts[: m.answers] for m in messages])
        self.stops = base + np.concatenate([m.stops[: m.answers] for m in messages])
        fixed = self.stops + np.where(self.octets[self.stops] >= _POINTER, 2, 1)
        self.rdtype = self.number(fixed)
        self.rdclass = self.number(fixed + 2)
        self.length = self.number(fixed + 8)  # of the data
        self.data = fixed + FIXED_BYTES  # where the data begins

    def number(self, at: Places) -> npt.NDArray[np.uint16]:
        """Return the numbers of two bytes that begin there."""
        high, low = self.octets[at].astype(np.uint16), self.octets[at + 1]
        number: npt.NDArray[np.uint16] = (high << np.uint16(8)) | low
        return number

    def place(self, record: int) -> tuple[Message, int, int]:
        """Return a record's message, and where in it the data begins and ends."""
        message = int(self.message_of[record])
        begin = int(self.data[record]) - self.bases[message]
        return self.messages[message], begin, begin + int(self.length[record])


def read_message(wire: bytes) -> Message:
    """Find the records of a message; raise `Unreadable` where it is none."""
    if len(wire) < HEADER_BYTES:
        raise Unreadable(f"a message of {len(wire)} bytes is none of DNS")
    questions, answers, authorities, additional = _COUNTS.unpack_from(wire, 4)
    try:
        place = HEADER_BYTES
        for _ in range(questions):
            place = _end_of_name(wire, place) + 4
        starts, stops, end = _walk(wire, place, answers + authorities + additional)
    except IndexError as error:
        raise Unreadable("it ends within a record") from error
    if end != len(wire):
        raise Unreadable("its records do not end where it ends")
    return Message(wire, answers, np.array(starts, np.int64), np.array(stops, np.int64))


def _end_of_name(wire: bytes, place: int) -> int:
    while 0 < (size := wire[place]) < 64:
        place += size + 1
    if 64 <= size < _POINTER:
        raise Unreadable(f"no name at byte {place}")
    return place + (2 if size else 1)


def _walk(wire: bytes, place: int, count: int) -> tuple[list[int], list[int], int]:
    """Return where `count` records begin, where their owners end, and where the last one ends.

    It is run once a record of a zone, so it is written out and calls nothing.
    """
    starts: list[int] = []
    stops: list[int] = []
    while len(starts) < count:
        start = place
        while 0 < (size := wire[place]) < 64:
            place += size + 1
        starts.append(start)
        stops.append(place)
        if size:
            if size < _POINTER:
                raise Unreadable(f"no name at byte {place}")
            place += 1
        place += 11 + (wire[place + 9] << 8) + wire[place + 10]
        if (
            wire[start] >= _POINTER
            and wire[place : place + _REPEATED] == wire[start : start + _REPEATED]
        ):
            alike = _alike(wire, start, place - start, count - len(starts))
            starts.extend(range(place, place + alike * (place - start), place - start))
            stops.extend(starts[len(stops) :])
            place += alike * (place - start)
    return starts, stops, place


def _alike(wire: bytes, start: int, step: int, most: int) -> int:
    """Return how many records behind the one at `start` begin with the same bytes as it does."""
    most = min(most, (len(wire) - start) // step - 1)
    rows = np.frombuffer(wire, np.uint8, (most + 1) * step, start).reshape(-1, step)
    same = (rows[1:, :_REPEATED] == rows[0, :_REPEATED]).all(axis=1)
    return most if same.all() else int(same.argmin())
