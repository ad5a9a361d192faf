"""Kernel lines of iptables and nftables, by the order in which the kernel writes its fields.

    <prefix>IN=… OUT=… [PHYSIN=…] [MAC=…] SRC=… DST=… LEN=… … PROTO=… [SPT=… DPT=…] …

The prefix may be anything, even `SRC=`: of what looks like the kernel's fields the last counts,
for the prefix comes first. Behind them an ICMP error carries the packet that it is about in
brackets, which is not the packet that was logged, so reading ends there.

What became of the packet only the prefix can say. The last word of a verdict in it counts
(`ThreatSTOP-TSblock`, `SFW2-INext-DROP-DEFLT`, `[UFW LIMIT BLOCK]`, `[WAN_IN-10-A]`); a prefix
without one is taken as allowed, for a report must not claim a drop that nobody stated.
"""

from __future__ import annotations

import re

from logs.parsers import fields
from logs.parsers.base import NO_CONNECTION, NOT_OURS, Action, Arrival, Event, Miss
from logs.parsers.head import start
from logs.parsers.times import when

# A line of any other program only quotes one, and what it quotes others may have written.
_WRITERS = frozenset({"", "kernel", "klogd", "ulogd", "ulogd2"})
_UPTIME = re.compile(rb"\[ *[0-9]+\.[0-9]+\] ?")
_LAST = rb"(.*)(?<!PHYS)"
# Names and values have bounds, so that no line takes long to refuse.
_INTERFACES = re.compile(_LAST + rb"IN=\S{0,32} {1,2}OUT=", re.DOTALL)
_PACKET = re.compile(
    _LAST + rb"IN=\S{0,32} OUT=\S{0,32} (?:[A-Z]{2,9}=\S{0,768} ){0,8}?"
    rb"SRC=(\S{2,45}) DST=(\S{2,45}) (?=LEN=)([^\[]*)",
    re.DOTALL,
)
_PROTOCOL = re.compile(rb" PROTO=(\S{1,16})(?: SPT=(\S{1,16}) DPT=(\S{1,16}))?")
_VERDICT = re.compile(
    rb"(drop|block|deny|denied|reject|discard|prohibit|-[DR]\])"
    rb"|accept|allow|permit|\bpass\b|\bacc\b|-A\]",
    re.IGNORECASE,
)


def parse(line: bytes, arrival: Arrival) -> Event | Miss:
    """Return what the line says; never raises."""
    begin = start(line)
    if begin.program not in _WRITERS or not _INTERFACES.match(line, begin.at):
        return NOT_OURS
    uptime = _UPTIME.match(line, begin.at)
    packet = _PACKET.match(line, uptime.end() if uptime else begin.at)
    if packet is None:
        return NO_CONNECTION
    source, destination = fields.address(packet[2]), fields.address(packet[3])
    if source is None or destination is None:
        return NO_CONNECTION
    found = _PROTOCOL.search(packet[4])
    kind, *ports = found.groups() if found else (None, None, None)
    protocol = fields.protocol(kind)
    return Event(
        when(arrival, *begin.stamps), source, destination, *fields.ports(protocol, *ports),
        protocol, action_of(packet[1]), said=fields.name(packet[1]),
    )  # fmt: skip


def action_of(prefix: bytes) -> Action:
    """Return what became of a packet by what the rule wrote before it."""
    verdicts = _VERDICT.findall(prefix)
    return Action.DROPPED if verdicts and verdicts[-1] else Action.ALLOWED
