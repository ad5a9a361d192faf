"""The safe order with a real kernel: commit-confirm, what others do to it, a boot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enforcement.kernel.apply import Ending, Outcome, enforce, release
from enforcement.kernel.boot import restore
from enforcement.kernel.host import Canaries, Host, NoCanaries
from enforcement.kernel.layout import SETS
from enforcement.kernel.state import StateFolder
from enforcement.kernel.verify import verify
from tests.enforcement.kernel.pretended import Store
from tests.fakes.gateway import clean, sh
from tests.fakes.network import MORE4, MORE6, SERVER4, Lab

pytestmark = pytest.mark.kernel
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BAD4, CANARY4, BAD6, CANARY6 = MORE4[0], MORE4[1], MORE6[0], MORE6[1]


class Pinged:
    """Canaries that are addresses of the lab, asked by ping from the gateway."""

    def __init__(self, network: Lab, *addresses: str) -> None:
        self.network, self.addresses = network, frozenset(addresses)

    def answering(self) -> frozenset[str]:
        return self.addresses - self.lost(self.addresses)

    def lost(self, answered: frozenset[str]) -> frozenset[str]:
        return frozenset(one for one in answered if not self.network.pings("gateway", one))


class Site:
    """A gateway with lists."""

    def __init__(self, path: Path, network: Lab) -> None:
        self.host, self.store, self.network = Host(StateFolder(path)), Store(), network

    def enforce(self, *block: str, canaries: Canaries | None = None) -> Outcome:
        return enforce(
            host=self.host,
            target=self.store.target(*block, enforcer="iptables", label=f"list of {len(block)}"),
            stored=self.store,
            canaries=canaries or NoCanaries(),
            cut=lambda _newly, _allowed: 0,
        )

    def check(self) -> tuple[str, ...]:
        return verify(host=self.host, now=NOW).healed

    def drops(self, address: str) -> bool:
        return not self.network.pings("client", address)


@pytest.fixture
def site(tmp_path: Path, network: Lab) -> Iterator[Site]:
    try:
        yield Site(tmp_path / "enforcer", network)
    finally:
        clean()


@pytest.mark.parametrize("canary", [CANARY4, CANARY6])
def test_a_list_that_cuts_off_a_canary_is_taken_back_by_itself_and_says_so(
    site: Site, canary: str
) -> None:
    site.enforce(BAD4)
    canaries = Pinged(site.network, SERVER4, canary)
    outcome = site.enforce(BAD6, f"{canary}/32" if "." in canary else canary, canaries=canaries)
    assert (outcome.ending, outcome.lost) == (Ending.ROLLED_BACK, (canary,))
    assert outcome.in_force is not None
    assert outcome.in_force.label == "list of 1"
    assert site.drops(BAD4)
    assert not site.drops(BAD6)
    assert site.check() == ()
    again = site.enforce(BAD6, canaries=canaries)
    assert (again.ending, again.lost) == (Ending.APPLIED, ())
    assert site.drops(BAD6)
    assert not site.drops(BAD4)
    assert not site.drops(canary)


def test_a_first_list_that_cuts_off_a_canary_leaves_no_trace(site: Site) -> None:
    canaries = Pinged(site.network, CANARY4)
    outcome = site.enforce(BAD4, CANARY4, canaries=canaries)
    assert (outcome.ending, outcome.in_force) == (Ending.ROLLED_BACK, None)
    assert not site.drops(BAD4)
    assert sh("ipset", "list", "-n") == ""
    assert "TS" not in sh("iptables-save") + sh("ip6tables-save")


def test_what_others_flush_destroy_and_change_is_healed_and_told(site: Site) -> None:
    site.enforce(BAD4, MORE4[2])
    sh("ipset", "flush", "TSblockaddr")
    assert site.check() == ("TSblockaddr held 0 of 2 entries",)
    assert site.drops(BAD4)
    sh("ipset", "del", "TSblockaddr", BAD4)
    sh("ipset", "add", "TSblockaddr", SERVER4)
    assert site.check() == ("the sets held 1 foreign entries, and 1 were missing",)
    assert site.drops(BAD4)
    assert not site.drops(SERVER4)
    for command in ("iptables", "ip6tables"):
        sh(command, "-F")
    assert site.check()
    assert site.drops(BAD4)
    for command in ("iptables", "ip6tables"):
        sh(command, "-F")
        sh(command, "-X")
    sh("ipset", "destroy")
    healed = site.check()
    assert "TSblockaddr was not there, with 2 entries" in healed
    assert site.drops(BAD4)
    assert site.check() == ()


def test_an_apply_over_what_another_changed_to_the_same_count_ends_whole(site: Site) -> None:
    site.enforce(BAD4, MORE4[2])
    sh("ipset", "del", "TSblockaddr", BAD4)
    sh("ipset", "add", "TSblockaddr", SERVER4)
    assert site.enforce(BAD4, MORE4[3]).ending == Ending.APPLIED
    assert site.drops(BAD4)
    assert not site.drops(SERVER4)
    assert site.check() == ()


def test_a_boot_restores_what_was_in_force_and_nothing_after_a_release(site: Site) -> None:
    site.enforce(BAD4, BAD6)
    clean()
    assert not site.drops(BAD4)
    assert restore(host=site.host, now=NOW) == f"restored list of 2: 2 entries in {len(SETS)} sets"
    assert site.drops(BAD4)
    assert site.drops(BAD6)
    release(host=site.host, enforcer="iptables")
    assert not site.drops(BAD4)
    assert restore(host=site.host, now=NOW) == "nothing to restore: nothing is in force"
    assert sh("ipset", "list", "-n") == ""
