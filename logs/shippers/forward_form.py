"""Lines as a target wants them: as they came, or telling their sender; framed, or one a datagram.

A line whose sender is to be told gets it in one of two ways, and its own bytes follow unchanged:

    structured-data   an RFC 5424 line gets an element `[tscm@32473 from="192.0.2.7" at="…Z"]`
                      before its own ones; any other becomes the message of an RFC 5424 line of
                      ours, with the sender as HOSTNAME and the same element
    header            `<134>Mar  1 01:02:36 192.0.2.7 ` is put in front, the time in UTC

The severity is the line's own, 13 (user.notice) where it has none. 32473 is the enterprise number
that RFC 5612 keeps for those who have none. A line that bears such an element already is wrapped
like a foreign one: else a sender could say that it is another.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from logs.shippers.forward_index import Span
from logs.shippers.forward_reader import Block
from logs.shippers.forward_target import Preserve, Target

_SD_ID = b"tscm@32473"
_PRI = re.compile(rb"<(0|[1-9]\d?|1[0-8]\d|19[01])>")
_DEFAULT_PRI = b"<13>"
_NAME = rb"[!#-<>-\\^-~]{1,32}"
# Its header up to the structured data, and those data whole: ours may stand before them.
_RFC5424 = re.compile(
    rb"(<(?:0|[1-9]\d?|1[0-8]\d|19[01])>1 (?:[!-~]{1,255} ){5})"
    rb"(?:-|(?:\[" + _NAME + rb'(?: ' + _NAME + rb'="(?:[^"\\\]]|\\[\s\S])*")*\])+)(?= |\Z)'
)  # fmt: skip
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun",
           b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")  # fmt: skip

_LAST_SECOND = 253_402_300_799  # of the year 9999

Wrap = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent for a block: datagrams, or the bytes of a stream in one piece."""

    pieces: list[bytes]
    cut: int = 0  # lines of which a part is not sent


def parcel(block: Block, target: Target) -> Parcel:
    """Return what is sent to a target for a block.

    Empty lines are left out of datagrams and of counted frames, which cannot hold them.
    """
    if target.protocol == "udp":
        most = target.most_datagram
        lines = [line for line in _lines(block, target.preserve) if line]
        cut = sum(len(line) > most for line in lines)
        return Parcel([line[:most] for line in lines] if cut else lines, cut)
    if target.is_counted:
        lines = _lines(block, target.preserve)
        return Parcel([b"".join(b"%d %b" % (len(line), line) for line in lines if line)])
    if target.preserve == "none":
        return Parcel([block.data])
    return Parcel([b"\n".join([*_lines(block, target.preserve), b""])])


def _lines(block: Block, preserve: Preserve) -> list[bytes]:
    if preserve == "none":
        return _split(block.data)
    wrap = _with_element if preserve == "structured-data" else _with_header
    found: list[bytes] = []
    begin = 0
    for span in _to_the_end(block):
        found += map(wrap(span), _split(block.data[begin : begin + span.size]))
        begin += span.size
    return found


def _to_the_end(block: Block) -> Iterable[Span]:
    """Return the spans; the last takes the LF that the file lacked."""
    *spans, last = block.spans
    size = len(block.data) - sum(span.size for span in spans)
    return [*spans, Span(size, last.at, last.address)]


def _split(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


def _with_element(span: Span) -> Wrap:
    """Return what puts the sender of these bytes into the structured data of a line."""
    host, at = host_of(span.address), _moment(span.at)
    stamp = at.isoformat(timespec="microseconds").removesuffix("+00:00").encode() + b"Z"
    sender = b' from="%b"' % host if host else b""
    element = b'[%b%b at="%b"]' % (_SD_ID, sender, stamp)
    before = b"1 %b %b - - - %b " % (stamp, host or b"-", element)

    def wrap(line: bytes) -> bytes:
        found = _RFC5424.match(line)
        if found is None or b"[%b" % _SD_ID in found[0]:
            return _pri(line) + before + line
        rest = found.end(1)
        if line[rest : rest + 1] == b"-":
            rest += 1
        return found[1] + element + line[rest:]

    return wrap


def _with_header(span: Span) -> Wrap:
    """Return what puts the sender of these bytes into a header before a line."""
    at = _moment(span.at)
    stamp = b"%b %2d %02d:%02d:%02d" % (
        _MONTHS[at.month - 1],
        at.day,
        at.hour,
        at.minute,
        at.second,
    )
    before = b"%b %b " % (stamp, host_of(span.address) or b"-")
    return lambda line: _pri(line) + before + line


def _pri(line: bytes) -> bytes:
    found = _PRI.match(line)
    return found[0] if found else _DEFAULT_PRI


@lru_cache(maxsize=4_096)
def host_of(address: bytes) -> bytes:
    """Return a segment's address as text, b"" where the sender is not known."""
    if not any(address):
        return b""
    found = ipaddress.IPv6Address(address)
    return str(found.ipv4_mapped or found).encode("ascii")


def _moment(nanoseconds: int) -> datetime:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    whole = datetime.fromtimestamp(min(seconds, _LAST_SECOND), tz=UTC)
    return whole.replace(microsecond=rest // 1_000)
