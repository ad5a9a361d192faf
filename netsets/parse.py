"""A list in text form, read into a set: strictly, whole, and with every refusal counted.

One entry a line: an address, a prefix, or a range `a-b`. `#`, `;` and `//` begin a comment at the
start of a line or behind white space. A line that holds anything else is refused as a whole under
a named reason; nothing is resolved, completed or guessed at.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from netsets import _fast4, _fast6, _ranges4, _ranges6
from netsets._entries import MAX_CHARACTERS, Entry, Unreadable, read_entry, shown
from netsets._ranges4 import Array8, Array32, Array64, Bools, Index
from netsets.cidr import AddressSet, ranges_of
from netsets.entries import Entries

CHUNK = 1 << 18  # bytes at a time: the arrays made on the way stay in the cache
MAX_ODD = 250_000  # lines that the slow reader looks at; it needs up to 15 µs a line
MAX_SAMPLES = 10

TOO_MANY = "beyond the limit of unusual entries"

_NOISE = (b"#", b";", b"//", b" ", b"\t", b"\r", b"\v", b"\f")
_COMMENT_LINE = re.compile(rb"\n(?:[#;]|//)[^\n]*+")
_SPACE = re.compile(rb"[ \t\r\v\f]++(?:(?:[#;]|//)[^\n]*+)?")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, eq=False)
class _Taken:
    """The entries taken from a text, in the order in which they were read."""

    keys4: Array64  # packed ranges
    lines4: Array32  # from 1
    ranges6: Array64
    lines6: Array32

    def addresses(self) -> AddressSet:
        return AddressSet(
            _ranges4.collapse(self.keys4.copy()),  # which sorts what it is given
            _ranges6.collapse(self.ranges6),
        )


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a text held, and what in it was refused."""

    addresses: AddressSet
    entries: int  # lines taken, repeated ones counted each time
    host_bits_cleared: int  # prefixes given with bits below their length
    rejected: tuple[tuple[str, int], ...]  # (reason, lines), the most frequent reason first
    samples: tuple[str, ...]  # the first few refused lines, made fit to be shown
    _taken: _Taken = field(repr=False, compare=False)

    def listed(self) -> Entries:
        """Return each entry with its line, counted from 1 over all lines of the text.

        They are put in order here and not before: who wants the addresses need not wait for it.
        """
        taken = self._taken
        return Entries.of(
            v4=_ranges4.unpack(taken.keys4),
            v4_line=taken.lines4,
            v6=taken.ranges6,
            v6_line=taken.lines6,
        )


@dataclass(slots=True)
class _Tally:
    """What has been read so far."""

    lines: int = 0  # of the chunks before the one being read
    keys4: list[Array64] = field(default_factory=list)
    lines4: list[Array32] = field(default_factory=list)
    ranges6: list[Array64] = field(default_factory=list)
    lines6: list[Array32] = field(default_factory=list)
    odd: list[Entry] = field(default_factory=list)
    odd_lines: list[int] = field(default_factory=list)
    host_bits: int = 0
    odd_left: int = field(default_factory=lambda: MAX_ODD)
    rejected: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)

    def take4(self, keys: Array64, lines: Index) -> None:
        self.keys4.append(keys)
        self.lines4.append((lines + (self.lines + 1)).astype(np.uint32))

    def take6(self, ranges: Array64, lines: Index) -> None:
        self.ranges6.append(ranges)
        self.lines6.append((lines + (self.lines + 1)).astype(np.uint32))

    def take_odd(self, entry: Entry, line: int) -> None:
        self.odd.append(entry)
        self.odd_lines.append(line + self.lines + 1)
        self.host_bits += entry.host_bits

    def reject(self, reason: str, token: str) -> None:
        self.rejected[reason] += 1
        if len(self.samples) < MAX_SAMPLES:
            self.samples.append(shown(token))

    def result(self) -> Parsed:
        taken = self._taken()
        reasons = sorted(self.rejected.items(), key=lambda pair: (-pair[1], pair[0]))
        return Parsed(
            addresses=taken.addresses(),
            entries=len(taken.keys4) + len(taken.ranges6),
            host_bits_cleared=self.host_bits,
            rejected=tuple(reasons),
            samples=tuple(self.samples),
            _taken=taken,
        )

    def _taken(self) -> _Taken:
        odd4, odd6 = ranges_of(self.odd)
        lines = np.array(self.odd_lines, np.uint32)
        is_4 = np.array([entry.version == 4 for entry in self.odd], np.bool_)
        return _Taken(
            np.concatenate((*self.keys4, _ranges4.pack(odd4[:, 0], odd4[:, 1]))),
            np.concatenate((*self.lines4, lines[is_4])),
            np.concatenate((*self.ranges6, odd6)),
            np.concatenate((*self.lines6, lines[~is_4])),
        )


