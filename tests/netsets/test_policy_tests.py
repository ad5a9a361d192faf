"""What a site wrote down as always, or never, blocked."""

from __future__ import annotations

import pytest
from hypothesis import given

from netsets.cidr import AddressSet
from netsets.compile import Compiled, compile_policy, enforce
from netsets.guard import Guard, GuardTripped
from netsets.policy_tests import Expect, PolicyTest, run_tests
from tests.netsets.helpers import build, pairs, spread

Pair = tuple[set[int], set[int]]


def expect(text: str, wanted: Expect, note: str = "") -> PolicyTest:
    return PolicyTest(wanted, AddressSet.of(text), text, note)


def compiled(*block: str, tests: list[PolicyTest], allow: tuple[str, ...] = ()) -> Compiled:
    return compile_policy(
        block=[AddressSet.of(*block)],
        allow=[AddressSet.of(*allow)],
        guard=Guard(keep_documentation=True),
        protected=(),
        tests=tests,
        previous=None,
    )


@given(pairs(), pairs().filter(any))
def test_a_test_passes_exactly_when_every_address_of_it_agrees(block: Pair, asked: Pair) -> None:
    tests = [
        PolicyTest("blocked", build(asked), "asked"),
        PolicyTest("not-blocked", build(asked), "asked"),
    ]
    must, never = run_tests(build(block), tests)
    assert spread(must.wrong) == (asked[0] - block[0], asked[1] - block[1])
    assert spread(never.wrong) == (asked[0] & block[0], asked[1] & block[1])
    assert must.is_passed == (asked[0] <= block[0] and asked[1] <= block[1])
    assert never.is_passed == (not asked[0] & block[0] and not asked[1] & block[1])
    for outcome in (must, never):
        assert bool(outcome.detail) == (outcome.finding is not None) == (not outcome.is_passed)


@pytest.mark.parametrize(
    ("test", "detail"),
    [
        (expect("203.0.113.7", "not-blocked"), "203.0.113.7 would be blocked"),
        (
            expect("203.0.113.0/24", "not-blocked"),
            "203.0.113.7, 203.0.113.64/30 would be blocked (5 of 256 addresses)",
        ),
        (expect("198.51.100.9", "blocked"), "198.51.100.9 would not be blocked"),
        (
            expect("203.0.113.4/30", "blocked"),
            "only 1 of 4 addresses would be blocked, not 203.0.113.4/31, 203.0.113.6",
        ),
        (
            expect("203.0.113.0/24", "blocked"),
            (
                "only 5 of 256 addresses would be blocked, not 203.0.113.0/30, 203.0.113.4/31, "
                "203.0.113.6 and 8 more prefixes"
            ),
        ),
        (expect("2001:db8::1", "not-blocked"), "2001:db8::1 would be blocked"),
        (expect("2001:db8::2", "not-blocked"), ""),
        (expect("203.0.113.64/30", "blocked"), ""),
    ],
)
def test_a_failed_test_names_the_part_that_went_wrong(test: PolicyTest, detail: str) -> None:
    block = AddressSet.of("203.0.113.7", "203.0.113.64/30", "2001:db8::1")
    (outcome,) = run_tests(block, [test])
    assert outcome.detail == detail


def test_nobody_may_let_a_failed_test_pass_without_changing_it() -> None:
    held = compiled("203.0.113.7", tests=[expect("203.0.113.7", "not-blocked", "the clinic")])
    with pytest.raises(GuardTripped) as tripped:
        enforce(held, accept_change=True)
    assert (tripped.value.rule, tripped.value.found) == ("test", 1)
    assert str(tripped.value) == (
        "the policy test that 203.0.113.7 (the clinic) must never be blocked fails: 203.0.113.7 "
        "would be blocked. Look at the sources and the allow lists, or change the test."
    )


def test_tests_are_told_of_the_list_that_would_be_published() -> None:
    tests = [
        expect("203.0.113.7", "not-blocked"),
        expect("203.0.113.8", "blocked"),
        expect("10.0.0.1", "blocked"),
    ]
    found = compiled("203.0.113.0/24", "10.0.0.0/8", tests=tests, allow=("203.0.113.7",))
    assert [outcome.is_passed for outcome in found.outcomes] == [True, True, False]
    (finding,) = found.findings
    assert finding.message == (
        "the policy test that 10.0.0.1 must be blocked fails: 10.0.0.1 would not be blocked. Look "
        "at the sources and the allow lists, or change the test."
    )


def test_a_test_that_could_not_fail_is_refused() -> None:
    with pytest.raises(ValueError, match="the policy test 'nothing' names no address"):
        PolicyTest("blocked", AddressSet.empty(), "nothing")
