"""What a policy may never do, however its sources err.

Absolute rules: `width` (no prefix wider than a limit), `share` (no more of the address space than a
limit), `rejects` (no list of which too much is unreadable) and `test` (what the site wrote down as
never, or always, blocked). Change rules, for the block list against the one in force: `shrink` and
`growth`. A person may let a change pass once; nobody may let an absolute rule.

GuardTripped
    the policy would break these rules; the list in force stays, and a person must look
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from netsets.cidr import AddressSet
from netsets.special import DOCUMENTATION, NEVER_KEPT, SPECIAL_PURPOSE

Rule = Literal["width", "share", "rejects", "shrink", "growth", "test"]
Special = Literal["cut", "keep"]

CHANGE_RULES: frozenset[Rule] = frozenset({"shrink", "growth"})

_WITHOUT_DOCUMENTATION = SPECIAL_PURPOSE - DOCUMENTATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The limits of one policy; each default is the safe one.

    IPv4 is measured in addresses. IPv6 is measured in /64 networks where lists are compared, as
    one host commonly owns a whole one, and its share is that of 2000::/3. A list's size is also
    measured in lines: the prefixes that a firewall loads.
    """

    widest4: int = 8  # the shortest IPv4 prefix length allowed
    widest6: int = 16
    max_share: float = 0.05  # of either family's space
    max_rejects: float = 0.1  # the part of a source's entries that may be unreadable
    shrink_limit: float = 0.5  # the part of the list in force that may go at once
    growth_limit: float = 2.0  # how many times its size a list may become at once
    special: Special = "cut"  # a policy of bogons says "keep"
    keep_documentation: bool = False  # leave documentation addresses in, for demonstrations
    shrink_floor: int = 10  # a family with fewer prefixes may shrink as it likes
    growth_floor: int = 65_536  # a family may always grow to so many addresses, or /64 networks
    line_growth_floor: int = 25_000  # and to so many prefixes: the least that firewalls hold

    def __post_init__(self) -> None:
        """Raise ValueError for a limit that means nothing."""
        limits = (
            ("widest4", 0 <= self.widest4 <= 32, "between 0 and 32"),
            ("widest6", 0 <= self.widest6 <= 128, "between 0 and 128"),
            ("max_share", 0 < self.max_share <= 1, "above 0 and at most 1"),
            ("max_rejects", 0 <= self.max_rejects < 1, "0 or more and below 1"),
            ("shrink_limit", 0 <= self.shrink_limit <= 1, "between 0 and 1"),
            ("growth_limit", self.growth_limit >= 1, "1 or more"),
            ("special", self.special in {"cut", "keep"}, "'cut' or 'keep'"),
            ("shrink_floor", self.shrink_floor >= 0, "0 or more"),
            ("growth_floor", self.growth_floor >= 0, "0 or more"),
            ("line_growth_floor", self.line_growth_floor >= 0, "0 or more"),
        )
        for name, fits, accepted in limits:
            if not fits:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be {accepted}")

    @property
    def forbidden(self) -> AddressSet:
        """The special-purpose addresses that this policy takes out of its block list."""
        if self.special == "keep":
            return NEVER_KEPT
        return _WITHOUT_DOCUMENTATION if self.keep_documentation else SPECIAL_PURPOSE


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that would be broken.

    `limit` and `found` are in the measure of the rule: prefix lengths, shares of the space or of
    the entries, the part that would go, times the old size, addresses of a test.
    """

    rule: Rule
    message: str  # names the thing, the cause and the next step
    limit: float
    found: float

    @property
    def is_change(self) -> bool:
        """Whether a person may let this pass once."""
        return self.rule in CHANGE_RULES


class GuardTripped(Exception):
    """A policy would do what its guard forbids; the list in force must stay."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        """Tell all that was found, in the order in which it was looked for."""
        super().__init__(" ".join(finding.message for finding in findings))
        self.findings = tuple(findings)

    @property
    def rule(self) -> Rule:
        """The first rule that would be broken."""
        return self.findings[0].rule

    @property
    def limit(self) -> float:
        """The limit of the first rule."""
        return self.findings[0].limit

    @property
    def found(self) -> float:
        """What was found against the first rule."""
        return self.findings[0].found

    @property
    def is_change(self) -> bool:
        """Whether a person may let all of this pass once."""
        return all(finding.is_change for finding in self.findings)
