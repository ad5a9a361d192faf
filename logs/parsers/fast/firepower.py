"""`%FTD-1-430003: Key: value, …`, all lines of a text at once.

Every comma is a place where a key may stand, and so is the end of the tag; `Keys` tells which hold
one. A line is taken when its keys leave no question: the first one stands behind the tag, none
stands where the reference would take it for text (`logs.parsers.firepower_keys`), none that is
wanted comes twice, and addresses, ports and the time of the first packet are written plainly.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import repeat
from typing import NamedTuple

import numpy as np

from logs.parsers.fast import numbers, stamps
from logs.parsers.fast.alike import MOST, alike, part
from logs.parsers.fast.found import ANYWHERE, Found, Words
from logs.parsers.fast.heads import Arrivals, heads_of
from logs.parsers.fast.keys import Keys
from logs.parsers.fast.numbers import Addresses
from logs.parsers.fast.stamps import Moments
from logs.parsers.fast.text import MARGIN, Array8, Array64, Bools, Index, Text, places
from logs.parsers.firepower_keys import BEGINS, FTD, KEYS, Stage

_COMMA, _SPACE, _PERCENT = (ord(letter) for letter in ", %")
_WANTED = (
    b"FirstPacketSecond", b"SrcIP", b"DstIP", b"SrcPort", b"DstPort",
    b"Protocol", b"AccessControlRuleAction", b"AccessControlRuleReason", b"AccessControlRuleName",
    b"SecIntMatchingIP", b"IPReputationSICategory", b"URLSICategory", b"DNSSICategory",
)  # fmt: skip
_FIRST_PACKET, _SOURCE, _DESTINATION, _SOURCE_PORT, _DESTINATION_PORT = range(5)
_WORDS = slice(5, len(_WANTED))  # what the reference says the meaning of
_TAGS = ((b"%FTD-", len(b"%FTD-1-430003: ")), (b"%NGIPS-", len(b"%NGIPS-1-430003: ")))
_MOST_BEFORE_TAG = 64  # bytes behind the stamp
_MOST_TOKENS = 64  # of a line; what has more is somebody's play
_ABSENT = -1

_KEYS = Keys(KEYS)
_NAME_BYTES = np.array([[len(key) + len(":")] for key in _WANTED], np.intp)


class _Tokens(NamedTuple):
    """What may be keys, in the order in which it stands, and a place behind it all."""

    before: Index  # the comma, or the colon of the tag
    at: Index
    number: Array8  # of the key, 0 where there is none; without the place behind


class _Fields(NamedTuple):
    """The wanted fields of some lines: a row for each field; width 0 where there is none."""

    at: Index
    width: Index
    on_wire: Array64  # which of them stand behind text from the wire, a bit for each
    sure: Bools  # for each line, whether its keys leave no question


def read(text: Text, arrivals: Arrivals) -> Found | None:
    """Return what plain lines of Firepower say."""
    if not (text.letters == _PERCENT).any():
        return None
    heads = heads_of(text, text.starts, arrivals)
    tag_end = _tag_ends(text, heads.end)
    tagged = tag_end > 0
    if not tagged.any():
        return None
    fields = _fields(text, _tokens(text, tag_end[tagged]), tag_end)
    sure = tagged & fields.sure & heads.sure
    sure &= (fields.width[_WORDS] <= MOST).all(axis=0)
    at, plain = _first_packets(text, fields, heads.at, arrivals)
    sure &= plain
    source, destination = _addresses(text, fields)
    sure &= source.plain & destination.plain
    ports, plain = _ports(text, fields)
    sure &= plain
    head = Words.of(
        [
            part(text, text.starts, heads.stamp - text.starts),
            part(text, heads.end, np.where(tagged, tag_end - heads.end, 0)),
        ]
    )
    body = Words.of(
        [
            *map(part, repeat(text), fields.at[_WORDS], fields.width[_WORDS]),
            fields.on_wire.reshape(-1, 1),
        ]
    )
    found = Found(
        np.arange(len(sure)), heads.stamp, heads.end, np.full(len(sure), ANYWHERE),
        at, source, destination, ports, head, body,
    )  # fmt: skip
    return found if sure.all() else found.only(np.flatnonzero(sure))


def _tag_ends(text: Text, at: Index) -> Index:
    """Return where the tag ends that stands somewhere behind these places; -1 where none does."""
    tag = at + text.reach(at, _PERCENT, _MOST_BEFORE_TAG)
    word = text.words(tag)
    end = np.full(len(at), -1, np.intp)
    for letters, size in _TAGS:
        kept = np.uint64((1 << 8 * len(letters)) - 1)
        is_such = word & kept == int.from_bytes(letters, "little")
        end = np.where(is_such, tag + size, end)
    return np.minimum(end, text.ends)


def _tokens(text: Text, tag_ends: Index) -> _Tokens:
    """Return what stands behind a comma or behind a tag, with or without a blank between."""
    may_stand = text.letters == _COMMA
    may_stand[tag_ends - len(": ")] = True
    before = places(may_stand)
    at = _past_blank(text, before + 1)
    number = _KEYS.find(text, at)
    end = len(text.letters) - MARGIN
    return _Tokens(np.append(before, end), np.append(at, end), number)


def _fields(text: Text, tokens: _Tokens, tag_end: Index) -> _Fields:
    """Return the wanted fields of lines with a tag.

    What stands behind each comma of a line, one number behind the other, is its skeleton. Lines by
    the thousand have the same few, so what a skeleton means is found out once, key by key.
    """
    first = np.searchsorted(tokens.before, text.starts)
    count = np.searchsorted(tokens.before, text.ends) - first
    sure = (count <= _MOST_TOKENS) & (tokens.before.take(first) == tag_end - len(": "))
    column = np.arange(-(-min(count.max(initial=1), _MOST_TOKENS) // 8) * 8)
    number = np.append(tokens.number, np.zeros(_MOST_TOKENS, np.uint8))
    skeletons = number.take(first[:, np.newaxis] + column)
    skeletons *= column < count[:, np.newaxis]
    kinds = alike(skeletons.view(np.uint64))
    judged = [_judge(skeletons[row].tobytes()) for row in kinds.first.tolist()]
    sure &= kinds.sure & np.array([one.sure for one in judged], np.bool_)[kinds.group]
    begin, end = (
        np.array(columns, np.intp).T.take(kinds.group, axis=1)
        for columns in ([one.begins for one in judged], [one.ends for one in judged])
    )
    on_wire = np.array([one.on_wire for one in judged], np.uint64)[kinds.group]
    at = _past_blank(text, tokens.at.take(first + np.maximum(begin, 0)) + _NAME_BYTES)
    width = np.minimum(tokens.before.take(first + end, mode="clip"), text.ends) - at
    width *= begin != _ABSENT
    return _Fields(at, width, on_wire, sure)


class _Judged(NamedTuple):
    """What a skeleton means; tokens are counted from 0."""

    begins: tuple[int, ...]  # for each wanted field its token, or `_ABSENT`
    ends: tuple[int, ...]  # the next one that is a key, or one behind them all
    on_wire: int  # which of them stand behind text from the wire, a bit for each
    sure: bool  # that the reference takes every key for one, and has no choice between two


@lru_cache(maxsize=4096)
def _judge(skeleton: bytes) -> _Judged:
    """Return which token of a skeleton is which field."""
    tokens = [token for token, number in enumerate(skeleton) if number]
    begins, ends = dict.fromkeys(_WANTED, _ABSENT), dict.fromkeys(_WANTED, _MOST_TOKENS)
    stage, on_wire, sure = Stage.MACHINE, 0, tokens[:1] == [0]
    for token, following in zip(tokens, [*tokens[1:], _MOST_TOKENS], strict=False):
        key = KEYS[skeleton[token] - 1]
        sure &= stage <= FTD.get(key, Stage.WIRE) and begins.get(key, _ABSENT) == _ABSENT
        stage = max(stage, BEGINS.get(key, Stage.MACHINE))
        if key in begins:
            begins[key], ends[key] = token, following
            on_wire |= (stage is Stage.WIRE) << _WANTED.index(key)
    return _Judged(tuple(begins.values()), tuple(ends.values()), on_wire, sure)


def _past_blank(text: Text, at: Index) -> Index:
    past: Index = at + (text.letters.take(at) == _SPACE)
    return past


def _first_packets(
    text: Text, fields: _Fields, else_at: Moments, arrivals: Arrivals
) -> tuple[Moments, Bools]:
    """Return the time of the first packet where it is given and believed, else `else_at`."""
    width = fields.width[_FIRST_PACKET]
    plain = (width == 0) | (width == stamps.ISO_BYTES)
    rows = np.flatnonzero(width == stamps.ISO_BYTES)
    moment, plain[rows] = stamps.iso(text, fields.at[_FIRST_PACKET, rows])
    at = else_at.copy()
    at[rows] = np.where(arrivals.of(rows).near(moment), moment, else_at[rows])
    return at, plain


def _addresses(text: Text, fields: _Fields) -> tuple[Addresses, Addresses]:
    """Return source and destination."""
    both, count = slice(_SOURCE, _DESTINATION + 1), len(fields.sure)
    found = numbers.addresses(text, fields.at[both].ravel(), fields.width[both].ravel())
    return found.only(slice(count)), found.only(slice(count, None))


def _ports(text: Text, fields: _Fields) -> tuple[Array64, Bools]:
    """Return both ports, 0 where none is given, and the lines in which what is given is plain."""
    both = slice(_SOURCE_PORT, _DESTINATION_PORT + 1)
    at, width = fields.at[both].ravel(), fields.width[both].ravel()
    port, plain = numbers.ports(text, at, width)
    first, second = plain.reshape(2, -1)
    return port.reshape(2, -1), first & second
