"""Firepower and FTD in their three bodies.

* `%FTD-1-430002: Key: value, …` and `%NGIPS-…` (6.3 and later)
* `SFIMS: Protocol: TCP, SrcIP: …` (6.x)
* `SFIMS: [engine][policy] Connection Type: …, {TCP} a:p -> b:q` (5.x, 6.0)

430002 and 430003 are connections, at their begin and at their end; intrusions, files and malware
(430001, 430004, 430005) are none: the connection that bore them has its own line. How a key inside
of a value is told from a real one is said in `firepower_keys`; with it `, SrcIP: 192.0.2.1` in a
URL, in a user agent or in the name of a rule changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from logs.parsers import fields
from logs.parsers.base import NO_CONNECTION, NOT_OURS, Arrival, Event, Miss
from logs.parsers.cisco import EVENTS, WORD, tag_at
from logs.parsers.firepower_keys import FTD, SFIMS, Stage, pairs
from logs.parsers.firepower_legacy import parse_body
from logs.parsers.firepower_verdict import claim_of, judge
from logs.parsers.head import Stamp, start
from logs.parsers.times import when

_SFIMS = re.compile(WORD + rb"(?:SFIMS ?: ?(?=(\[)?)|(?=Protocol: [^,]{1,32}, ?SrcIP: ))")
_CONNECTIONS = frozenset({b"430002", b"430003"})

# Of these no value holds a comma: what follows one belongs to a key that is not known yet.
_BARE = (b"SrcIP", b"DstIP", b"SrcPort", b"DstPort", b"Protocol", b"FirstPacketSecond")


def parse(line: bytes, arrival: Arrival) -> Event | Miss:
    """Return what the line says; never raises."""
    begin = start(line)
    if tag := tag_at(line, begin.at):
        if not tag.number.startswith(EVENTS):
            return NOT_OURS
        if tag.number not in _CONNECTIONS:
            return NO_CONNECTION
        return _of_pairs(line[tag.body_at :], FTD, begin.stamps, arrival)
    if older := _SFIMS.match(line, begin.at):
        body = line[older.end() :]
        if older[1]:
            return parse_body(body, begin.stamps, arrival)
        return _of_pairs(body, SFIMS, begin.stamps, arrival)
    return NOT_OURS


def _of_pairs(
    body: bytes, until: Mapping[bytes, Stage], stamps: tuple[Stamp, ...], arrival: Arrival
) -> Event | Miss:
    found = pairs(body, until)
    sure = found.sure
    source, destination, *ports, number, first = (
        sure.get(key, b"").partition(b",")[0] for key in _BARE
    )
    near, far = fields.address(source), fields.address(destination)
    if near is None or far is None:
        return NO_CONNECTION
    protocol = fields.protocol(number)
    verdict = judge(
        action=sure.get(b"AccessControlRuleAction", b""),
        reason=sure.get(b"AccessControlRuleReason", b""),
        rule=sure.get(b"AccessControlRuleName", b""),
        claim=claim_of(found),
    )
    packet = Stamp(first.decode("ascii", "replace"), "UTC")
    return Event(
        when(arrival, packet, *stamps), near, far, *fields.ports(protocol, *ports), protocol,
        verdict.action, verdict.side, verdict.said,
    )  # fmt: skip
