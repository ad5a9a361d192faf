"""Addresses that move between the two sets of a list, with packets on the way all the while."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from enforcement.kernel.base import Content, Rules
from enforcement.kernel.ipset import IpsetSets
from enforcement.kernel.iptables import IptablesEnforcer
from netsets.cidr import AddressSet
from tests.enforcement.kernel.contents import content, replacement
from tests.enforcement.kernel.test_ipset import held, ipset
from tests.fakes.gateway import clean, sh

pytestmark = pytest.mark.kernel

ROUNDS = 800
# Sends until its input ends, then says how many were sent and how many of them were not dropped.
SENDS = """
import select, socket, sys
sent, passed, s = 0, 0, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    for _ in range(100):
        sent += 1
        try: s.sendto(b"x", ("198.51.100.8", 9))
        except PermissionError: continue
        passed += 1
print(sent, passed)
"""
SINGLE, PAIR = content(("198.51.100.8",)), content(("198.51.100.8/31",))


@pytest.fixture
def enforcer() -> Iterator[IptablesEnforcer]:
    """Rules over empty sets, and a way for packets."""
    sh("ip", "route", "add", "198.51.100.0/24", "dev", "lo")
    made = IptablesEnforcer()
    made.write_rules(Rules(log_limit="1/hour"))
    try:
        yield made
    finally:
        clean()
        sh("ip", "route", "del", "198.51.100.0/24", "dev", "lo")


@contextmanager
def sending() -> Iterator[list[int]]:
    """Send all the while; the two counts are there afterwards."""
    counts: list[int] = []
    with subprocess.Popen(
        [sys.executable, "-c", SENDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as sender:
        assert sender.stdout is not None
        assert sender.stdout.readline() == "ready\n"
        yield counts
        said, _ = sender.communicate(timeout=20)
        counts += map(int, said.split())


def test_an_address_that_both_lists_block_is_dropped_while_it_moves_between_sets(
    enforcer: IptablesEnforcer,
) -> None:
    enforcer.apply(replacement(SINGLE))
    with sending() as counts:
        before, wanted = SINGLE, PAIR
        for _ in range(ROUNDS):
            plan = replacement(wanted, current=before)
            enforcer.apply(plan)
            enforcer.revert(plan)
            enforcer.apply(plan)
            enforcer.settle()
            before, wanted = wanted, before
    sent, passed = counts
    assert sent > ROUNDS
    assert passed == 0


@pytest.mark.parametrize(("before", "wanted"), [(SINGLE, PAIR), (PAIR, SINGLE)])
def test_the_sets_hold_no_more_than_the_list_after_a_move(before: Content, wanted: Content) -> None:
    sets = IpsetSets()
    try:
        sets.apply(replacement(before))
        sets.settle()
        plan = replacement(wanted, current=before)
        sets.apply(plan)
        assert held(sets) == wanted.digests()
        sets.revert(plan)
        assert held(sets) == before.digests()
    finally:
        sets.remove()


def test_more_movers_than_a_live_set_has_room_for_hold_up_nothing() -> None:
    every = content(("192.0.2.0/24",))
    odd = Content(AddressSet.of(*(f"192.0.2.{n}" for n in range(1, 255, 2))), AddressSet.empty())
    sets = IpsetSets()
    try:
        sets.apply(replacement(every))
        ipset("create", "small", "hash:ip", "maxelem", "10")
        ipset("swap", "small", "TSblockaddr")
        ipset("destroy", "small")
        sets.settle()
        plan = replacement(odd, current=every)
        sets.apply(plan)
        assert held(sets) == odd.digests()
        sets.revert(plan)
        assert held(sets) == every.digests()
    finally:
        sets.remove()
