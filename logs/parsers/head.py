"""The head of a line: priority, time, host and program, in the shapes that senders really use.

Both functions are total: whatever they do not recognise they leave out. RFC 5424, RFC 3164, and
what Cisco and others make of the latter: a year in the stamp, a zone behind it, an ISO stamp, a
colon before or after the host, a sequence number in front, or no head at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_PRIORITY = re.compile(rb"<([0-9]{1,3})>")
_RFC5424 = re.compile(rb"1 (\S+) (\S+) (\S+) (\S+) (\S+) ")
# IOS numbers its messages, may name itself, and puts a sign before a time that it is not sure of.
_FRONT = re.compile(rb"(?:[0-9]+: (?:([A-Za-z0-9_][A-Za-z0-9_.-]{0,252}): )?)?:? ?[*.]?")
_STAMP = re.compile(
    rb"(?:[A-Z][a-z]{2} [ 0-9]?[0-9] (?:[0-9]{4} )?[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    rb"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}(?:Z|[+-][0-9]{2}:?[0-9]{2})?)"
)
# Not any word in capitals: what a rule writes before a line may be `DROP: `.
_ZONE = re.compile(rb"(?: (UTC|GMT|MSK|[A-Z]{2,3}T))?:? ")
_HOST = re.compile(rb" ?([A-Za-z0-9_][A-Za-z0-9_.:-]{0,252})(?: : ?|:? +)")
# Words that stand where a host would, and are none.
_TAG = re.compile(rb"%|SFIMS\b|kernel:|Alerts |[A-Za-z0-9_./-]{1,48}\[[0-9]+\]:|[a-z]+=")
_STRUCTURED = re.compile(rb'(?:-|(?:\[(?:[^\]"\\]|"(?:[^"\\]|\\.)*+"|\\.)*+\])++) ?')
_MARK = b"\xef\xbb\xbf"  # may stand before a message (RFC 5424, 6.4)
_BETWEEN = re.compile(rb"[ :]*")
_PROGRAM = re.compile(rb"(?:([A-Za-z0-9_./-]{1,48})\[[0-9]{1,10}\]|(kernel)): ?")
_MOST_HEAD = 512  # bytes; no head is longer


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of a line says; "" and None for what it does not say."""

    priority: int | None
    stamp: str  # as written
    zone: str  # the word behind the stamp, such as "UTC"
    host: str
    program: str  # RFC 5424 only
    is_rfc5424: bool
    body_at: int  # where the head ends


class Stamp(NamedTuple):
    """A time as a line writes it, and the word for its zone that stands behind."""

    text: str
    zone: str = ""


class _Time(NamedTuple):
    """A time in a head."""

    end: int
    stamp: Stamp
    host: str  # that stood before it


class Start(NamedTuple):
    """Where the message of a line begins, and what stood before it."""

    stamps: tuple[Stamp, ...]  # the nearest to the message first
    program: str  # that wrote it, "" where none is named
    at: int


def parse(line: bytes) -> Head:
    """Return what the head of `line` says. Never raises."""
    head = line[:_MOST_HEAD]
    priority = _PRIORITY.match(head)
    value = int(priority[1]) if priority and int(priority[1]) <= 191 else None
    at = priority.end() if priority and value is not None else 0
    if full := _RFC5424.match(head, at):
        stamp, host, program = ("" if part == b"-" else _text(part) for part in full.groups()[:3])
        return Head(value, stamp, "", host, program, is_rfc5424=True, body_at=full.end())
    time = _time(head, at)
    at, host = _host(head, time.end, has_stamp=bool(time.stamp.text))
    return Head(value, time.stamp.text, time.stamp.zone, host or time.host, "",
                is_rfc5424=False, body_at=at)  # fmt: skip


def start(line: bytes) -> Start:
    """Return where the message begins: behind a relay's head too, and behind a program's name."""
    first = parse(line)
    stamps, at, program = [Stamp(first.stamp, first.zone)], first.body_at, first.program
    if first.is_rfc5424 and (structured := _STRUCTURED.match(line, at)):
        at = structured.end()
        at += len(_MARK) if line.startswith(_MARK, at) else 0
    at, inner = _inner(line, at)
    if inner is not None:
        stamps.insert(0, inner)
    at = _past(_BETWEEN, line, at)
    if named := _PROGRAM.match(line, at):
        program = _text(named[1] or named[2])
        at = _past(_BETWEEN, line, named.end())
    return Start(tuple(stamp for stamp in stamps if stamp.text), program, at)


def _inner(line: bytes, at: int) -> tuple[int, Stamp | None]:
    """Return where a second head ends, that of the firewall behind a relay's, and its time."""
    part = line[at : at + _MOST_HEAD]
    begin = _past(_BETWEEN, part, 0)
    behind = _past(_PRIORITY, part, begin)
    time = _time(part, behind)
    if not time.stamp.text and behind == begin:
        return at, None
    end, _ = _host(part, time.end, has_stamp=bool(time.stamp.text))
    return at + end, time.stamp


def _past(pattern: re.Pattern[bytes], line: bytes, at: int) -> int:
    found = pattern.match(line, at)
    return found.end() if found else at


def _time(head: bytes, at: int) -> _Time:
    """Return the time that stands at `at`, one without text and of no length where none does."""
    front = _FRONT.match(head, at)
    stamp = _STAMP.match(head, front.end() if front else at)
    if stamp is None:
        return _Time(at, Stamp(""), "")
    host = _text(front[1] or b"") if front else ""
    zone = _ZONE.match(head, stamp.end())
    if zone is None:
        return _Time(stamp.end(), Stamp(_text(stamp[0])), host)
    return _Time(zone.end() - 1, Stamp(_text(stamp[0]), _text(zone[1] or b"")), host)


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
