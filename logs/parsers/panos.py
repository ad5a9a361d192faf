"""PAN-OS: the TRAFFIC and THREAT logs, comma-separated, with quotes where a field needs them.

Fields count from the front (PAN-OS "Traffic Log Fields", "Threat Log Fields"); versions add to the
end. What a user sent (URL, file name) stands behind all that is read here. A TRAFFIC line is a drop
where its action or its subtype says so; a THREAT line that only alerts is monitored, but for the
URL log, in which `alert` marks every page of a category that the site wants to see.
"""

from __future__ import annotations

import re

from logs.parsers import fields
from logs.parsers.base import NO_CONNECTION, NOT_OURS, Action, Arrival, Event, Miss
from logs.parsers.head import Stamp, start
from logs.parsers.times import when

_OURS = re.compile(rb"[0-9]{0,8},([0-9/: TZ.+-]{0,35}),[^,]{0,48},(TRAFFIC|THREAT),")
_FIELD = re.compile(rb'(?:"((?:[^"]|"")*+)"|([^",][^,]*+|))(?:,|\Z)')
_SUBTYPE, _MADE, _SOURCE, _DESTINATION, _RULE = 4, 6, 7, 8, 11
_SOURCE_PORT, _DESTINATION_PORT, _PROTOCOL, _ACTION = 24, 25, 29, 30
_DROPPING = re.compile(rb"deny|drop|block|reset|sinkhole|random-drop", re.IGNORECASE)


def parse(line: bytes, arrival: Arrival) -> Event | Miss:
    """Return what the line says; never raises."""
    begin = start(line)
    ours = _OURS.match(line, begin.at)
    if ours is None:
        return NOT_OURS
    said = _fields(line, begin.at)
    if len(said) <= _ACTION:
        return NO_CONNECTION
    source, destination = fields.address(said[_SOURCE]), fields.address(said[_DESTINATION])
    if source is None or destination is None:
        return NO_CONNECTION
    protocol = fields.protocol(said[_PROTOCOL])
    stamps = (_stamp(said[_MADE]), _stamp(ours[1]), *begin.stamps)
    return Event(
        when(arrival, *stamps), source, destination,
        *fields.ports(protocol, said[_SOURCE_PORT], said[_DESTINATION_PORT]), protocol,
        _action(ours[2], said[_SUBTYPE], said[_ACTION]), said=fields.name(said[_RULE]),
    )  # fmt: skip


def _fields(line: bytes, at: int) -> list[bytes]:
    """Return the fields up to the action, fewer where the line is shorter or its quotes are off."""
    found: list[bytes] = []
    while len(found) <= _ACTION and (field := _FIELD.match(line, at)):
        found.append(field[2] if field[1] is None else field[1].replace(b'""', b'"'))
        at = field.end()
        if at == len(line):
            break
    return found


def _stamp(text: bytes) -> Stamp:
    return Stamp(text.decode("ascii", "replace"))


def _action(kind: bytes, subtype: bytes, action: bytes) -> Action:
    if _DROPPING.search(action) or (kind == b"TRAFFIC" and _DROPPING.search(subtype)):
        return Action.DROPPED
    if kind == b"THREAT" and action.lower() == b"alert" and subtype.lower() != b"url":
        return Action.MONITORED
    return Action.ALLOWED
