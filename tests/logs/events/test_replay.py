"""A replay tells what one would find by looking at each connection by itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis, strategies as st

from logs.events import replay as engine
from logs.events.duck import open_duck
from logs.events.matching import Listed
from logs.events.replay import Half, Proposed, Replayed, replay
from logs.parsers.base import Action
from netsets.cidr import AddressSet, union
from netsets.entries import from_prefixes
from netsets.lookup import EntryIndex
from tests.fakes.events import Made
from tests.logs.events.test_questions import INSIDE, OUTSIDE, WHOLE, made, store

ENTRIES = [
    "198.51.100.0/24", "198.51.100.7/32", "203.0.113.9/32", "10.1.2.0/25", "10.9.0.1/32",
    "2001:db8::/64", "2001:db8:0:1::1/128", "fd00::/8", "192.0.2.0/24",
]  # fmt: skip
sets = st.lists(st.sampled_from(ENTRIES), max_size=4).map(lambda some: AddressSet.of(*some))


def listed(number: int, addresses: AddressSet) -> Listed:
    entries = EntryIndex.of(from_prefixes(addresses.prefixes()))
    return Listed(number, f"list {number}", addresses, entries)


def proposed(*lists: AddressSet, in_force: Sequence[AddressSet] = ()) -> Proposed:
    named = tuple(listed(number, one) for number, one in enumerate(lists, start=1))
    return Proposed(union(lists), named, tuple(in_force))


def run(folder: Path, events: Sequence[Made], change: Proposed, *, most: int = 99) -> Replayed:
    files = store(folder, (1, events))
    with open_duck([folder]) as duck:
        return replay(duck, files, WHOLE, change, most=most)


def fate(event: Made, change: Proposed) -> str:
    """Tell what would become of one connection, address by address."""
    ends = (event.outside, event.inside)
    is_held = any(one in change.block for one in ends)
    is_known = any(
        change.in_force and all(one in known for known in change.in_force) for one in ends
    )
    if event.action != Action.DROPPED:
        return ("already" if is_known else "drop") if is_held else "stay"
    if event.list is None or is_held:
        return "stay"
    was = not change.in_force or any(event.outside in known for known in change.in_force)
    return "pass" if was else "stay"


@given(
    events=st.lists(made, min_size=1, max_size=30),
    lists=st.lists(sets, min_size=1, max_size=3),
    in_force=st.lists(sets, max_size=2),
)
@hypothesis(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_replay_agrees_with_looking_at_each_connection(
    tmp_path: Path, events: list[Made], lists: list[AddressSet], in_force: list[AddressSet]
) -> None:
    change = proposed(*lists, in_force=in_force)
    found = run(tmp_path, events, change)
    fates = defaultdict[str, list[Made]](list)
    for event in events:
        fates[fate(event, change)].append(event)
    assert_half(found.would_drop, fates["drop"])
    assert_half(found.would_pass, fates["pass"])
    assert found.already == len(fates["already"])
    assert found.let_through == sum(event.action != Action.DROPPED for event in events)
    for row in (*found.would_drop.addresses, *found.would_drop.hosts):
        holding = [one for one in change.lists if row.key in one.addresses]
        assert row.list == (holding[0].name if holding else "")
        assert bool(row.entry) == bool(holding)
        if holding:
            entry = AddressSet.of(row.entry)
            assert row.key in entry
            assert not entry - holding[0].addresses


def assert_half(half: Half, events: Sequence[Made]) -> None:
    assert half.connections == len(events)
    assert {row.key: row.connections for row in half.hosts} == counted("inside", events)
    assert {row.key: row.connections for row in half.addresses} == counted("outside", events)
    assert (half.insides, half.outsides) == (len(half.hosts), len(half.addresses))
    assert sum(row.connections for row in half.ports) == len(events)
    assert sum(row.connections for row in half.lists) == len(events)
    for row in half.hosts:
        mine = [event for event in events if event.inside == row.key]
        assert row.others == len({event.outside for event in mine})
        assert row.first_at == min(event.at for event in mine)
        assert row.last_at == max(event.at for event in mine)
    newest = sorted((event.at for event in events), reverse=True)[: engine.SAMPLES]
    assert [one.at for one in half.samples] == newest


def counted(end: str, events: Sequence[Made]) -> Counter[str]:
    return Counter(str(ip_address(getattr(event, end))) for event in events)


def test_tables_hold_the_largest_rows_and_totals_tell_of_all(tmp_path: Path) -> None:
    events = [
        Made(WHOLE.since + timedelta(minutes=n), inside=f"10.0.0.{n % 3}", action=Action.ALLOWED)
        for n in range(8)
    ]
    half = run(tmp_path, events, proposed(AddressSet.of("198.51.100.0/24")), most=2).would_drop
    assert [(row.key, row.connections) for row in half.hosts] == [("10.0.0.0", 3), ("10.0.0.1", 3)]
    assert (half.connections, half.insides) == (8, 3)


@pytest.mark.parametrize("outside", OUTSIDE)
def test_a_list_that_names_an_inside_host_alone_is_told_by_that_host(
    tmp_path: Path, outside: str
) -> None:
    event = Made(WHOLE.since, inside=INSIDE[2], outside=outside, action=Action.ALLOWED)
    half = run(tmp_path, [event], proposed(AddressSet.of("10.9.0.0/16"))).would_drop
    (host,), (address,) = half.hosts, half.addresses
    assert (host.list, host.entry, address.list) == ("list 1", "10.9.0.0/16", "")


def test_without_events_there_is_nothing_to_try(tmp_path: Path) -> None:
    with open_duck([tmp_path]) as duck:
        assert replay(duck, [], WHOLE, proposed(AddressSet.of("0.0.0.0/0")), most=9).is_empty
