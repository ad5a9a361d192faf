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
from netsets._ranges4 import Array8, Array64, Bools, Index
from netsets.cidr import AddressSet, from_entries, union

CHUNK = 1 << 18  # bytes at a time: the arrays made on the way stay in the cache
MAX_ODD = 250_000  # lines that the slow reader looks at; it needs up to 15 µs a line
MAX_SAMPLES = 10

TOO_MANY = "beyond the limit of unusual entries"

_NOISE = (b"#", b";", b"//", b" ", b"\t", b"\r", b"\v", b"\f")
_COMMENT_LINE = re.compile(rb"\n(?:[#;]|//)[^\n]*+")
_SPACE = re.compile(rb"[ \t\r\v\f]++(?:(?:[#;]|//)[^\n]*+)?")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a text held, and what in it was refused."""

    addresses: AddressSet
    entries: int  # lines taken, repeated ones counted each time
    host_bits_cleared: int  # prefixes given with bits below their length
    rejected: tuple[tuple[str, int], ...]  # (reason, lines), the most frequent reason first
    samples: tuple[str, ...]  # the first few refused lines, made fit to be shown


@dataclass(slots=True)
class _Tally:
    """What has been read so far."""

    keys: list[Array64] = field(default_factory=list)
    ranges: list[Array64] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    host_bits: int = 0
    odd_left: int = field(default_factory=lambda: MAX_ODD)
    rejected: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)

    def reject(self, reason: str, token: str) -> None:
        self.rejected[reason] += 1
        if len(self.samples) < MAX_SAMPLES:
            self.samples.append(shown(token))

    def result(self) -> Parsed:
        keys = np.concatenate(self.keys) if self.keys else np.empty(0, np.uint64)
        ranges = np.concatenate(self.ranges) if self.ranges else _ranges6.empty()
        taken = len(keys) + len(ranges) + len(self.entries)
        self.keys.clear()
        fast = AddressSet(_ranges4.collapse(keys), _ranges6.collapse(ranges))
        reasons = sorted(self.rejected.items(), key=lambda pair: (-pair[1], pair[0]))
        return Parsed(
            addresses=union((fast, from_entries(self.entries))),
            entries=taken,
            host_bits_cleared=self.host_bits,
            rejected=tuple(reasons),
            samples=tuple(self.samples),
        )


def parse_text(data: bytes) -> Parsed:
    """Read a list, one entry a line, whatever the bytes are: this never raises on input."""
    tally = _Tally()
    for chunk in _chunks(data.removeprefix(_BYTE_ORDER_MARK)):
        text = np.frombuffer(_plain(chunk), np.uint8)
        found = _fast4.read(text)
        tally.keys.append(found.keys)
        tally.host_bits += found.host_bits
        if found.odd.any():
            _read_odd(_select(text, found.ends, found.odd), tally)
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
    """Return the chunk without comments and without white space around its lines."""
    if not any(noise in chunk for noise in _NOISE):
        return chunk
    chunk = _COMMENT_LINE.sub(b"\n", b"\n" + chunk)
    chunk = _SPACE.sub(b" ", chunk)
    return chunk.replace(b" \n", b"\n").replace(b"\n ", b"\n")


def _select(text: Array8, ends: Index, lines: Bools) -> Array8:
    """Return the text of these lines alone."""
    if lines.all():
        return text
    return text[np.repeat(lines, np.diff(ends, prepend=-1))]


def _read_odd(text: Array8, tally: _Tally) -> None:
    """Read lines that are not plain IPv4: plain IPv6 at once, and the rest one by one."""
    found = _fast6.read(text)
    tally.ranges.append(found.ranges)
    tally.host_bits += found.host_bits
    odd = np.flatnonzero(found.odd)
    starts = np.concatenate(([0], found.ends[:-1] + 1))
    readable, left = odd[: tally.odd_left], odd[tally.odd_left :]
    tally.odd_left -= len(readable)
    for start, stop in zip(starts[readable].tolist(), found.ends[readable].tolist(), strict=True):
        _read_one(_token(text, start, stop), tally)
    for line in left[:MAX_SAMPLES].tolist():
        tally.reject(TOO_MANY, _token(text, starts[line], found.ends[line]))
    if len(left) > MAX_SAMPLES:
        tally.rejected[TOO_MANY] += len(left) - MAX_SAMPLES


def _token(text: Array8, start: int, stop: int) -> str:
    return text[start : min(stop, start + MAX_CHARACTERS + 1)].tobytes().decode("latin-1")


def _read_one(token: str, tally: _Tally) -> None:
    try:
        entry = read_entry(token)
    except Unreadable as refused:
        tally.reject(refused.reason, token)
        return
    tally.entries.append(entry)
    tally.host_bits += entry.host_bits
