"""What is remembered of the database's answers, with a clock and a database made for the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from django.db import OperationalError

from devices.services import PublishedDevice, PublishedFeed
from feeds.lookup import DatabaseAway, Generation, Lookup, served_device

PUBLISHED_AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def published(number: int = 1, *, networks: tuple[str, ...] = ()) -> PublishedDevice:
    feed = PublishedFeed(f"{number:064x}", f"{number:032x}", 1000, 300, number, PUBLISHED_AT)
    return PublishedDevice(7, "tdid_1", networks, {"block": feed, "allow": feed})


@dataclass
class Site:
    """A database that can be away, and a clock that moves when told."""

    rows: dict[str, PublishedDevice] = field(default_factory=lambda: {"tdid_1": published()})
    now: float = 1000.0
    is_away: bool = False
    asked: int = 0

    def find(self, device_id: str) -> PublishedDevice | None:
        self.asked += 1
        if self.is_away:
            raise OperationalError("away")
        return self.rows.get(device_id)

    def lookup(self, *, generation: Generation | None = None, capacity: int = 100) -> Lookup:
        return Lookup(
            find=self.find, clock=lambda: self.now, generation=generation, capacity=capacity
        )


def number(lookup: Lookup, device_id: str = "tdid_1") -> int:
    device = lookup.get(device_id)
    assert device is not None
    return device.files["threatstop-block.txt"].snapshot_number


def settled(lookup: Lookup) -> Lookup:
    """The first answer is news to the other workers, so that the second asks once more."""
    number(lookup)
    number(lookup)
    return lookup


def test_an_answer_stands_for_a_second() -> None:
    site = Site()
    lookup = settled(site.lookup())
    site.rows["tdid_1"] = published(2)
    site.now += 0.9
    assert number(lookup) == 1
    site.now += 0.2
    assert number(lookup) == 2


def test_a_worker_does_not_take_back_what_another_has_shown() -> None:
    site, generation = Site(), Generation()
    first, second = site.lookup(generation=generation), site.lookup(generation=generation)
    settled(first)
    site.now += 0.5
    settled(second)
    settled(first)
    site.rows["tdid_1"] = published(2)
    site.now += 0.6  # the second's answer still stands, the first's does not
    settled(first)
    site.now += 0.6
    assert number(first) == 2
    assert number(second) == 2


def test_a_worker_learns_at_once_that_another_has_seen_news() -> None:
    site, generation = Site(), Generation()
    first, second = site.lookup(generation=generation), site.lookup(generation=generation)
    settled(second)
    site.rows["tdid_1"] = published(2)
    assert number(first) == 2
    assert number(second) == 2


def test_the_last_answer_stands_while_the_database_is_away() -> None:
    site = Site()
    lookup = settled(site.lookup())
    site.is_away = True
    site.now += 3600
    assert number(lookup) == 1
    asked = site.asked
    site.now += 0.1
    assert number(lookup) == 1
    assert site.asked == asked, "a database that has just failed was asked again at once"


def test_the_end_of_an_outage_is_noticed() -> None:
    site = Site()
    lookup = settled(site.lookup())
    site.is_away = True
    site.now += 10
    assert number(lookup) == 1
    site.is_away = False
    site.rows["tdid_1"] = published(2)
    site.now += 2.1
    assert number(lookup) == 2


def test_nothing_is_made_up_about_a_device_that_nobody_asked_for_before() -> None:
    site = Site(is_away=True)
    lookup = site.lookup()
    for _ in range(2):
        with pytest.raises(DatabaseAway):
            lookup.get("tdid_1")


def test_a_removed_device_is_forgotten_also_for_an_outage() -> None:
    site = Site()
    lookup = settled(site.lookup())
    del site.rows["tdid_1"]
    site.now += 2
    assert lookup.get("tdid_1") is None
    site.is_away = True
    with pytest.raises(DatabaseAway):
        lookup.get("tdid_1")


def test_guessed_ids_fill_no_memory_and_displace_nobody() -> None:
    site = Site()
    lookup = settled(site.lookup(capacity=3))
    for guess in range(50):
        assert lookup.get(f"guess{guess}") is None
    asked = site.asked
    assert number(lookup) == 1
    assert site.asked == asked


def test_only_so_many_devices_are_remembered_and_the_oldest_goes() -> None:
    site = Site(rows={f"tdid_{n}": published(n) for n in range(5)})
    lookup = site.lookup(capacity=3)
    for n in range(5):
        assert number(lookup, f"tdid_{n}") == n
    site.is_away = True
    site.now += 10
    for n in (2, 3, 4):
        assert number(lookup, f"tdid_{n}") == n
    with pytest.raises(DatabaseAway):
        lookup.get("tdid_0")


def test_while_one_thread_asks_the_others_go_on_but_not_for_long() -> None:
    site = Site()
    answers: list[int] = []
    find = site.find

    def slow(device_id: str) -> PublishedDevice | None:
        if asking:
            asking.pop()()
        return find(device_id)

    lookup = Lookup(find=slow, clock=lambda: site.now)
    asking: list[Callable[[], None]] = []
    settled(lookup)
    site.rows["tdid_1"] = published(2)
    site.now += 1.5
    asking.append(lambda: answers.append(number(lookup)))
    assert number(lookup) == 2
    assert answers == [1]
    site.rows["tdid_1"] = published(3)
    settled(lookup)
    site.now += 3600
    asking.append(lambda: answers.append(number(lookup)))
    assert number(lookup) == 3
    assert answers == [1, 3], "an answer an hour old was given while a newer one was on its way"


@pytest.mark.parametrize(
    ("client", "admitted"),
    [("192.0.2.7", True), ("198.51.100.1", False), ("2001:db8::1", True), ("2001:db9::1", False)],
)
def test_networks_of_both_families_are_held(client: str, *, admitted: bool) -> None:
    from ipaddress import ip_address

    device = served_device(published(networks=("192.0.2.0/24", "2001:db8::/32")))
    assert device.admits(ip_address(client)) is admitted


def test_a_gzip_that_is_no_shorter_is_not_offered() -> None:
    feed = PublishedFeed("a" * 64, "b" * 32, 10, 30, 1, PUBLISHED_AT)
    device = served_device(PublishedDevice(1, "x", (), {"block": feed}))
    assert device.files["threatstop-block.txt"].gzip is None
    assert set(device.files) == {"threatstop-block.txt", "threatstop-block.txt.md5"}
