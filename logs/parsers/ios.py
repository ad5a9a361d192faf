"""IOS routers, where an entry of an access list says `log`: `%SEC-6-IPACCESSLOGP: list 102 …`."""

from __future__ import annotations

import re

from logs.parsers import fields
from logs.parsers.base import NO_CONNECTION, NOT_OURS, Action, Arrival, Event, Miss
from logs.parsers.head import start
from logs.parsers.times import when

_TAG = re.compile(rb"%(?:SEC|FMANFP|IPV6_ACL)-6-(?:IP)?ACCESSLOG[A-Z]{1,3} ?: ")
_END = rb"([0-9A-Fa-f.:]{2,45})(?:\(([0-9]{1,5})\))?"
_LIST = re.compile(
    rb"(?:[^:]{1,64}: {1,2}){0,2}list (\S{1,128}) (denied|permitted) (\S{1,24}) "
    + _END + rb"[^>]{0,64}-> " + _END
)  # fmt: skip


def parse(line: bytes, arrival: Arrival) -> Event | Miss:
    """Return what the line says; never raises."""
    begin = start(line)
    tag = _TAG.match(line, begin.at)
    if tag is None:
        return NOT_OURS
    found = _LIST.match(line, tag.end())
    source = fields.address(found[4]) if found else None
    destination = fields.address(found[6]) if found else None
    if found is None or source is None or destination is None:
        return NO_CONNECTION
    protocol = fields.protocol(found[3])
    return Event(
        when(arrival, *begin.stamps), source, destination,
        *fields.ports(protocol, found[5], found[7]), protocol,
        Action.DROPPED if found[2] == b"denied" else Action.ALLOWED, said=fields.name(found[1]),
    )  # fmt: skip
