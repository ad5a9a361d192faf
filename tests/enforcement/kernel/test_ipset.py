"""The kernel's own sets: what is filled is what is read back, whichever way it came in."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from enforcement.kernel.base import Content, Rules, SetState, Way
from enforcement.kernel.ipset import IpsetSets, aside
from enforcement.kernel.ipset_fill import Filler, NetlinkFiller
from enforcement.kernel.ipset_restore import RestoreFiller
from enforcement.kernel.layout import SETS
from enforcement.kernel.plan import make_plan
from netsets.cidr import AddressSet
from tests.enforcement.kernel.contents import (
    address_sets,
    content,
    difference,
    random_content,
    replacement,
)

pytestmark = pytest.mark.kernel

BEFORE = content(("192.0.2.0/24", "198.51.100.7", "2001:db8::/32", "2001:db9::1"), ("192.0.2.9",))
AFTER = content(("192.0.2.0/25", "198.51.100.8", "2001:db8::/33", "2001:db9::2"), ("192.0.2.10",))


def ipset(*arguments: str) -> str:
    return subprocess.run(
        ["ipset", *arguments], capture_output=True, text=True, timeout=20, check=True
    ).stdout


@pytest.fixture(params=[NetlinkFiller, RestoreFiller])
def sets(request: pytest.FixtureRequest) -> Iterator[IpsetSets]:
    """The sets, filled either way, and none of them afterwards."""
    filler: Filler = request.param()
    made = IpsetSets(filler)
    try:
        yield made
    finally:
        made.remove()
        assert ipset("list", "-n") == ""


def held(sets: IpsetSets) -> tuple[str, str] | None:
    found, _ = sets.read()
    return None if found is None else found.digests()


def test_what_is_filled_is_read_back(sets: IpsetSets) -> None:
    wanted = random_content(np.random.default_rng(4), 20_000)
    sets.apply(replacement(wanted))
    found, states = sets.read()
    assert found is not None
    assert found.digests() == wanted.digests()
    assert states == sets.states()
    assert set(states) == {str(name) for name in SETS}
    assert all(state.memory > 0 for state in states.values())


@pytest.mark.usefixtures("_no_sets")
@given(block=address_sets(), allow=address_sets())
@settings(max_examples=40, deadline=None)
def test_any_list_is_read_back_as_it_is(block: AddressSet, allow: AddressSet) -> None:
    wanted, sets = Content(block, allow), IpsetSets()
    sets.apply(replacement(wanted))
    assert held(sets) == wanted.digests()


@pytest.mark.usefixtures("_no_sets")
@given(old=address_sets(), new=address_sets(), allow=address_sets())
@settings(max_examples=40, deadline=None)
def test_any_difference_brings_one_list_to_another_and_back(
    old: AddressSet, new: AddressSet, allow: AddressSet
) -> None:
    before, wanted, sets = Content(old, allow), Content(new, old), IpsetSets()
    sets.apply(replacement(before))
    plan = difference(before, wanted)
    sets.apply(plan)
    assert held(sets) == wanted.digests()
    sets.revert(plan)
    assert held(sets) == before.digests()


@pytest.fixture
def _no_sets() -> Iterator[None]:
    yield
    IpsetSets().remove()


@pytest.mark.parametrize("everything", [("0.0.0.0/0", "::/0"), ("0.0.0.0/1", "8000::/1")])
def test_a_list_of_everything_lies_in_halves(sets: IpsetSets, everything: tuple[str, ...]) -> None:
    wanted = content(everything)
    sets.apply(replacement(wanted))
    assert held(sets) == wanted.digests()
    plan = difference(wanted, content(("0.0.0.0/0", "::/1")))
    sets.apply(plan)
    assert held(sets) == content(("0.0.0.0/0", "::/1")).digests()


def test_the_addresses_of_all_zeros_are_held(sets: IpsetSets) -> None:
    """A set of single addresses refuses them, and with them a list that has one of them."""
    wanted = content(("0.0.0.0/32", "::"), ("0.0.0.0/32", "192.0.2.1"))
    sets.apply(replacement(wanted))
    assert held(sets) == wanted.digests()
    plan = difference(wanted, content(("0.0.0.0/31",), ("::",)))
    sets.apply(plan)
    assert held(sets) == plan.wanted.digests()
    sets.revert(plan)
    assert held(sets) == wanted.digests()


def test_a_random_difference_is_applied_and_undone(sets: IpsetSets) -> None:
    rng = np.random.default_rng(5)
    before, other = random_content(rng, 5_000), random_content(rng, 300)
    wanted = Content((before.block - other.allow) | other.block, before.allow | other.allow)
    sets.apply(replacement(before))
    plan = difference(before, wanted)
    sets.apply(plan)
    assert held(sets) == wanted.digests()
    sets.revert(plan)
    assert held(sets) == before.digests()


def test_a_difference_that_is_done_twice_changes_nothing_more(sets: IpsetSets) -> None:
    sets.apply(replacement(BEFORE))
    for _ in range(2):
        sets.apply(difference(BEFORE, AFTER))
    assert held(sets) == AFTER.digests()


def test_a_plan_of_nothing_does_nothing(sets: IpsetSets) -> None:
    sets.apply(replacement(BEFORE))
    plan = sets.fitted(make_plan(BEFORE, BEFORE, Rules()))
    assert (plan.way, plan.memory) == (Way.NOTHING, 0)
    sets.apply(plan)
    sets.revert(plan)
    assert held(sets) == BEFORE.digests()


def test_what_was_live_stands_aside_until_it_is_settled(sets: IpsetSets) -> None:
    sets.apply(replacement(BEFORE))
    sets.settle()
    plan = replacement(AFTER, current=BEFORE)
    sets.apply(plan)
    assert held(sets) == AFTER.digests()
    assert aside(SETS[0]) in ipset("list", "-n").split()
    sets.revert(plan)
    assert held(sets) == BEFORE.digests()
    sets.settle()
    assert set(ipset("list", "-n").split()) == {str(name) for name in SETS}


def test_a_replacement_is_reverted_even_after_it_was_settled(sets: IpsetSets) -> None:
    sets.apply(replacement(BEFORE))
    plan = replacement(AFTER, current=BEFORE)
    sets.apply(plan)
    sets.settle()
    sets.revert(plan)
    assert held(sets) == BEFORE.digests()


def test_a_set_that_does_not_change_is_not_filled_again(sets: IpsetSets) -> None:
    sets.apply(replacement(BEFORE))
    sets.settle()
    sets.apply(replacement(Content(AFTER.block, BEFORE.allow), current=BEFORE))
    left = {name for name in ipset("list", "-n").split() if name.endswith(".new")}
    assert left == {aside(name) for name in SETS if name.role == "block"}


def test_sets_that_are_missing_are_made_empty_and_the_others_stay(sets: IpsetSets) -> None:
    sets.apply(replacement(BEFORE))
    ipset("destroy", "TSallownet")
    assert held(sets) is None
    sets.make_missing()
    sets.make_missing()
    assert held(sets) == BEFORE.digests()
    assert sets.states()["TSallownet"].entries == 0


def test_nothing_is_there_before_anything_is_made(sets: IpsetSets) -> None:
    assert sets.states() == {}
    assert sets.read() == (None, {})


def test_a_set_has_room_for_differences_and_no_timeouts(sets: IpsetSets) -> None:
    sets.apply(replacement(random_content(np.random.default_rng(6), 50_000)))
    made = ipset("list", "TSblockaddr", "-t").splitlines()
    entries = sets.states()["TSblockaddr"].entries
    assert f"Header: family inet hashsize 16384 maxelem {max(1 << 16, 2 * entries)}" in made


def test_a_plan_says_what_memory_it_needs_and_the_kernel_takes_no_more(sets: IpsetSets) -> None:
    plan = sets.fitted(replacement(random_content(np.random.default_rng(7), 20_000)))
    sets.apply(plan)
    took = sum(state.memory for state in sets.states().values())
    assert took < plan.memory < 4 * took
    assert sets.fitted(difference(plan.wanted, plan.wanted)).memory == 0


def test_a_difference_over_the_limit_of_a_live_set_becomes_a_replacement(sets: IpsetSets) -> None:
    sets.make_missing()
    ipset("create", "small", "hash:ip", "maxelem", "2")
    ipset("swap", "small", "TSblockaddr")
    ipset("destroy", "small")
    wanted = content(("192.0.2.1", "192.0.2.3", "192.0.2.5"))
    plan = sets.fitted(make_plan(Content.empty(), wanted, Rules()))
    assert plan.way is Way.REPLACE
    sets.apply(plan)
    assert held(sets) == wanted.digests()
    assert sets.states()["TSblockaddr"] == SetState(3, sets.states()["TSblockaddr"].memory)


def test_a_difference_for_a_set_that_is_missing_becomes_a_replacement(sets: IpsetSets) -> None:
    plan = make_plan(Content.empty(), content(("192.0.2.1",)), Rules())
    assert plan.way is Way.DIFFERENCE
    fitted = sets.fitted(plan)
    assert fitted.way is Way.REPLACE
    sets.apply(replace(fitted, current=None))
    assert held(sets) == plan.wanted.digests()
