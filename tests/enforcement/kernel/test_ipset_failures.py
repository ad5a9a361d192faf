"""What can go wrong in the kernel: what was in force stays, whole, and the error says why."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest

from enforcement.kernel import ipset_deeds, ipset_wire as wire
from enforcement.kernel.base import Content
from enforcement.kernel.errors import EnforceRefused, EnforceUnavailable, KernelDiffers
from enforcement.kernel.ipset import IpsetSets, aside
from enforcement.kernel.ipset_deeds import Request
from enforcement.kernel.ipset_errors import NotUnderstood
from enforcement.kernel.ipset_fill import NetlinkFiller
from enforcement.kernel.ipset_restore import RestoreFiller
from enforcement.kernel.layout import SETS, Entries, SetChange, SetName
from enforcement.kernel.netlink import Netlink, message
from tests.enforcement.kernel.contents import content, difference, random_content, replacement
from tests.enforcement.kernel.test_ipset import AFTER, BEFORE, held, ipset

pytestmark = pytest.mark.kernel


@pytest.fixture
def sets() -> Iterator[IpsetSets]:
    """The sets, holding BEFORE, and nothing of them afterwards."""
    made = IpsetSets()
    made.apply(replacement(BEFORE))
    made.settle()
    try:
        yield made
    finally:
        made.remove()
        assert ipset("list", "-n") == ""


class Half(NetlinkFiller):
    """Fills sets by halves, as if somebody took the rest out again."""

    def fill(self, called: str, name: SetName, entries: Entries) -> None:
        half = len(entries) // 2
        super().fill(called, name, Entries(entries.first[:half], entries.length[:half]))


class HalfRestored(RestoreFiller):
    """Fills sets by halves, by the program."""

    def fill(self, called: str, name: SetName, entries: Entries) -> None:
        half = len(entries) // 2
        super().fill(called, name, Entries(entries.first[:half], entries.length[:half]))


class Refused(NetlinkFiller):
    """Has the kernel refuse the last network: no set of ours takes a /0."""

    def fill(self, called: str, name: SetName, entries: Entries) -> None:
        length = entries.length.copy()
        length[-1:] = 0
        super().fill(called, name, Entries(entries.first, length))


class Deaf(NetlinkFiller):
    """Speaks a protocol that the kernel does not know."""

    def fill(self, called: str, name: SetName, entries: Entries) -> None:
        self._say(called)

    def change(self, changes: Sequence[SetChange]) -> None:
        self._say(str(changes[0].name))

    def _say(self, called: str) -> None:
        with Netlink() as netlink:
            body = bytes((5, 0, 1, 0, 3, 0, 0, 0))  # IPSET_ATTR_PROTOCOL: 3
            asked = message(wire.SUBSYSTEM | wire.Command.ADD, body)
            ipset_deeds.do(netlink, [Request(f"adding entries of set {called}", asked)])


def test_a_count_that_is_not_as_intended_leaves_the_live_sets_alone(sets: IpsetSets) -> None:
    with pytest.raises(KernelDiffers, match=r"TSblockaddr\.new has 0 entries and not 1:"):
        IpsetSets(Half()).apply(replacement(AFTER, current=BEFORE))
    assert held(sets) == BEFORE.digests()
    assert not [name for name in ipset("list", "-n").split() if name.endswith(".new")]


def test_a_short_count_by_the_program_leaves_the_live_sets_alone(sets: IpsetSets) -> None:
    wanted = content(tuple(f"198.51.100.{last}" for last in range(0, 200, 2)))
    with pytest.raises(KernelDiffers, match=r"TSblockaddr\.new has 50 entries and not 100:"):
        IpsetSets(HalfRestored()).apply(replacement(wanted, current=BEFORE))
    assert held(sets) == BEFORE.digests()
    assert not [name for name in ipset("list", "-n").split() if name.endswith(".new")]


def test_a_fill_that_the_kernel_refuses_leaves_the_live_sets_alone(sets: IpsetSets) -> None:
    with pytest.raises(EnforceRefused, match=r"TSblocknet\.new .*INVALID_CIDR"):
        IpsetSets(Refused()).apply(replacement(AFTER, current=BEFORE))
    assert held(sets) == BEFORE.digests()
    assert not [name for name in ipset("list", "-n").split() if name.endswith(".new")]


def test_a_set_that_is_full_leaves_the_live_sets_alone(
    sets: IpsetSets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire.Size, "fitting", lambda entries, *, is_net: wire.Size(1024, 100))
    with pytest.raises(EnforceRefused, match=r"TSblockaddr\.new .*HASH_FULL"):
        sets.apply(replacement(random_content(np.random.default_rng(1), 500), current=BEFORE))
    assert held(sets) == BEFORE.digests()


def limit(called: str, maxelem: int) -> None:
    """Have a live set take no more than so many entries."""
    made = ipset("save", called).splitlines()
    made[0] = made[0].split(" maxelem")[0] + f" maxelem {maxelem}"
    script = "\n".join(made).replace(called, "small") + "\n"
    subprocess.run(["ipset", "restore"], input=script, text=True, check=True, timeout=20)
    ipset("swap", "small", called)
    ipset("destroy", "small")


def test_an_error_in_the_middle_of_a_difference_is_undone(sets: IpsetSets) -> None:
    limit("TSallowaddr", 1)
    wanted = content(("203.0.113.0/24", "203.0.113.255"), ("192.0.2.77", "192.0.2.79"))
    with pytest.raises(EnforceRefused, match=r"adding entries of set TSallowaddr .*HASH_FULL"):
        sets.apply(difference(BEFORE, wanted))
    assert held(sets) == BEFORE.digests()


def test_a_difference_to_sets_that_somebody_changed_is_undone_and_told_of(
    sets: IpsetSets,
) -> None:
    ipset("add", "TSblockaddr", "203.0.113.9")
    with pytest.raises(KernelDiffers, match="TSblockaddr has 2 entries and not 1"):
        sets.apply(difference(BEFORE, AFTER))
    ipset("del", "TSblockaddr", "203.0.113.9")
    assert held(sets) == BEFORE.digests()


def test_a_difference_to_a_set_that_is_gone_says_so(sets: IpsetSets) -> None:
    ipset("destroy", "TSblockaddr6")
    with pytest.raises(KernelDiffers, match=r"TSblockaddr6 .*another program destroyed it"):
        sets.apply(difference(BEFORE, AFTER))
    assert held(sets) is None
    sets.apply(replacement(AFTER))
    assert held(sets) == AFTER.digests()


def test_a_revert_over_sets_that_somebody_changed_fills_them_anew(sets: IpsetSets) -> None:
    plan = difference(BEFORE, AFTER)
    sets.apply(plan)
    ipset("flush", "TSblockaddr")
    sets.revert(plan)
    assert held(sets) == BEFORE.digests()


def test_a_revert_that_the_live_sets_have_no_room_for_fills_them_anew(sets: IpsetSets) -> None:
    plan = difference(BEFORE, AFTER)
    sets.apply(plan)
    limit("TSblockaddr", 1)
    sets.revert(plan)
    assert held(sets) == BEFORE.digests()


def test_what_a_killed_run_left_is_in_nobodys_way(sets: IpsetSets) -> None:
    ipset("create", aside(SETS[0]), "hash:ip", "maxelem", "3")
    ipset("create", aside(SETS[1]), "bitmap:port", "range", "1-100")
    sets.apply(replacement(AFTER, current=BEFORE))
    assert held(sets) == AFTER.digests()


def test_a_flush_by_somebody_else_is_seen(sets: IpsetSets) -> None:
    ipset("flush", "TSblocknet")
    found, states = sets.read()
    assert found is not None
    assert found.digests() != BEFORE.digests()
    assert states["TSblocknet"].entries == 0


def test_a_destroy_by_somebody_else_is_seen(sets: IpsetSets) -> None:
    ipset("destroy")
    assert sets.read() == (None, {})


@pytest.mark.parametrize(
    "entry",
    [
        ("TSblocknet", "192.0.2.64/26"),  # lies within another
        ("TSblocknet", "203.0.113.1/32"),  # an address among the networks
    ],
)
def test_entries_that_a_difference_cannot_mend_are_replaced(
    sets: IpsetSets, entry: tuple[str, ...]
) -> None:
    ipset("add", *entry)
    found, states = sets.read()
    assert found is None
    assert len(states) == len(SETS)
    sets.apply(replacement(BEFORE))
    assert held(sets) == BEFORE.digests()


def test_exceptions_in_a_set_are_replaced(sets: IpsetSets) -> None:
    ipset("create", "other", "hash:net")
    ipset("add", "other", "192.0.2.0/24")
    ipset("add", "other", "192.0.2.5", "nomatch")
    ipset("swap", "other", "TSblocknet")
    ipset("destroy", "other")
    assert held(sets) is None
    sets.apply(replacement(BEFORE))
    assert held(sets) == BEFORE.digests()


@pytest.mark.parametrize("options", [("timeout", "600"), ("netmask", "24")])
def test_a_set_whose_entries_mean_something_else_is_replaced(
    sets: IpsetSets, options: tuple[str, ...]
) -> None:
    ipset("create", "other", "hash:ip", *options)
    ipset("swap", "other", "TSblockaddr")
    ipset("destroy", "other")
    assert held(sets) is None
    sets.apply(replacement(BEFORE))
    assert held(sets) == BEFORE.digests()


def test_a_set_with_counters_and_comments_is_read(sets: IpsetSets) -> None:
    ipset("create", "other", "hash:ip", "counters", "comment")
    ipset("add", "other", "198.51.100.7", "comment", "by hand")
    ipset("swap", "other", "TSblockaddr")
    ipset("destroy", "other")
    assert held(sets) == BEFORE.digests()


def test_a_set_of_our_name_of_another_type_is_told_of_and_left_alone(sets: IpsetSets) -> None:
    ipset("destroy", "TSallownet")
    ipset("create", "TSallownet", "bitmap:port", "range", "1-100")
    ipset("add", "TSallownet", "80")
    assert held(sets) is None
    for deed in (sets.make_missing, lambda: sets.apply(replacement(AFTER))):
        with pytest.raises(EnforceRefused, match="TSallownet is there as bitmap:port"):
            deed()
    with pytest.raises(EnforceRefused, match="TSallownet is there as bitmap:port"):
        sets.remove()
    assert ipset("list", "-n").split() == ["TSallownet"]
    assert "80" in ipset("list", "TSallownet").splitlines()
    ipset("destroy", "TSallownet")


def test_a_kernel_that_takes_no_batches_is_filled_by_the_program(sets: IpsetSets) -> None:
    with pytest.raises(NotUnderstood):
        Deaf().fill("TSblockaddr", SETS[0], Entries(np.empty(0, np.uint32), np.empty(0, np.uint8)))
    deaf = IpsetSets(Deaf())
    deaf.apply(replacement(AFTER, current=BEFORE))
    assert held(sets) == AFTER.digests()
    deaf = IpsetSets(Deaf())
    deaf.apply(difference(AFTER, BEFORE))
    assert held(sets) == BEFORE.digests()


def test_a_line_that_ipset_restore_refuses_is_told_of(sets: IpsetSets) -> None:
    entries = Entries(np.array([1], np.uint32), np.array([32], np.uint8))
    with pytest.raises(EnforceRefused, match=r"set gone: ipset restore ended with 1: .*line 1"):
        RestoreFiller().fill("gone", SETS[0], entries)


@contextmanager
def listing(called: str) -> Iterator[Callable[[], None]]:
    """Have somebody list a set who has not read to the end; yields what ends it."""
    with Netlink() as other:
        answer = other.dump(wire.list_entries(called))
        next(answer)

        def end() -> None:
            for _ in answer:
                pass

        yield end


def large() -> Content:
    return random_content(np.random.default_rng(9), 20_000)


def test_no_set_is_swapped_while_somebody_lists_one_of_them(
    sets: IpsetSets, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = large()
    sets.apply(replacement(before))
    sets.settle()
    monkeypatch.setattr(ipset_deeds, "_TRIES", 2)
    monkeypatch.setattr(ipset_deeds, "_PAUSE", 0.001)
    with listing("TSblockaddr"), pytest.raises(EnforceUnavailable, match="has been listing one"):
        sets.apply(replacement(AFTER, current=before))
    assert held(sets) == before.digests()


def test_a_revert_changes_the_live_sets_in_place_while_somebody_lists_one_of_them(
    sets: IpsetSets, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = large()
    sets.apply(replacement(before))
    sets.settle()
    plan = replacement(AFTER, current=before)
    sets.apply(plan)
    monkeypatch.setattr(ipset_deeds, "_TRIES", 2)
    monkeypatch.setattr(ipset_deeds, "_PAUSE", 0.001)
    with listing(aside(SETS[0])):
        sets.revert(plan)
        assert held(sets) == before.digests()
        sets.settle()
        assert aside(SETS[0]) in ipset("list", "-n").split()
    sets.settle()
    assert not [name for name in ipset("list", "-n").split() if name.endswith(".new")]


def test_sets_are_swapped_as_soon_as_nobody_lists_them_any_more(
    sets: IpsetSets, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = large()
    sets.apply(replacement(before))
    sets.settle()
    with listing("TSblockaddr") as end:
        monkeypatch.setattr("time.sleep", lambda _seconds: end())
        sets.apply(replacement(AFTER, current=before))
    assert held(sets) == AFTER.digests()


def test_a_set_that_a_rule_uses_is_not_removed_and_the_error_says_so(
    sets: IpsetSets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ipset_deeds, "_PAUSE", 0.001)
    rule = ("OUTPUT", "-m", "set", "--match-set", "TSblockaddr", "dst", "-j", "ACCEPT")
    subprocess.run(["iptables", "-w", "-A", *rule], check=True, timeout=20)
    try:
        with pytest.raises(EnforceUnavailable, match=r"TSblockaddr .*a rule uses it"):
            sets.remove()
    finally:
        subprocess.run(["iptables", "-w", "-D", *rule], check=True, timeout=20)


def test_a_process_without_power_is_told_what_it_needs() -> None:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            # User 65534 loses every capability with the change.
            ctypes.CDLL(None, use_errno=True).setresuid(65534, 65534, 65534)
            IpsetSets().states()
        except EnforceUnavailable as error:
            code = 0 if "CAP_NET_ADMIN" in str(error) else 2
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
