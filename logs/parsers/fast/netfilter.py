"""Kernel lines of iptables and nftables, all lines of a text at once.

The kernel writes `IN=… OUT=… [MAC=…] SRC=… DST=… LEN=… … PROTO=… [SPT=… DPT=…]` in this order, with
one blank between. So the places of `IN=` and ` PROTO=` are looked for, and from there all lines
walk together from field to field. A line is taken when it has one of each and every step finds what
must stand there. A packet in brackets and a bridge's `PHYSIN=` are for the reference.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from logs.parsers.fast import numbers
from logs.parsers.fast.alike import MOST, part
from logs.parsers.fast.found import ANYWHERE, Found, Words
from logs.parsers.fast.heads import Arrivals, heads_of
from logs.parsers.fast.text import Array64, Bools, Index, Text, places

_SPACE, _OPENS, _CLOSES = ord(" "), ord("["), ord("]")
_MOST_ADDRESS = 48  # bytes
_MOST_MAC = 64  # bytes; both addresses and the type of an Ethernet frame have 41
_UPTIME_PLACES = 6


class _Places(NamedTuple):
    """Of lines that have one of each, where they stand."""

    lines: Index
    link: Index  # IN=
    protocol: Index  # behind ` PROTO=`


class _Fields(NamedTuple):
    """Where fields begin, how wide they are, and whether every step to them was sure."""

    source: Index
    source_width: Index
    destination: Index
    destination_width: Index
    sure: Bools


class _Front(NamedTuple):
    """What stands between stamp and `IN=`."""

    parts: list[Array64]
    message: Index  # where the seconds since the machine started begin, or ANYWHERE
    sure: Bools  # whether it is so little that all of it is compared


def read(text: Text, arrivals: Arrivals) -> Found | None:
    """Return what plain lines of the kernel say."""
    found = _places(text)
    if not found.lines.size:
        return None
    fields = _walk(text, found.link)
    lines = found.lines
    heads = heads_of(text, text.starts[lines], arrivals.of(lines))
    sure = heads.sure & fields.sure & (heads.end < found.link)
    source = numbers.addresses(text, fields.source, fields.source_width)
    destination = numbers.addresses(text, fields.destination, fields.destination_width)
    sure &= source.plain & destination.plain & (fields.destination < found.protocol)
    brackets = places(text.letters == _OPENS)
    sure &= _without(brackets, found.link, text.ends[lines])
    sure &= _without(places(text.letters < _SPACE), found.link, found.protocol)
    left = text.ends[lines] - found.protocol
    protocol_width = np.minimum(text.reach(found.protocol, _SPACE), left)
    ports, plain = _ports(text, found.protocol + protocol_width)
    sure &= plain & (protocol_width > 0) & (protocol_width < 16)
    front = _front(text, brackets, heads.end, found.link)
    sure &= front.sure
    head = Words.of([part(text, text.starts[lines], heads.stamp - text.starts[lines])])
    # The head may go on in what a rule wrote, so what follows the stamp is one with the body.
    body = Words.of([*front.parts, part(text, found.protocol, protocol_width)])
    taken = Found(
        lines, heads.stamp, heads.end, front.message,
        heads.at, source, destination, ports, head, body,
    )  # fmt: skip
    return taken.only(sure)


def _places(text: Text) -> _Places:
    """Return the lines that have one `IN=` and one ` PROTO=`, in this order."""
    letters = text.letters
    may_end = (letters[:-1] == ord("N")) | (letters[:-1] == ord("O"))
    equals = places(may_end & (letters[1:] == ord("="))) + 1
    word = text.words(equals - 7)
    link = equals[_ends_with(word, b"IN=")] - 2
    protocol = equals[_ends_with(word, b" PROTO=")] + 1
    # Behind the last letter of a line is its newline, which no line holds.
    link_line, protocol_line = text.lines_at(link), text.lines_at(protocol - 1)
    count = len(text.ends)
    lines = np.flatnonzero(
        (np.bincount(link_line, minlength=count) == 1)
        & (np.bincount(protocol_line, minlength=count) == 1)
    )
    at = np.zeros((2, count), np.intp)
    at[0, link_line], at[1, protocol_line] = link, protocol
    lines = lines[at[0, lines] < at[1, lines]]
    return _Places(lines, at[0, lines], at[1, lines])


def _walk(text: Text, link: Index) -> _Fields:
    """Go from `IN=` to both addresses."""
    at = link + len("IN=")
    at, sure = _step(text, at + text.reach(at, _SPACE), b" OUT=")
    at += text.reach(at, _SPACE)
    mac, has_mac = _step(text, at, b" MAC=")
    at = np.where(has_mac, mac + text.reach(mac, _SPACE, _MOST_MAC), at)
    source, plain = _step(text, at, b" SRC=")
    sure &= plain
    source_width = text.reach(source, _SPACE, _MOST_ADDRESS)
    destination, plain = _step(text, source + source_width, b" DST=")
    sure &= plain
    destination_width = text.reach(destination, _SPACE, _MOST_ADDRESS)
    _, plain = _step(text, destination + destination_width, b" LEN=")
    return _Fields(source, source_width, destination, destination_width, sure & plain)


def _step(text: Text, at: Index, expected: bytes) -> tuple[Index, Bools]:
    """Return where the field begins whose key stands here, and whether it does."""
    return at + len(expected), _stands(text, at, expected)


def _stands(text: Text, at: Index, expected: bytes) -> Bools:
    kept = np.uint64((1 << 8 * len(expected)) - 1)
    stands: Bools = text.words(at) & kept == int.from_bytes(expected, "little")
    return stands


def _ends_with(word: Array64, expected: bytes) -> Index:
    """Return which words have these as their last bytes."""
    shift = np.uint64(8 * (8 - len(expected)))
    return np.flatnonzero(word >> shift == int.from_bytes(expected, "little"))


def _ports(text: Text, at: Index) -> tuple[Array64, Bools]:
    """Return both ports, 0 where none follow, and which are plain."""
    first, has_first = _step(text, at, b" SPT=")
    width = np.where(has_first, text.reach(first, _SPACE), 0)
    second, has_second = _step(text, first + width, b" DPT=")
    second_width = np.where(has_first & has_second, text.reach(second, _SPACE), 0)
    source, plain = numbers.ports(text, first, width)
    destination, plain_too = numbers.ports(text, second, second_width)
    both = has_first == (has_first & has_second & (width > 0) & (second_width > 0))
    return np.stack((source, destination)), plain & plain_too & both


def _without(unwanted: Index, begin: Index, end: Index) -> Bools:
    """Tell which of these stretches hold none of the unwanted places."""
    without: Bools = np.searchsorted(unwanted, begin) == np.searchsorted(unwanted, end)
    return without


def _front(text: Text, brackets: Index, end: Index, link: Index) -> _Front:
    """Return what stands between stamp and `IN=`, but for the seconds since the machine started.

    The kernel writes these as `[12345.123456] ` (printk), with blanks in front where they are few.
    They count for nothing where the message begins with them, which is for the reference to say.
    """
    at = np.append(brackets, 0)[np.searchsorted(brackets, end)]
    at = np.where((at > end) & (at < link), at, link)
    width = text.reach(at, _CLOSES)
    close = at + width
    point = close - _UPTIME_PLACES - 1
    is_uptime = _stands(text, at - 8, b"kernel: ") & (width < 16) & _stands(text, close, b"] ")
    is_uptime &= (text.letters[point] == ord(".")) & (point > at)
    is_uptime &= numbers.decimals(text, close, np.full(len(at), _UPTIME_PLACES))[1]
    is_uptime &= numbers.are_padded(text, point, point - at - 1)
    before = np.where(is_uptime, at, link) - end
    prefix = np.where(is_uptime, close + len("] "), link)
    parts = [
        part(text, end, before),
        part(text, prefix, link - prefix),
        is_uptime.astype(np.uint64).reshape(-1, 1),
    ]
    sure = (before <= MOST) & (link - prefix <= MOST)
    return _Front(parts, np.where(is_uptime, at, ANYWHERE), sure)
