"""What packets meet while lists are switched: the old verdict or the new one, at every moment."""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import numpy as np
import pytest

from enforcement.kernel.base import Content, Plan, Rules, Way
from enforcement.kernel.iptables import IptablesEnforcer
from enforcement.kernel.netlink import Netlink
from netsets.cidr import AddressSet, from_prefixes4
from tests.enforcement.kernel.contents import content, difference, replacement
from tests.fakes.gateway import clean, sh

pytestmark = pytest.mark.kernel

# Sixteen of each family: few enough to look at all of them after each message to the kernel.
EVERY = (
    *(f"203.0.113.{last}" for last in range(16)),
    *(f"2001:db8:5::{last:x}" for last in range(16)),
)
Making = Callable[[Content, Content], Plan]


def replacing(current: Content, wanted: Content) -> Plan:
    return replacement(wanted, current=current)


@pytest.fixture
def enforcer() -> Iterator[IptablesEnforcer]:
    """The enforcer with its rules in place, and a way to all of those addresses."""
    sh("ip", "route", "add", "203.0.113.0/24", "dev", "lo")
    sh("ip", "-6", "route", "add", "2001:db8:5::/64", "dev", "lo")
    made = IptablesEnforcer()
    try:
        made.write_rules(Rules(log_limit="1/hour"))
        yield made
    finally:
        clean()
        sh("ip", "route", "del", "203.0.113.0/24", "dev", "lo")
        sh("ip", "-6", "route", "del", "2001:db8:5::/64", "dev", "lo")


class Watch:
    """Sends to every address after each single message to the kernel."""

    def __init__(self) -> None:
        self.seen: list[frozenset[str]] = []
        self._four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)

    def look(self) -> frozenset[str]:
        """Return which addresses are dropped now."""
        return frozenset(one for one in EVERY if self._is_dropped(one))

    def close(self) -> None:
        self._four.close()
        self._six.close()

    def _is_dropped(self, address: str) -> bool:
        try:
            (self._six if ":" in address else self._four).sendto(b"", (address, 9))
        except PermissionError:
            return True
        return False


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Have messages that go in one send go one by one, and look at packets after each."""
    made, answers = Watch(), Netlink.answers

    def one_by_one(self: Netlink, messages: Sequence[bytes]) -> list[int]:
        numbers = []
        for one in messages:
            numbers += answers(self, [one])
            made.seen.append(made.look())
        return numbers

    monkeypatch.setattr(Netlink, "answers", one_by_one)
    yield made
    made.close()


def dropped(held: Content) -> frozenset[str]:
    return frozenset(one for one in EVERY if one in held.block and one not in held.allow)


def check(watch: Watch, deed: Callable[[], None], before: Content, after: Content) -> None:
    """Do a deed; each address has, at each moment of it, the verdict of either list."""
    watch.seen = [watch.look()]
    deed()
    old, new = dropped(before), dropped(after)
    assert (watch.seen[0], watch.seen[-1]) == (old, new)
    for moment in watch.seen:
        assert old & new <= moment <= old | new, sorted(moment ^ (moment & (old | new) | old & new))


def some(rng: np.random.Generator) -> AddressSet:
    """Return some of the addresses, of which neighbours make networks."""
    return AddressSet.of(*(one for one in EVERY if rng.random() < 0.6))


NAMED = {
    "allowed inside newly blocked": (content(), content(("203.0.113.0/28",), ("203.0.113.7",))),
    "an address becomes a network": (content(("203.0.113.2",)), content(("203.0.113.0/28",))),
    "the same of the allow list": (
        content(("203.0.113.0/28",), ("203.0.113.2",)),
        content(("203.0.113.0/28",), ("203.0.113.2/31",)),
    ),
    "of IPv6": (
        content(("2001:db8:5::2",), ("2001:db8:5::4/127",)),
        content(("2001:db8:5::/125", "2001:db8:5::8"), ("2001:db8:5::4", "2001:db8:5::8")),
    ),
}


@pytest.mark.parametrize("making", [difference, replacing])
@pytest.mark.parametrize("case", NAMED)
def test_each_address_has_its_old_or_its_new_verdict_after_every_message(
    enforcer: IptablesEnforcer, watch: Watch, making: Making, case: str
) -> None:
    before, after = NAMED[case]
    for old, new in ((before, after), (after, before)):
        enforcer.apply(replacement(old))
        enforcer.settle()
        there = making(old, new)
        check(watch, lambda: enforcer.apply(there), old, new)  # noqa: B023  called at once
        check(watch, lambda: enforcer.revert(there), new, old)  # noqa: B023


@pytest.mark.parametrize("making", [difference, replacing])
def test_so_it_is_with_any_two_lists(
    enforcer: IptablesEnforcer, watch: Watch, making: Making
) -> None:
    rng = np.random.default_rng(15)
    held = Content.empty()
    for _ in range(25):
        wanted = Content(some(rng), some(rng))
        plan = making(held, wanted)
        check(watch, lambda: enforcer.apply(plan), held, wanted)  # noqa: B023
        check(watch, lambda: enforcer.revert(plan), wanted, held)  # noqa: B023
        enforcer.apply(plan)
        enforcer.settle()
        held = wanted


@contextmanager
def sending_to(address: str, processor: int) -> Iterator[Callable[[], tuple[int, int]]]:
    """Send all the while from another processor; yields what tells how many, and how many were not.

    The processor is left for good: the child is forked.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.sched_setaffinity(0, {processor})
        _send_until_told(address, writer)
    os.close(writer)

    def result() -> tuple[int, int]:
        os.kill(child, signal.SIGTERM)
        with os.fdopen(reader) as answer:
            sent, refused = map(int, answer.read().split())
        os.waitpid(child, 0)
        return sent, refused

    try:
        yield result
    finally:
        with suppress(ProcessLookupError):  # it has told
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _send_until_told(address: str, writer: int) -> None:
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    sent = refused = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        while not ended:
            sent += 1
            try:
                one.sendto(b"", (address, 9))
            except OSError as error:
                refused += error.errno == errno.EPERM
    os.write(writer, f"{sent} {refused}".encode())
    os._exit(0)


@pytest.mark.parametrize("making", [difference, replacing])
def test_no_packet_to_an_address_that_neither_list_drops_is_dropped_on_the_way(
    enforcer: IptablesEnforcer, making: Making
) -> None:
    allowed = "203.0.113.7"
    # They come after the network that it lies in, and give a packet some milliseconds.
    first = np.arange(90_000, dtype=np.uint32) * 4 + (210 << 24)
    others = from_prefixes4(first, np.full(len(first), 31, np.uint8))
    lists = (
        Content(others | AddressSet.of("203.0.113.0/24"), AddressSet.of(allowed)),
        Content.empty(),
    )
    enforcer.apply(replacement(lists[0]))
    enforcer.settle()
    with sending_to(allowed, max(os.sched_getaffinity(0))) as ended:
        for turn in range(6):
            plan = making(lists[turn % 2], lists[1 - turn % 2])
            assert plan.way is (Way.DIFFERENCE if making is difference else Way.REPLACE)
            enforcer.apply(plan)
            enforcer.settle()
        sent, refused = ended()
    assert sent > 100
    assert refused == 0, f"{refused} of {sent} packets"
