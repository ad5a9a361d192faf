"""What a site wrote down as always, or never, blocked: tried on each block list before its use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from netsets.cidr import AddressSet
from netsets.guard import Finding
from netsets.render.text import render

Expect = Literal["blocked", "not-blocked"]

_SHOWN = 3  # prefixes of what went wrong


@dataclass(frozen=True, slots=True, eq=False)
class PolicyTest:
    """What one entry must come to."""

    expect: Expect
    addresses: AddressSet
    text: str  # the entry as somebody wrote it
    note: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for a test that could not fail."""
        if not self.addresses:
            raise ValueError(f"the policy test {self.text!r} names no address: write one")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """How a test ended; `wrong` is the part of its addresses that ended otherwise."""

    test: PolicyTest
    wrong: AddressSet

    @property
    def is_passed(self) -> bool:
        """Whether every address of the test came to what it must."""
        return not self.wrong

    @property
    def detail(self) -> str:
        """What went wrong, in a sentence without its stop; empty when nothing did."""
        if self.is_passed:
            return ""
        total, wrong = self.test.addresses.count, self.wrong.count
        if self.test.expect == "not-blocked":
            part = "" if total == wrong else f" ({wrong:,} of {total:,} addresses)"
            return f"{_some(self.wrong)} would be blocked{part}"
        if total == wrong:
            return f"{_some(self.wrong)} would not be blocked"
        blocked = f"only {total - wrong:,} of {total:,} addresses would be blocked"
        return f"{blocked}, not {_some(self.wrong)}"

    @property
    def finding(self) -> Finding | None:
        """What the guard says of it, None when the test passed."""
        if self.is_passed:
            return None
        wanted = "must be blocked" if self.test.expect == "blocked" else "must never be blocked"
        note = f" ({self.test.note})" if self.test.note else ""
        message = (
            f"the policy test that {self.test.text}{note} {wanted} fails: {self.detail}. "
            "Look at the sources and the allow lists, or change the test."
        )
        return Finding("test", message, 0, self.wrong.count)


def run_tests(block: AddressSet, tests: Iterable[PolicyTest]) -> tuple[Outcome, ...]:
    """Return how each test ends with this block list, in the order given."""
    return tuple(
        Outcome(
            test,
            test.addresses - block if test.expect == "blocked" else test.addresses & block,
        )
        for test in tests
    )


def _some(addresses: AddressSet) -> str:
    """Return the first few prefixes in words, and how many more there are."""
    prefixes = addresses.prefixes()
    first = AddressSet(addresses.v4[:_SHOWN], addresses.v6[:_SHOWN]).prefixes()
    shown = render(first).decode("ascii").split()[:_SHOWN]
    more = len(prefixes) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more prefixes" if more else "")
