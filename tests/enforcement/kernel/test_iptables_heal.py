"""Whatever others do to our rules is seen, told in words and put right, in the kernel itself."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enforcement.kernel import inspector
from enforcement.kernel.base import Counters, Rules, Verdict
from enforcement.kernel.errors import EnforceUnavailable
from enforcement.kernel.iptables_backend import Tool, find_tool, programs
from enforcement.kernel.iptables_live import IptablesRules
from enforcement.kernel.iptables_rules import counted
from tests.enforcement.kernel.packets import error_of_sending
from tests.fakes.gateway import Gateway, gateway, sh
from tests.fakes.network import MORE4, MORE6, Lab

pytestmark = pytest.mark.kernel

RULES = Rules()
Deed = Callable[[Gateway, int], None]
OTHERS = "-p tcp -m tcp --dport 22 -j ACCEPT"
EVERY_KIND = [
    Rules(),
    Rules(verdict=Verdict.REJECT, log_limit="7/minute"),
    Rules(log_limit="10/second", paused_until=datetime(2037, 1, 1, tzinfo=UTC)),
]
needs_inspector = pytest.mark.skipif(
    not inspector.is_installed(), reason="python-iptables is not installed"
)


@pytest.fixture(params=["iptables-legacy", "iptables-nft"])
def host(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """A host with rules of others in INPUT, our empty sets, and the programs of one backend."""
    with gateway(request.param) as made:
        for version in (4, 6):
            made.iptables(version, "-A", "INPUT", *OTHERS.split())
        yield made


@pytest.fixture(params=[4, 6])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def tools(program: str = "iptables") -> list[Tool]:
    return [find_tool(*one) for one in programs(program)]


def flush(host: Gateway, version: int) -> None:
    host.iptables(version, "-F")


def flush_and_delete(host: Gateway, version: int) -> None:
    host.iptables(version, "-F")
    host.iptables(version, "-X")


def delete_a_hook(host: Gateway, version: int) -> None:
    host.iptables(version, "-D", "OUTPUT", "-j", "TSoutput")


def hook_twice(host: Gateway, version: int) -> None:
    host.iptables(version, "-A", "OUTPUT", "-j", "TSoutput")


def accept_before_us(host: Gateway, version: int) -> None:
    host.iptables(version, "-I", "OUTPUT", "-p", "udp", "-j", "ACCEPT")


def accept_deep_before_us(host: Gateway, version: int) -> None:
    for chain in ("first", "second"):
        host.iptables(version, "-N", chain)
    for chain, target in (("first", "second"), ("second", "ACCEPT"), ("OUTPUT", "first")):
        host.iptables(version, "-I", chain, "-j", target)


def accept_in_our_chain(host: Gateway, version: int) -> None:
    host.iptables(version, "-I", "TSoutput", "-j", "ACCEPT")


def let_our_verdict_go(host: Gateway, version: int) -> None:
    host.iptables(version, "-D", "TSout", "-j", "DROP")


BEFORE_US = "OUTPUT may let packets pass before it jumps to TSoutput"
TOLD: dict[Deed, str] = {
    flush: "OUTPUT does not jump to TSoutput",
    flush_and_delete: "chain TSforward is missing",
    delete_a_hook: "OUTPUT does not jump to TSoutput",
    hook_twice: "OUTPUT jumps to TSoutput 2 times",
    accept_before_us: f"{BEFORE_US}: -p udp -j ACCEPT",
    accept_deep_before_us: f"{BEFORE_US}: -j first",
    accept_in_our_chain: "TSoutput has a rule that is not ours: -j ACCEPT",
    let_our_verdict_go: "TSout lacks a rule: -j DROP",
}


@pytest.mark.parametrize("deed", TOLD)
def test_what_others_do_is_told_and_healed(
    network: Lab, host: Gateway, version: int, deed: Deed
) -> None:
    one = MORE4[0] if version == 4 else MORE6[0]
    host.list("block", one)
    rules = IptablesRules(host.program)
    rules.write(RULES)
    assert rules.read(RULES).faults == ()

    deed(host, version)
    assert f"{TOLD[deed]} ({host.command(version)})" in rules.read(RULES).faults
    others = _others(host, version)

    rules.write(RULES)
    assert rules.read(RULES).faults == ()
    assert error_of_sending(network, one) == errno.EPERM
    assert _others(host, version) == others


def _others(host: Gateway, version: int) -> list[str]:
    """Return the rules that are not ours, in order."""
    lines = host.says(version).splitlines()
    return [line for line in lines if line.startswith("-A") and "TS" not in line]


def test_rules_that_are_right_are_not_written_again(network: Lab, host: Gateway) -> None:
    rules = IptablesRules(host.program)
    rules.write(RULES)
    host.list("block", MORE4[0], MORE6[0])
    error_of_sending(network, MORE4[0])
    error_of_sending(network, MORE6[0])
    before = [host.says(version) for version in (4, 6)]
    rules.write(RULES)
    delete_a_hook(host, 4)
    rules.write(RULES)
    assert [host.says(version).splitlines()[1:-1] for version in (4, 6)] == [
        said.splitlines()[1:-1] for said in before
    ]
    paused = Rules(paused_until=datetime(2020, 1, 1, tzinfo=UTC))
    rules.write(paused)
    assert rules.read(paused).faults == ()
    assert rules.counters() == Counters(outbound=2)  # through all of it


def test_a_line_that_is_refused_leaves_the_old_chains_whole(host: Gateway, version: int) -> None:
    IptablesRules(host.program).write(RULES)
    tool = next(tool for tool in tools(host.program) if tool.version == version)
    before = tool.filter()
    lines = (":TSoutput - [0:0]", "-A TSoutput -j ACCEPT", "-A TSoutput -m nothing -j DROP")
    with pytest.raises(EnforceUnavailable, match="changed nothing"):
        tool.restore("\n".join(["*filter", *lines, "COMMIT", ""]))
    assert tool.filter() == before


def test_a_write_waits_for_the_lock_of_another_program() -> None:
    with gateway("iptables-legacy") as host, ThreadPoolExecutor(1) as beside:
        rules = IptablesRules(host.program)
        with Path("/run/xtables.lock").open("a") as lock:  # the machine's: other tests wait too
            fcntl.flock(lock, fcntl.LOCK_EX)
            written = beside.submit(rules.write, RULES)
            ends = time.monotonic() + 20
            while "iptables-legacy-restore" not in _children() and not written.done():
                assert time.monotonic() < ends
                time.sleep(0.005)  # polled: nothing tells when it waits
            assert not written.done()
        written.result(timeout=20)
        assert rules.read(RULES).faults == ()


def _children() -> str:
    """Return the commands of the programs that this process has started."""
    done = ["ps", "-o", "args=", "--ppid", str(os.getpid())]
    return subprocess.run(done, capture_output=True, text=True, timeout=20, check=False).stdout


def test_without_sets_nothing_is_written_and_the_set_is_named(host: Gateway) -> None:
    before = host.says(4).splitlines()[1:-1]
    sh("ipset", "destroy", "TSallownet")
    with pytest.raises(EnforceUnavailable, match="TSallownet"):
        IptablesRules(host.program).write(RULES)
    assert host.says(4).splitlines()[1:-1] == before


def test_removed_nothing_of_ours_is_left_and_all_of_others(host: Gateway, version: int) -> None:
    before = host.says(version).splitlines()[1:-1]
    rules = IptablesRules(host.program)
    rules.write(RULES)
    host.iptables(version, "-A", "INPUT", "-i", "lo", "-j", "TSinput")
    rules.remove()
    assert host.says(version).splitlines()[1:-1] == before
    rules.remove()
    sh("ipset", "destroy", "TSblockaddr")  # no rule holds it any more
    assert rules.counters() == Counters()


@pytest.mark.parametrize("rules", EVERY_KIND)
def test_every_kind_of_rules_reads_back_as_it_was_meant(host: Gateway, rules: Rules) -> None:
    live = IptablesRules(host.program)
    live.write(rules)
    assert live.read(rules).faults == ()
    for other in EVERY_KIND:
        assert bool(live.read(other).faults) == (other != rules)


@needs_inspector
@pytest.mark.parametrize("rules", EVERY_KIND)
def test_the_inspector_and_iptables_save_read_the_same(network: Lab, rules: Rules) -> None:
    with gateway("iptables-legacy") as host:
        IptablesRules(host.program).write(rules)
        host.list("block", MORE4[0], MORE6[0])
        error_of_sending(network, MORE4[0])
        error_of_sending(network, MORE6[0])
        for tool in tools(host.program):
            inspected, saved = inspector.inspect(tool.version), tool.filter()
            assert inspected == saved
            assert counted(inspected) == counted(saved)


@needs_inspector
def test_where_the_inspector_dies_iptables_save_reads(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with gateway("iptables-legacy") as host:
        rules = IptablesRules(host.program)
        rules.write(RULES)
        monkeypatch.setattr(sys, "executable", "/bin/false")
        assert rules.read(RULES).faults == ()
    assert "the inspector ended with 1" in caplog.text


def test_the_inspector_is_never_loaded_into_this_process() -> None:
    sh(
        sys.executable,
        "-c",
        "import sys, enforcement.kernel.iptables_live; sys.exit('iptc' in sys.modules)",
    )


def test_rules_of_the_other_backend_are_warned_of(host: Gateway) -> None:
    other = "iptables-nft" if host.program == "iptables-legacy" else "iptables-legacy"
    rules = IptablesRules(host.program)
    assert rules.read(RULES).warnings == ()
    sh(other, "-A", "FORWARD", "-j", "DROP")
    (warning,) = rules.read(RULES).warnings
    assert warning.startswith(f"{other} holds 1 rules, but {host.program} of this host")
    assert warning.endswith(f"see {other}-save")


def test_looking_for_rules_of_the_other_backend_makes_no_tables(network: Lab) -> None:
    # In a namespace that no legacy table was ever made in.
    program = (
        "from pathlib import Path\n"
        "from enforcement.kernel.base import Rules\n"
        "from enforcement.kernel.iptables_live import IptablesRules\n"
        "rules = IptablesRules('iptables-nft')\n"
        "found = rules.read(Rules())\n"
        "rules.remove()\n"
        "print(found.warnings, found.counters.inbound)\n"
        "print(repr(Path('/proc/net/ip_tables_names').read_text()))\n"
    )
    assert network.run("client", sys.executable, "-c", program).stdout == "() 0\n''\n"


def test_the_hosts_own_choice_of_backend_is_taken() -> None:
    legacy = [tool.is_legacy for tool in tools()]
    assert legacy == ["legacy" in sh(name, "-V") for name in ("iptables", "ip6tables")]
    assert all(tool.is_legacy for tool in tools("iptables-legacy"))
    assert not any(tool.is_legacy for tool in tools("iptables-nft"))


def test_where_iptables_is_not_installed_it_is_named() -> None:
    with pytest.raises(EnforceUnavailable, match="iptables-other is not installed"):
        IptablesRules("iptables-other").write(RULES)