def parse_text(data: bytes) -> Parsed:
    """Read a list, one entry a line, whatever the bytes are: this never raises on input."""
    tally = _Tally()
    for chunk in _chunks(data.removeprefix(_BYTE_ORDER_MARK)):
        text = np.frombuffer(_plain(chunk), np.uint8)
        found = _fast4.read(text)
        tally.take4(found.keys, found.lines)
        tally.host_bits += found.host_bits
        if found.odd.any():
            _read_odd(_select(text, found.ends, found.odd), np.flatnonzero(found.odd), tally)
        tally.lines += len(found.ends)
    return tally.result()


def _chunks(data: bytes) -> Iterator[bytes]:
    """Yield the data in parts of whole lines, each ending with a newline."""
    start = 0
    while start < len(data):
        stop = data.rfind(b"\n", start, start + CHUNK) + 1 or data.find(b"\n", start) + 1
        if not stop:
            yield data[start:] + b"\n"
            return
        yield data[start:stop]
        start = stop


def _plain(chunk: bytes) -> bytes:
    """Return the chunk without comments and without white space around its lines.

    No line is lost: what said nothing is empty now.
    """
    if not any(noise in chunk for noise in _NOISE):
        return chunk
    chunk = _COMMENT_LINE.sub(b"\n", b"\n" + chunk)
    chunk = _SPACE.sub(b" ", chunk)
    return chunk.replace(b" \n", b"\n").replace(b"\n ", b"\n")[1:]


def _select(text: Array8, ends: Index, lines: Bools) -> Array8:
    """Return the text of these lines alone."""
    if lines.all():
        return text
    return text[np.repeat(lines, np.diff(ends, prepend=-1))]


def _read_odd(text: Array8, lines: Index, tally: _Tally) -> None:
    """Read lines that are not plain IPv4: plain IPv6 at once, and the rest one by one."""
    found = _fast6.read(text)
    tally.take6(found.ranges, lines[~found.odd])
    tally.host_bits += found.host_bits
    odd = np.flatnonzero(found.odd)
    starts = np.concatenate(([0], found.ends[:-1] + 1))
    readable, left = odd[: tally.odd_left], odd[tally.odd_left :]
    tally.odd_left -= len(readable)
    places = (array[readable].tolist() for array in (starts, found.ends, lines))
    for start, stop, line in zip(*places, strict=True):
        _read_one(_token(text, start, stop), line, tally)
    for line in left[:MAX_SAMPLES].tolist():
        tally.reject(TOO_MANY, _token(text, starts[line], found.ends[line]))
    if len(left) > MAX_SAMPLES:
        tally.rejected[TOO_MANY] += len(left) - MAX_SAMPLES


def _token(text: Array8, start: int, stop: int) -> str:
    return text[start : min(stop, start + MAX_CHARACTERS + 1)].tobytes().decode("latin-1")


def _read_one(token: str, line: int, tally: _Tally) -> None:
    try:
        entry = read_entry(token)
    except Unreadable as refused:
        tally.reject(refused.reason, token)
        return
    tally.take_odd(entry, line)
