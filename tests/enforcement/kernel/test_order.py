"""The safe order with a real kernel and each enforcer: commit-confirm, others' deeds, a boot."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enforcement.kernel.apply import Ending, Outcome, enforce, plan_target, release
from enforcement.kernel.base import Rules, Target, Way
from enforcement.kernel.boot import main as boot, restore
from enforcement.kernel.errors import StateDamaged
from enforcement.kernel.host import Canaries, Host, NoCanaries
from enforcement.kernel.layout import SETS
from enforcement.kernel.state import StateFolder
from enforcement.kernel.verify import verify
from tests.enforcement.kernel.nft_table import live
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
    """A gateway with lists, steered by one of the enforcers."""

    def __init__(self, path: Path, network: Lab, enforcer: str) -> None:
        self.host, self.store, self.network = Host(StateFolder(path)), Store(), network
        self.enforcer = enforcer

    def target(self, *block: str) -> Target:
        """Store a list and return the target of it."""
        return self.store.target(*block, enforcer=self.enforcer, label=f"list of {len(block)}")

    def by(self, *, iptables: str, nftables: str) -> str:
        """Return the words of the enforcer."""
        return {"iptables": iptables, "nftables": nftables}[self.enforcer]

    def ipset(self, deed: str, *addresses: str) -> None:
        """Do to the set of single addresses what another program or person might do."""
        if self.enforcer == "iptables":
            sh("ipset", deed, "TSblockaddr", *addresses)
        else:
            word = {"add": "add element", "del": "delete element", "flush": "flush set"}[deed]
            elements = f"{{ {', '.join(addresses)} }}" if addresses else ""
            sh("nft", f"{word} inet tscm {live('TSblockaddr')} {elements}")

    def nothing_is_left(self) -> bool:
        """Tell whether the kernel has neither sets nor rules of ours."""
        return (
            sh("ipset", "list", "-n") == ""
            and "TS" not in sh("iptables-save") + sh("ip6tables-save")
            and "tscm" not in sh("nft", "list", "ruleset")
        )

    def enforce(self, *block: str, canaries: Canaries | None = None) -> Outcome:
        return enforce(
            host=self.host,
            target=self.target(*block),
            stored=self.store,
            canaries=canaries or NoCanaries(),
            cut=lambda _newly, _allowed: 0,
        )

    def check(self) -> tuple[str, ...]:
        return verify(host=self.host, now=NOW).healed

    def drops(self, address: str) -> bool:
        return not self.network.pings("client", address)


@pytest.fixture(params=["iptables", "nftables"])
def site(tmp_path: Path, network: Lab, request: pytest.FixtureRequest) -> Iterator[Site]:
    try:
        yield Site(tmp_path / "enforcer", network, request.param)
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
    assert site.nothing_is_left()


def test_what_others_flush_destroy_and_change_is_healed_and_told(site: Site) -> None:
    site.enforce(BAD4, MORE4[2])
    site.ipset("flush")
    assert site.check() == ("TSblockaddr held 0 of 2 entries",)
    assert site.drops(BAD4)
    site.ipset("del", BAD4)
    site.ipset("add", SERVER4)
    assert site.check() == ("the sets held 1 foreign entries, and 1 were missing",)
    assert site.drops(BAD4)
    assert not site.drops(SERVER4)
    if site.enforcer == "iptables":
        for command in ("iptables", "ip6tables"):
            sh(command, "-F")
    else:
        sh("nft", "flush", "chain", "inet", "tscm", "TSforward")
    told = "; ".join(site.check())
    assert site.by(iptables="FORWARD does not jump", nftables="TSforward lacks a rule") in told
    assert site.drops(BAD4)
    clean()
    healed = site.check()
    assert "TSblockaddr was not there, with 2 entries" in healed
    assert site.drops(BAD4)
    assert site.check() == ()


def test_an_apply_over_what_another_changed_to_the_same_count_ends_whole(site: Site) -> None:
    site.enforce(BAD4, MORE4[2])
    site.ipset("del", BAD4)
    site.ipset("add", SERVER4)
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
    release(host=site.host, enforcer=site.enforcer)
    assert not site.drops(BAD4)
    assert restore(host=site.host, now=NOW) == "nothing to restore: nothing is in force"
    assert site.nothing_is_left()


def test_a_boot_without_the_state_restores_what_was_before_it_and_says_so(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.enforce(BAD4)
    site.enforce(BAD6, MORE4[2])
    clean()
    (site.host.folder.path / "state.json").unlink()
    with pytest.raises(StateDamaged, match=r"state\.json is missing, while state\.previous\.json"):
        site.check()
    assert boot([str(site.host.folder.path)]) == 1
    assert "What was in force before it was restored: list of 1" in capsys.readouterr().err
    assert site.drops(BAD4)
    assert not site.drops(BAD6)
    assert "is missing" in site.enforce(BAD6, MORE4[2]).healed[0]
    assert site.drops(BAD6)
    assert site.check() == ()


def test_a_kill_while_canaries_are_waited_for_is_taken_back_where_one_is_lost(site: Site) -> None:
    """The canary is asked again by the next start, which is not the program that was killed."""
    site.enforce(BAD4)
    canaries = Pinged(site.network, SERVER4, CANARY4)
    child = os.fork()
    if child == 0:
        canaries.lost = _kill  # type: ignore[method-assign,assignment]
        canaries.answering = lambda: canaries.addresses  # type: ignore[method-assign]
        try:
            site.enforce(BAD6, CANARY4, canaries=canaries)
        finally:
            os._exit(0)  # it was not killed
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert site.drops(CANARY4)
    assert site.host.folder.has_journal()
    (said,) = verify(host=site.host, now=NOW, canaries=canaries).healed
    assert said.endswith(f"list of 2 was cut short, and was undone: {CANARY4} did not confirm it")
    assert site.drops(BAD4)
    assert not site.drops(CANARY4)
    assert not site.drops(BAD6)
    state = site.host.folder.state()
    assert state is not None
    assert state.target == site.target(BAD4)
    assert not site.host.folder.has_journal()
    assert site.check() == ()


def _kill(_answered: frozenset[str]) -> frozenset[str]:
    os.kill(os.getpid(), signal.SIGKILL)
    return frozenset()


def test_a_plan_is_what_the_apply_then_does(site: Site) -> None:
    steps: tuple[tuple[str, ...], ...] = (
        (BAD4, BAD6),
        (BAD4, MORE4[2], MORE4[4]),
        (BAD4, MORE4[2], MORE4[4]),
        ("198.51.100.8/29",),
    )
    for block in steps:
        plan = plan_target(host=site.host, target=site.target(*block), stored=site.store)
        outcome = site.enforce(*block)
        assert (outcome.way, outcome.added, outcome.removed) == (
            plan.way, plan.added, plan.removed,
        )  # fmt: skip
        live = site.host.enforcers(site.enforcer).read(Rules()).content
        assert live is not None
        assert live.digests() == plan.wanted.digests()


def test_a_plan_of_a_difference_that_does_not_fit_is_a_replacement_as_is_the_apply(
    site: Site,
) -> None:
    site.enforce(BAD4)
    if site.enforcer == "iptables":
        sh("ipset", "create", "small", "hash:ip", "maxelem", "1")
        sh("ipset", "add", "small", BAD4)
        sh("ipset", "swap", "small", "TSblockaddr")
        sh("ipset", "destroy", "small")
    wanted = (BAD4, MORE4[2])
    plan = plan_target(host=site.host, target=site.target(*wanted), stored=site.store)
    assert (plan.way, plan.added) == (Way.REPLACE, 1)
    outcome = site.enforce(*wanted)
    assert (outcome.way, outcome.added) == (Way.REPLACE, 1)
    assert site.drops(MORE4[2])
