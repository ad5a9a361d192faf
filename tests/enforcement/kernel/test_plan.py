"""Which way a plan takes, and what it says comes and goes."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from enforcement.kernel.base import Content, Rules, Way
from enforcement.kernel.plan import MOST_ENTRIES, make_plan
from netsets.cidr import AddressSet, from_addresses4, from_addresses6
from tests.enforcement.kernel.contents import address_sets, content


def spaced(start: int, stop: int) -> Content:
    """Return single addresses, none of which touch."""
    return Content(
        from_addresses4(np.arange(start, stop, dtype=np.uint32) * np.uint32(2)), AddressSet.empty()
    )


def test_sets_that_are_not_there_are_filled_anew() -> None:
    assert make_plan(None, Content.empty(), Rules()).way is Way.REPLACE


def test_nothing_is_done_where_nothing_changes() -> None:
    held = content(("192.0.2.0/24", "2001:db8::1"), ("198.51.100.7",))
    plan = make_plan(held, held, Rules())
    assert (plan.way, plan.added, plan.removed) == (Way.NOTHING, 0, 0)


def test_a_small_change_is_a_difference_and_says_how_much_comes_and_goes() -> None:
    plan = make_plan(
        content(("192.0.2.0/24",)), content(("192.0.2.0/25",), ("192.0.2.9",)), Rules()
    )
    assert (plan.way, plan.added, plan.removed) == (Way.DIFFERENCE, 1, 1)
    assert len(plan.allow.added) == 1


def test_a_small_list_may_change_as_a_whole_by_a_difference() -> None:
    assert make_plan(spaced(0, 500), spaced(500, 1000), Rules()).way is Way.DIFFERENCE


def test_more_than_a_tenth_of_a_large_list_is_a_replacement() -> None:
    assert make_plan(spaced(0, 20_000), spaced(1000, 21_000), Rules()).way is Way.DIFFERENCE
    assert make_plan(spaced(0, 20_000), spaced(1001, 21_001), Rules()).way is Way.REPLACE


def test_allowed_addresses_of_ipv6_count_as_much_as_others() -> None:
    words = np.zeros((20_000, 2), np.uint64)
    words[:, 1] = np.arange(20_000, dtype=np.uint64) * np.uint64(2)
    most = Content(AddressSet.empty(), from_addresses6(words))
    less = Content(AddressSet.empty(), from_addresses6(words[1500:]))
    assert make_plan(most, less, Rules()).way is Way.DIFFERENCE


def test_no_difference_is_larger_than_its_bound() -> None:
    large, larger = spaced(0, 3_000_000), spaced(0, 3_000_001 + MOST_ENTRIES)
    assert make_plan(large, larger, Rules()).way is Way.REPLACE


@given(address_sets(), address_sets())
def test_the_way_is_nothing_exactly_where_both_are_alike(a: AddressSet, b: AddressSet) -> None:
    none = AddressSet.empty()
    plan = make_plan(Content(a, none), Content(b, none), Rules())
    assert (plan.way is Way.NOTHING) == (a == b)
