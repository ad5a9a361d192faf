"""What became of a connection by Firepower's words, and which list it matched.

A hit of Security Intelligence is known by the reason (`IP Block`, `DNS Monitor`, …) or by the
category that names the list, never by the message's number or its action alone: what is only
monitored is logged at its end, with the action of whatever rule then handled it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from logs.parsers.base import Action, Side
from logs.parsers.fields import name
from logs.parsers.firepower_keys import Pairs

_REASON = re.compile(rb"\b(IP|DNS|URL) (Block|Monitor)\b", re.IGNORECASE)
# "Domain Not Found" and "Sinkhole" are answers of a DNS policy to a name on its list.
_DROPPING = re.compile(rb"block|reset|sinkhole|not found|deny|drop", re.IGNORECASE)
_CATEGORIES = {b"ip": b"IPReputationSICategory", b"dns": b"DNSSICategory", b"url": b"URLSICategory"}
_SIDES = {b"source": Side.SOURCE, b"destination": Side.DESTINATION}
_NOTHING = frozenset({b"", b"none", b"unknown", b"n/a"})


class Verdict(NamedTuple):
    """The part of an event that says what became of it, and why."""

    action: Action
    side: Side
    said: str


class Claim(NamedTuple):
    """What a line says of Security Intelligence: which end matched which category."""

    side: bytes = b""
    category: bytes = b""


def judge(action: bytes, reason: bytes, rule: bytes, claim: Claim) -> Verdict:
    """Return the verdict of a line's own words."""
    reasons = {found[2].lower() for found in _REASON.finditer(reason)}
    category = b"" if claim.category.lower() in _NOTHING else claim.category
    is_hit = bool(reasons or category)
    # An action and an end hold no comma: what follows one belongs to a key that is not known yet.
    if b"block" in reasons or _DROPPING.search(action.partition(b",")[0]):
        became = Action.DROPPED
    else:
        became = Action.MONITORED if is_hit else Action.ALLOWED
    if not is_hit:
        return Verdict(became, Side.UNSAID, name(rule))
    side = claim.side.partition(b",")[0].lower()
    return Verdict(became, _SIDES.get(side, Side.UNSAID), name(category))


def claim_of(pairs: Pairs) -> Claim:
    """Return what a key/value body says of Security Intelligence.

    Behind text from the wire a field is believed only where the reason, which stands before any
    such text, says that there is a hit, and where just one field claims to be it.
    """
    reason = pairs.sure.get(b"AccessControlRuleReason", b"")
    kinds = [found[1].lower() for found in _REASON.finditer(reason)]
    for kind in kinds or _CATEGORIES:
        category = _believed(pairs, _CATEGORIES[kind], is_hit=bool(kinds))
        if category:
            return Claim(_believed(pairs, b"SecIntMatchingIP", is_hit=bool(kinds)), category)
    return Claim(_believed(pairs, b"SecIntMatchingIP", is_hit=bool(kinds)))


def _believed(pairs: Pairs, key: bytes, *, is_hit: bool) -> bytes:
    if key in pairs.sure:
        return pairs.sure[key]
    claims = pairs.doubtful.get(key, [])
    return claims[0] if is_hit and len(claims) == 1 else b""
