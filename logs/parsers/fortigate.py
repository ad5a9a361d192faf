"""FortiGate: `key=value` and `key="value"`, parted by blanks or commas; traffic and utm logs.

Pairs are read one after the other from the front, and a quoted value ends at its own quote, so
`" srcip=192.0.2.1` can stand in a URL or a user agent only with its quote escaped, and is text. A
key that comes again never overrides the first one; where pairs stop, reading stops.
"""

from __future__ import annotations

import re

from logs.parsers import fields
from logs.parsers.base import NO_CONNECTION, NOT_OURS, Action, Arrival, Event, Miss
from logs.parsers.head import Stamp, start
from logs.parsers.times import when

_PAIR = re.compile(
    rb'([A-Za-z_][A-Za-z0-9_-]{0,31})=(?:"((?:[^"\\]|\\.)*+)"|([^\s",]*+))(?:[ ,]+|\s*\Z)',
    re.DOTALL,
)
_FIRST = frozenset({b"date", b"time", b"logver", b"timestamp", b"devname", b"devid", b"itime"})
_TYPES = frozenset({b"traffic", b"utm"})
_DROPPING = re.compile(rb"deny|denied|block|drop|reset|clear_session|violation|redirect")
_WATCHING = frozenset({b"detected", b"monitored"})


def parse(line: bytes, arrival: Arrival) -> Event | Miss:
    """Return what the line says; never raises."""
    begin = start(line)
    first = _PAIR.match(line, begin.at)
    if first is None or first[1] not in _FIRST:
        return NOT_OURS
    said = _pairs(line, begin.at)
    if b"devid" not in said and b"logid" not in said:
        return NOT_OURS
    source = fields.address(said.get(b"srcip", b""))
    destination = fields.address(said.get(b"dstip", b""))
    if said.get(b"type") not in _TYPES or source is None or destination is None:
        return NO_CONNECTION
    protocol = fields.protocol(said.get(b"proto"))
    return Event(
        when(arrival, *_stamps(said), *begin.stamps), source, destination,
        *fields.ports(protocol, said.get(b"srcport"), said.get(b"dstport")),
        protocol, _action(said), said=_rule(said),
    )  # fmt: skip


def _pairs(line: bytes, at: int) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    while pair := _PAIR.match(line, at):
        found.setdefault(pair[1], pair[3] if pair[2] is None else pair[2])
        at = pair.end()
    return found


def _stamps(said: dict[bytes, bytes]) -> tuple[Stamp, ...]:
    date, clock, zone = (said.get(key, b"") for key in (b"date", b"time", b"tz"))
    return tuple(
        Stamp(text.decode("ascii", "replace"))
        for text in (said.get(b"eventtime", b""), date + b"T" + clock + zone, date + b"T" + clock)
    )


def _action(said: dict[bytes, bytes]) -> Action:
    """Return what became of it: a session that was accepted may still be ended by an inspection."""
    action, inspected = (said.get(key, b"").lower() for key in (b"action", b"utmaction"))
    if _DROPPING.search(action) or _DROPPING.search(inspected):
        return Action.DROPPED
    return Action.MONITORED if action in _WATCHING else Action.ALLOWED


def _rule(said: dict[bytes, bytes]) -> str:
    number = said.get(b"policyid", b"")
    return fields.name(said.get(b"policyname") or (b"policy " + number if number else b""))
