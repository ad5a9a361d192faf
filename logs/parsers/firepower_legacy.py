"""The body of Firepower 5.x and 6.0: `[engine][policy] Connection Type: …, {TCP} a:p -> b:q`.

The URL stands in the middle. What stands before it is read from the front, first come first
served; what stands behind it, Security Intelligence and both ends, is read from the back. So
nothing in a URL is ever taken for one of them.
"""

from __future__ import annotations

import re

from logs.parsers import fields
from logs.parsers.base import NO_CONNECTION, Arrival, Event, Miss
from logs.parsers.firepower_verdict import Claim, judge
from logs.parsers.head import Stamp
from logs.parsers.times import when

_BODY = re.compile(rb"\[[^\]]{0,256}\]\[[^\]]{0,256}\] Connection Type: ")
_ENDS = re.compile(rb"\{([^{}]{1,24})\} (\S{2,64}) -> (\S{2,64})\s*\Z")
_RULE, _ACTION = b", Firewall Rule Name: ", b", Firewall Rule Action: "
_REASONS, _URL_CATEGORY = b", Firewall Rule Reasons: ", b", URL Category: "
_SIDE, _CATEGORY = b", Security Intelligence Matching IP: ", b", Security Intelligence Category: "


def parse_body(body: bytes, stamps: tuple[Stamp, ...], arrival: Arrival) -> Event | Miss:
    """Return what a body says, NO_CONNECTION where it tells of something else."""
    ends_at = body.rfind(b"{")
    ends = _ENDS.match(body, ends_at) if ends_at >= 0 else None
    if ends is None or not _BODY.match(body):
        return NO_CONNECTION
    number = fields.protocol(ends[1])
    source, source_port = _end(ends[2], number)
    destination, destination_port = _end(ends[3], number)
    if source is None or destination is None:
        return NO_CONNECTION
    verdict = judge(
        action=_between(body, _ACTION, _REASONS),
        reason=_between(body, _REASONS, _URL_CATEGORY),
        rule=_between(body, _RULE, _ACTION),
        claim=_claim(body[:ends_at]),
    )
    return Event(
        when(arrival, *stamps), source, destination,
        *fields.ports(number, source_port, destination_port),
        number, verdict.action, verdict.side, verdict.said,
    )  # fmt: skip


def _claim(front: bytes) -> Claim:
    side_at = front.rfind(_SIDE)
    category_at = front.rfind(_CATEGORY)
    if not 0 <= side_at < category_at:
        return Claim()
    side = front[side_at + len(_SIDE) : category_at]
    return Claim(side.strip(), front[category_at + len(_CATEGORY) :].strip(b", "))


def _between(body: bytes, key: bytes, following: bytes) -> bytes:
    """Return the value of the first `key`: up to `following`, else to the next comma."""
    at = body.find(key)
    if at < 0:
        return b""
    begin = at + len(key)
    end = body.find(following, begin)
    return body[begin:end] if end >= 0 else body[begin:].partition(b", ")[0]


def _end(text: bytes, protocol: int) -> tuple[int | None, bytes]:
    """Return address and port of `address:port`; of a protocol without ports either form."""
    host, colon, port = text.rpartition(b":")
    if protocol in fields.WITH_PORTS and colon and (found := fields.address(host)) is not None:
        return found, port
    whole = fields.address(text)
    return (whole, b"") if whole is not None else (fields.address(host), port)
