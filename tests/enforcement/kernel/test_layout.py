"""How a list is laid into sets, and what its changes are for each."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given

from enforcement.kernel.layout import (
    SETS,
    Entries,
    Role,
    SetChange,
    SetName,
    addresses,
    changes,
    in_order,
    parts,
    sizes,
)
from netsets.cidr import AddressSet
from netsets.diff import diff_prefixes
from tests.enforcement.kernel.contents import address_sets

Row = tuple[int, ...]


def rows(entries: Entries) -> set[Row]:
    words = 1 if entries.first.ndim == 1 else 2
    flat = entries.first.reshape(-1, words).tolist()
    return {(*first, length) for first, length in zip(flat, entries.length.tolist(), strict=True)}


def after(role: Role, old: AddressSet, due: Iterable[SetChange]) -> dict[SetName, set[Row]]:
    """Return what plain sets hold when a change is done to them."""
    held = {name: rows(entries) for name, entries in parts(role, old.prefixes())}
    for one in due:
        held[one.name] = (held[one.name] | rows(one.added)) - rows(one.removed)
    return held


def test_names_are_those_of_the_product_that_we_follow() -> None:
    assert [str(name) for name in SETS] == [
        "TSblockaddr", "TSblocknet", "TSblockaddr6", "TSblocknet6",
        "TSallowaddr", "TSallownet", "TSallowaddr6", "TSallownet6",
    ]  # fmt: skip


@given(address_sets())
def test_what_the_sets_hold_together_is_the_list(held: AddressSet) -> None:
    laid = dict(parts("block", held.prefixes()))
    assert addresses(laid) == held


@given(address_sets())
def test_sizes_are_those_of_the_sets(held: AddressSet) -> None:
    prefixes = held.prefixes()
    counted = {name: len(entries) for name, entries in parts("allow", prefixes)}
    assert dict(sizes("allow", prefixes)) == counted


@given(address_sets())
def test_no_network_of_everything_comes_into_a_set(held: AddressSet) -> None:
    for _, entries in parts("block", held.prefixes()):
        assert (entries.length > 0).all()


@given(address_sets(), address_sets())
def test_changes_bring_plain_sets_from_one_list_to_the_other_and_back(
    old: AddressSet, new: AddressSet
) -> None:
    due = list(changes("block", diff_prefixes(old, new)))
    assert after("block", old, due) == after("block", new, [])
    assert after("block", new, [one.undone() for one in due]) == after("block", old, [])


@pytest.mark.parametrize(("everything", "half"), [("0.0.0.0/0", "0.0.0.0/1"), ("::/0", "8000::/1")])
def test_a_half_of_everything_stays_where_the_other_half_comes_or_goes(
    everything: str, half: str
) -> None:
    whole, part = AddressSet.of(everything), AddressSet.of(half)
    for old, new in ((whole, part), (part, whole)):
        due = [one for one in changes("block", diff_prefixes(old, new)) if len(one)]
        assert [len(one) for one in due] == [1]
        assert after("block", old, due) == after("block", new, [])


def test_entries_of_both_families_keep_their_types() -> None:
    for name, entries in parts("block", AddressSet.of("192.0.2.1", "2001:db8::/32").prefixes()):
        assert entries.first.dtype == (np.uint32 if name.version == 4 else np.uint64)
        assert entries.length.dtype == np.uint8


def test_what_is_allowed_comes_first_and_goes_last() -> None:
    none = Entries(np.empty(0, np.uint32), np.empty(0, np.uint8))
    both = [SetChange(name, none, none) for name in SETS]
    order = [(deed, name.role) for deed, name, _ in in_order(both)]
    assert (
        order
        == [("add", "allow")] * 4
        + [("add", "block")] * 4
        + [("del", "block")] * 4
        + [("del", "allow")] * 4
    )
