"""From the lists of a policy to what is blocked: union, cuts, guard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsets.cidr import AddressSet, union
from netsets.guard import Guard, check_change, check_size
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

    `previous` is the block list in force, None when there has been none. Raises `GuardTripped`,
    judging width and share before anything is cut, so that a cut cannot hide what a source sent,
    and all rules on the result. With `accept_change` the result may shrink and grow freely.
    """
    special = _WITHOUT_DOCUMENTATION if guard.keep_documentation else SPECIAL_PURPOSE
    blocked, allowed = union(block), union(allow)
    check_size(guard, blocked, subject="the block list")
    # Special-purpose addresses are never blocked: allowing all of them switches nothing off.
    check_size(guard, allowed - special, subject="the allow list would switch protection off: it")
    cuts: list[Cut] = []
    for reason, cut in (
        ("special-purpose", special),
        ("protected", protected),
        ("allowed", allowed),
    ):
        left = blocked - cut
        cuts.append(Cut(reason, blocked.count - left.count))
        blocked = left
    check_size(guard, blocked, subject="the block list")
    if previous is not None and not accept_change:
        check_change(guard, previous, blocked, subject="the block list")
    return Compiled(blocked, allowed, tuple(cuts))
