"""From the lists of a policy to what is blocked: union, cuts, guard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsets.cidr import AddressSet, union
from netsets.guard import Guard, GuardTripped, check_change, check_size
from netsets.special import DOCUMENTATION, SPECIAL_PURPOSE

_WITHOUT_DOCUMENTATION = SPECIAL_PURPOSE - DOCUMENTATION


@dataclass(frozen=True, slots=True)
class Cut:
    """How many addresses were taken out of the block list, and why."""

    reason: str  # "special-purpose", "protected" or "allowed"
    addresses: int


@dataclass(frozen=True, slots=True)
class Compiled:
    """The two lists of a policy, ready to be published."""

    block: AddressSet
    allow: AddressSet
    cuts: tuple[Cut, ...]  # in the order in which they were made; each counts what was left


def compile_policy(
    *,
    block: Sequence[AddressSet],
    allow: Sequence[AddressSet],
    guard: Guard,
    protected: AddressSet,
    previous: AddressSet | None,
    accept_change: bool = False,
) -> Compiled:
    """Return what the policy blocks and allows; no allowed or protected address is blocked.

    `previous` is the block list in force, None when there has been none. Raises `GuardTripped`:
    both lists are held to width and share once special-purpose addresses are out, so that no
    other cut can hide what a source sent; what is left is held to all rules. With `accept_change`
    it may shrink and grow freely.
    """
    special = _WITHOUT_DOCUMENTATION if guard.keep_documentation else SPECIAL_PURPOSE
    listed, allowed = union(block), union(allow)
    ordinary = listed - special
    _check_listed(guard, listed, ordinary, subject="the block list")
    _check_listed(
        guard, allowed, allowed - special, subject="the allow list would switch protection off: it"
    )
    unprotected = ordinary - protected
    blocked = unprotected - allowed
    cuts = (
        Cut("special-purpose", listed.count - ordinary.count),
        Cut("protected", ordinary.count - unprotected.count),
        Cut("allowed", unprotected.count - blocked.count),
    )
    if previous is not None and not accept_change:
        check_change(guard, previous, blocked, subject="the block list")
    return Compiled(blocked, allowed, cuts)


def _check_listed(guard: Guard, listed: AddressSet, ordinary: AddressSet, *, subject: str) -> None:
    """Raise `GuardTripped` when the ordinary addresses of a list are too wide or too many.

    A bogon list may well say 224.0.0.0/3: what is never blocked can be neither too wide nor too
    much, and allowing all of it switches nothing off.
    """
    try:
        check_size(guard, listed, subject=subject)
    except GuardTripped as as_listed:
        try:
            check_size(guard, ordinary, subject=subject)
        except GuardTripped:
            raise as_listed from None  # it names the prefix that somebody wrote
