"""From the lists of a policy to what is blocked: union, cuts, guard, tests.

A list that the guard would not let pass is compiled all the same, so that a person can look at
what is held; `enforce` stands before everything that publishes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from netsets.checks import check_change, check_size, families
from netsets.cidr import AddressSet, union
from netsets.cuts import Cut, Labelled, cut, together
from netsets.guard import Finding, Guard, GuardTripped
from netsets.policy_tests import Outcome, PolicyTest, run_tests
from netsets.special import SPECIAL_PURPOSE


@dataclass(frozen=True, slots=True)
class Compiled:
    """The two lists of a policy, what was cut on the way, and what the guard says of them."""

    block: AddressSet
    allow: AddressSet
    cuts: tuple[Cut, ...] = ()  # in the order in which they were made; each counts what was left
    findings: tuple[Finding, ...] = ()  # all of them; with none the lists may be published
    outcomes: tuple[Outcome, ...] = ()  # of the policy tests
    before_allow: AddressSet = field(default_factory=AddressSet.empty)  # for `allow_effects`

    @property
    def is_change_only(self) -> bool:
        """Whether there are findings, and a person may let all of them pass once."""
        return bool(self.findings) and all(finding.is_change for finding in self.findings)


def enforce(compiled: Compiled, *, accept_change: bool = False) -> None:
    """Raise `GuardTripped` with every finding that nobody accepted.

    With `accept_change` the list may shrink and grow freely; no absolute rule gives way.
    """
    held = [finding for finding in compiled.findings if not (accept_change and finding.is_change)]
    if held:
        raise GuardTripped(held)


def compile_policy(
    *,
    block: Sequence[AddressSet],
    allow: Sequence[AddressSet],
    guard: Guard,
    protected: Sequence[Labelled],
    critical: Sequence[Labelled] = (),
    tests: Sequence[PolicyTest] = (),
    previous: AddressSet | None,
) -> Compiled:
    """Return what the policy blocks and allows; nothing that is allowed or protected is blocked.

    `protected` are the site's own surroundings, `critical` the public services it needs;
    `previous` is the block list in force, None when there has been none. Both lists are held to
    width and share once special-purpose addresses are out, so that no other cut can hide what a
    source sent; what is left is held to the change rules and the tests.
    """
    listed, allowed = union(block), union(allow)
    ordinary, special_cut = cut(listed, guard.forbidden, reason="special-purpose")
    ordinary, protected_cut = cut(
        ordinary, together(protected), reason="protected", items=protected
    )
    before, critical_cut = cut(ordinary, together(critical), reason="critical", items=critical)
    blocked, allowed_cut = cut(before, allowed, reason="allowed")
    outcomes = run_tests(blocked, tests)
    findings = (
        *_check_listed(guard, listed, subject="the block list"),
        *_check_listed(guard, allowed, subject="the allow list would switch protection off: it"),
        *_check_change(guard, previous, blocked),
        *(outcome.finding for outcome in outcomes if outcome.finding),
    )
    cuts = (special_cut, protected_cut, critical_cut, allowed_cut)
    return Compiled(blocked, allowed, cuts, findings, outcomes, before)


def _check_listed(guard: Guard, listed: AddressSet, *, subject: str) -> Iterator[Finding]:
    """Yield where the ordinary addresses of a list are too wide or too many.

    A bogon list may well say 224.0.0.0/3: special-purpose addresses can be neither too wide nor
    too much, whether they are blocked or not, and allowing all of them switches nothing off.
    """
    for family in families(listed):
        as_listed = check_size(guard, family, subject=subject)
        if as_listed:
            ordinary = check_size(guard, family - SPECIAL_PURPOSE, subject=subject)
            broken = {finding.rule for finding in ordinary}
            # Told as listed, because that names the prefix that somebody wrote.
            yield from (finding for finding in as_listed if finding.rule in broken)


def _check_change(
    guard: Guard, previous: AddressSet | None, blocked: AddressSet
) -> Iterator[Finding]:
    """Yield where the block list changes too much; there is no measure in an empty one."""
    if not previous:
        return
    yield from check_change(guard, previous, blocked, subject="the block list")
    if guard.special == "keep":
        # Hundreds of millions of kept addresses would hide what became of all others.
        yield from check_change(
            guard,
            previous - SPECIAL_PURPOSE,
            blocked - SPECIAL_PURPOSE,
            subject="the routable part of the block list",
        )
