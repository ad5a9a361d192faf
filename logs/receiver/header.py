"""The head of a line: priority, time and host, in the shapes that senders really use.

`parse` is total: whatever it does not recognise it leaves out. RFC 5424, RFC 3164, and what Cisco
and others make of the latter: a year in the stamp, a zone behind it, an ISO stamp, a colon before
or after the host, a sequence number in front, or no head at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PRIORITY = re.compile(rb"<([0-9]{1,3})>")
_RFC5424 = re.compile(rb"1 (\S+) (\S+) (\S+) (\S+) (\S+) ")
# IOS numbers its messages, and puts a sign before a time that it is not sure of.
_FRONT = re.compile(rb"(?:[0-9]+: )?:? ?[*.]?")
_STAMP = re.compile(
    rb"(?:[A-Z][a-z]{2} [ 0-9]?[0-9] (?:[0-9]{4} )?[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    rb"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}(?:Z|[+-][0-9]{2}:?[0-9]{2})?)"
)
_ZONE = re.compile(rb"(?: (?:UTC|GMT|[A-Z]{3,4}))?:? ")
_HOST = re.compile(rb" ?([A-Za-z0-9_][A-Za-z0-9_.:-]{0,252})(?: : ?|:? +)")
# Words that stand where a host would, and are none.
_TAG = re.compile(rb"%|SFIMS\b|kernel:|Alerts |[A-Za-z0-9_./-]{1,48}\[[0-9]+\]:|[a-z]+=")
_DEVICE = re.compile(rb"DeviceUUID: ([0-9A-Fa-f-]{36})")
_MOST_HEAD = 512  # bytes; no head is longer


@dataclass(frozen=True, slots=True)
class Record:
    """What the head of a line says; "" and None for what it does not say."""

    priority: int | None
    stamp: str  # as written
    host: str
    device_uuid: str
    is_rfc5424: bool
    body_at: int  # where the head ends

    @property
    def names(self) -> frozenset[str]:
        """What the line calls its device: the host, its first label, the DeviceUUID."""
        found = {self.host, self.host.partition(".")[0], self.device_uuid}
        return frozenset(name.lower() for name in found if name)


def parse(line: bytes) -> Record:
    """Return what the head of `line` says. Never raises."""
    head = line[:_MOST_HEAD]
    priority = _PRIORITY.match(head)
    value = int(priority[1]) if priority and int(priority[1]) <= 191 else None
    at = priority.end() if priority and value is not None else 0
    uuid = _DEVICE.search(line)
    device = _text(uuid[1]) if uuid else ""
    if full := _RFC5424.match(head, at):
        stamp, host = (_text(part) if part != b"-" else "" for part in full.groups()[:2])
        return Record(value, stamp, host, device, is_rfc5424=True, body_at=full.end())
    at, stamp = _stamp(head, at)
    at, host = _host(head, at, has_stamp=bool(stamp))
    return Record(value, stamp, host, device, is_rfc5424=False, body_at=at)


def _stamp(head: bytes, at: int) -> tuple[int, str]:
    """Return where the time ends, and the time; "" and `at` where there is none."""
    front = _FRONT.match(head, at)
    begin = front.end() if front else at
    stamp = _STAMP.match(head, begin)
    if stamp is None:
        return at, ""
    end = stamp.end()
    zone = _ZONE.match(head, end)
    return (zone.end() - 1 if zone else end), _text(stamp[0])


def _host(head: bytes, at: int, *, has_stamp: bool) -> tuple[int, str]:
    """Return where the host ends, and the host; "" where a tag or two blanks stand instead."""
    found = None if head[at : at + 2] == b"  " else _HOST.match(head, at)
    if found is None or _TAG.match(head, found.start(1)):
        return at, ""
    is_tag = head[found.end(1) - 1 : found.end(1)] == b":"
    name = found[1].rstrip(b":")
    follows_tag = _TAG.match(head, found.end()) is not None
    # Without a time in front only a host before a known tag can be told from the first word.
    if (is_tag or not has_stamp) and not follows_tag:
        return at, ""
    return found.end(), _text(name)


def _text(part: bytes) -> str:
    return part.decode("ascii", "replace")
