"""policy test: what must hold before a policy is published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from netsets.policy_tests import Outcome
from netsets.span import Span
from policies import services
from policies.models import Policy
from policies.services import MustHold
from policies.states import Expectation
from policies.tasks import nudge
from tsadmin.commands.finding import find_policy_itself
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_hint, print_json, print_table
from tsadmin.site import actor

COLUMNS = ("Address", "What must hold", "Note", "Outcome", "Why")
_NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the flags said: addresses, networks or ranges."""

    must_block: Sequence[str]
    never_block: Sequence[str]
    forget: Sequence[str]
    note: str | None

    @property
    def is_nothing(self) -> bool:
        """Whether no test is to be changed."""
        return not (self.must_block or self.never_block or self.forget)

    def tests(self, policy: Policy) -> list[MustHold]:
        """Return all the tests that the policy is to have; raises Refused and Misused."""
        if self.note is not None and not (self.must_block or self.never_block):
            raise Misused("--note comes with --must-block or --never-block")
        held = {one.network: one for one in services.tests_of(policy)}
        for text in self.forget:
            if held.pop(_spelt(text), None) is None:
                raise Refused(f"{policy} has no test of {text}; nothing was changed")
        added = [
            MustHold(expect, text, self.note or "")
            for expect, texts in (
                (Expectation.BLOCKED, self.must_block),
                (Expectation.NOT_BLOCKED, self.never_block),
            )
            for text in texts
        ]
        return [*held.values(), *added]


@dataclass(frozen=True, slots=True)
class Tried:
    """A test and how it ends with the block list in force; None where there is none to try."""

    test: MustHold
    is_passed: bool | None
    detail: str

    def row(self) -> tuple[str, ...]:
        """Return it for the screen."""
        outcome = {None: _NOT_TRIED, True: "holds", False: "fails"}[self.is_passed]
        label = str(self.test.expect.label)
        return (self.test.network, label, self.test.note, outcome, self.detail)

    def json(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "expect": self.test.expect.value,
            "network": self.test.network,
            "note": self.test.note,
            "is_passed": self.is_passed,
            "detail": self.detail,
        }


def change_tests(*, name: str, wanted: Wanted, now: datetime, as_json: bool) -> None:
    """Change the tests where flags name some, and print all of them."""
    policy = find_policy_itself(name)
    tests = wanted.tests(policy)
    if not wanted.is_nothing:
        services.change_policy(policy=policy, changes={}, tests=tests, actor=actor(), now=now)
        nudge()
    tried = try_tests(policy)
    if as_json:
        print_json({"policy": policy.name, "tests": [one.json() for one in tried]})
        return
    if tried:
        print_table(COLUMNS, [one.row() for one in tried])
    else:
        print_hint(f"{policy} has no tests. See 'tsadmin policy test --help'.")
    if not wanted.is_nothing:
        print_hint(f"Tried on its next list within a minute. At once: tsadmin policy update {name}")


def try_tests(policy: Policy) -> list[Tried]:
    """Return the tests of a policy with how each ends."""
    why = "nothing is published yet"
    if policy.current is not None:
        try:
            return [_tried(one) for one in services.try_tests(policy)]
        except (OSError, ValueError) as error:
            why = f"the list in force cannot be read: {error}"
    return [Tried(one, None, why) for one in services.tests_of(policy)]


def _tried(outcome: Outcome) -> Tried:
    told = outcome.test
    test = MustHold(Expectation(told.expect), told.text, told.note)
    return Tried(test, outcome.is_passed, outcome.detail)


def _spelt(text: str) -> str:
    try:
        return str(Span.exactly(text.strip()))
    except ValueError as error:
        raise Refused(f"{error}; nothing was changed") from error
