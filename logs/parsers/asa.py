"""ASA, and what FTD, PIX and FWSM write in its manner: `%ASA-4-106023: Deny tcp src …`.

Each message that tells of a connection has its own form, and is told by its number alone. Where a
name stands in place of an address the line is no connection. A connection is counted when it is
built (302013, 302015, 302020), so its teardown is none.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from logs.parsers import fields
from logs.parsers.base import NO_CONNECTION, NOT_OURS, Action, Arrival, Event, Miss, Side
from logs.parsers.cisco import EVENTS, tag_at
from logs.parsers.head import start
from logs.parsers.times import when

_USER = rb"(?: ?\([^()]{0,256}\)){0,3}"  # mapped addresses, users, tags of groups


def _end(name: bytes, interface: bytes = b"") -> bytes:
    """Return the pattern of `address/port`; `interface` is what stands before it."""
    address = rb"\(?(?P<" + name + rb">[^\s/(),]{2,45})\)?"
    return interface + address + rb"(?:/(?P<" + name + rb"_port>[0-9]{1,5}))?" + _USER


_IF = rb"[^\s:]{1,64}:"
_PROTOCOL = rb"(?P<protocol>[^\s]{1,24})"
_BARE = rb" from " + _end(b"source") + rb" to " + _end(b"destination")
_TO_NAMED = rb" from " + _end(b"source") + rb" to " + _end(b"destination", _IF)
_NAMED = rb" from " + _end(b"source", _IF) + rb" to " + _end(b"destination", _IF)
_SRC_DST = (
    rb"(?:protocol )?" + _PROTOCOL + rb" src " + _end(b"source", _IF)
    + rb" dst " + _end(b"destination", _IF)
)  # fmt: skip
_LISTED = rb"(?P<%b>[^\s/(),]{2,45})\((?P<%b_port>[0-9]{1,5})\)" + _USER


class _Form(NamedTuple):
    """How a message is written, and what became of the connection where no word in it says."""

    pattern: re.Pattern[bytes]
    action: Action


def _form(pattern: bytes, action: Action = Action.DROPPED) -> _Form:
    return _Form(re.compile(pattern), action)


_DENY = _form(rb"Deny (?:inbound (?:\(No xlate\) )?)?" + _SRC_DST
              + rb'(?:.{0,64}? by access-group "(?P<said>[^"]*)")?')  # fmt: skip
_DENY_FROM = _form(rb"(?:Inbound |Deny (?:inbound )?)" + _PROTOCOL + rb".{0,64}?" + _BARE)
_ACCESS_LIST = _form(
    rb"access-list (?P<said>\S{1,241}) (?P<word>permitted|denied|est-allowed) " + _PROTOCOL
    + rb" (?:for user .{1,128}? )?[^\s/]{1,64}/" + _LISTED % (b"source", b"source")
    + rb" -> [^\s/]{1,64}/" + _LISTED % (b"destination", b"destination")
)  # fmt: skip
_BUILT = _form(
    rb"Built (?P<way>in|out)bound " + _PROTOCOL + rb" connection [0-9]+ for "
    + _end(b"source", _IF) + rb" to " + _end(b"destination", _IF),
    Action.ALLOWED,
)  # fmt: skip
_BUILT_ICMP = _form(
    rb"Built (?P<way>in|out)bound " + _PROTOCOL + rb" connection for faddr " + _end(b"source")
    + rb" gaddr [^\s()]{2,64}" + _USER + rb" laddr " + _end(b"destination"),
    Action.ALLOWED,
)  # fmt: skip
_BOTNET = _form(
    rb"Dynamic (?:Filter|filter) (?P<word>\w{1,16}) (?P<said>\w{1,16}) " + _PROTOCOL
    + rb" traffic" + _NAMED
    + rb"(?:, (?P<side>source|destination)\b)?(?:.*, category: (?P<category>.*))?",
    Action.ALLOWED,
)  # fmt: skip
_TO_BOX = _form(_PROTOCOL + rb" (?:access|request|connection).{0,64}?" + _TO_NAMED)

_FORMS: dict[bytes, _Form] = {
    **dict.fromkeys((b"106010", b"106011", b"106014", b"106023"), _DENY),
    **dict.fromkeys((b"106001", b"106006", b"106007", b"106012", b"106015", b"106016", b"106017",
                     b"106020", b"106021", b"106022"), _DENY_FROM),
    **dict.fromkeys((b"106100", b"106102", b"106103"), _ACCESS_LIST),
    **dict.fromkeys((b"302013", b"302015"), _BUILT),
    b"302020": _BUILT_ICMP,
    b"305013": _form(rb"Asymmetric NAT rules matched .{0,64}?Connection for " + _SRC_DST),
    b"313004": _form(
        rb"Denied (?P<protocol>ICMP(?:v6)?) type=[0-9]+.{0,32}? from (?:laddr )?"
        rb"(?P<source>[^\s/(),]{2,45}) on interface \S{1,64} to "
        rb"(?P<destination>[^\s/(),]{2,45}?): ?no matching session"
    ),
    b"313005": _form(rb"No matching connection for ICMP error message: " + _SRC_DST),
    **dict.fromkeys((b"338001", b"338002", b"338003", b"338004", b"338005", b"338006", b"338007",
                     b"338008", b"338101", b"338102", b"338103", b"338104", b"338201", b"338202",
                     b"338203", b"338204"), _BOTNET),
    b"401004": _form(rb"Shunned packet: (?P<source>[^\s/(),]{2,45}) ?={1,2}>? ?"
                     rb"(?P<destination>[^\s/(),]{2,45}) on interface"),
    b"419001": _form(rb"Dropping " + _PROTOCOL + rb" packet" + _NAMED),
    **dict.fromkeys((b"710001", b"710002"), _TO_BOX._replace(action=Action.ALLOWED)),
    **dict.fromkeys((b"710003", b"710004", b"710005", b"710006"), _TO_BOX),
}  # fmt: skip
_WORDS = {
    b"denied": Action.DROPPED, b"dropped": Action.DROPPED, b"monitored": Action.MONITORED,
    b"permitted": Action.ALLOWED, b"est-allowed": Action.ALLOWED,
}  # fmt: skip
_SIDES = {b"source": Side.SOURCE, b"destination": Side.DESTINATION}


def parse(line: bytes, arrival: Arrival) -> Event | Miss:
    """Return what the line says; never raises."""
    begin = start(line)
    tag = tag_at(line, begin.at)
    if tag is None or tag.number.startswith(EVENTS):
        return NOT_OURS
    form = _FORMS.get(tag.number)
    found = form.pattern.match(line, tag.body_at) if form else None
    if form is None or found is None:
        return NO_CONNECTION
    said = {key: value for key, value in found.groupdict().items() if value is not None}
    source, destination = fields.address(said["source"]), fields.address(said["destination"])
    if source is None or destination is None:
        return NO_CONNECTION
    protocol = fields.protocol(said.get("protocol"))
    source_port, destination_port = fields.ports(
        protocol, said.get("source_port"), said.get("destination_port")
    )
    if said.get("way") == b"out":  # the far end is named first, whoever began
        source, destination = destination, source
        source_port, destination_port = destination_port, source_port
    return Event(
        when(arrival, *begin.stamps), source, destination, source_port, destination_port, protocol,
        _WORDS.get(said.get("word", b""), form.action),
        _SIDES.get(said.get("side", b""), Side.UNSAID),
        fields.name(said.get("category") or said.get("said") or b""),
    )  # fmt: skip
