"""Room is made by what was uploaded, the oldest first; by what was not only in need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from logs.spool.retention import Kept, Room, choose_removals as chosen

BEGIN = datetime(2026, 11, 21, tzinfo=UTC)


def kept(key: int, size: int = 10, *, device: int = 1, is_free: bool = True) -> Kept:
    return Kept(key, device, size, BEGIN + timedelta(minutes=key), is_free)


def room(
    quota: int = 100, *, open_bytes: int = 0, free: int = 1000, floor: int = 0, devices: int = 1
) -> Room:
    numbers = range(1, devices + 1)
    return Room(dict.fromkeys(numbers, quota), dict.fromkeys(numbers, open_bytes), free, floor)


def taken(batches: Iterable[Kept], room: Room) -> Room:
    """Return the room with what these batches take of it."""
    sizes = Counter(room.taken)
    for batch in batches:
        sizes[batch.device] += batch.bytes
    return replace(room, taken=sizes)


def choose_removals(batches: list[Kept], room: Room) -> tuple[int, ...]:
    return chosen(batches, taken(batches, room))


def test_nothing_goes_while_there_is_room() -> None:
    assert choose_removals([kept(n) for n in range(8)], room()) == ()


def test_the_oldest_uploaded_ones_go_when_the_quota_nears() -> None:
    assert choose_removals([kept(n) for n in range(10)], room()) == (0, 1)


def test_open_lines_count() -> None:
    assert choose_removals([kept(n) for n in range(8)], room(open_bytes=15)) == (0, 1)


def test_uploaded_ones_go_before_older_unsent_ones() -> None:
    batches = [kept(n, is_free=n >= 5) for n in range(10)]
    assert choose_removals(batches, room()) == (5, 6)


def test_unsent_ones_go_only_where_nothing_else_helps_and_as_few_as_can_be() -> None:
    unsent = [kept(n, is_free=False) for n in range(9)]
    assert choose_removals(unsent, room()) == ()
    assert choose_removals([*unsent, kept(9, is_free=False), kept(10)], room()) == (10, 0)


def test_one_device_makes_no_room_for_another() -> None:
    batches = [kept(n, device=1) for n in range(5)]
    batches += [kept(n, device=2, is_free=False) for n in range(5, 17)]
    assert choose_removals(batches, room(devices=2)) == (5, 6, 7)


def test_before_the_disk_is_full_uploaded_ones_of_all_devices_go_oldest_first() -> None:
    batches = [kept(3, device=1), kept(1, device=2), kept(2, device=1, is_free=False)]
    tight = room(devices=2, free=105, floor=100)
    assert choose_removals(batches, tight) == (1, 3)


def test_below_the_floor_unsent_ones_go_too_but_no_more_than_needed() -> None:
    batches = [kept(n, is_free=False) for n in range(5)] + [kept(9)]
    assert choose_removals(batches, room(free=75, floor=100)) == (9, 0, 1)


def test_what_goes_for_the_quota_counts_for_the_disk() -> None:
    batches = [kept(n) for n in range(10)]
    assert choose_removals(batches, room(free=100, floor=100)) == (0, 1)


def test_what_was_removed_a_moment_ago_saves_unsent_ones_and_no_others() -> None:
    unsent = [kept(n, is_free=False) for n in range(5)]
    tight = replace(room(free=75, floor=100), settling=15)
    assert choose_removals(unsent, tight) == (0,)
    assert choose_removals(unsent, replace(tight, settling=25)) == ()
    assert choose_removals([kept(n) for n in range(5)], tight) == (0, 1, 2, 3, 4)


def test_the_oldest_are_enough_to_choose_from() -> None:
    batches = [kept(n) for n in range(10)]
    where = taken(batches, room())
    assert chosen(batches[:2], where) == chosen(batches, where) == (0, 1)


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 50), st.booleans()), max_size=30),
    st.integers(10, 300),
    st.integers(0, 300),
)
def test_an_unsent_one_never_goes_while_a_free_one_would_do(
    found: list[tuple[int, int, bool]], quota: int, free: int
) -> None:
    batches = [
        kept(number, size, device=device, is_free=is_free)
        for number, (device, size, is_free) in enumerate(found)
    ]
    by_key = {batch.key: batch for batch in batches}
    where = taken(batches, room(quota, free=free, floor=100, devices=3))
    removed = chosen(batches, where)
    assert len(set(removed)) == len(removed)
    unsent = [by_key[key] for key in removed if not by_key[key].is_free]
    for batch in unsent:
        others = [one for one in batches if one.is_free and one.key not in removed]
        assert all(one.device != batch.device for one in others)
        assert not others or where.is_in_need(batch.device)
    left = sum(batch.bytes for batch in batches if batch.key not in removed)
    gained = sum(by_key[key].bytes for key in removed)
    assert free + gained >= where.floor or left == 0
    for device in where.quotas:
        own = sum(b.bytes for b in batches if b.device == device and b.key not in removed)
        assert own <= quota * 90 // 100
