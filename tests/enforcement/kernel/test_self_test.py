"""The self-test among real rules: those that enforce, and all the ways in which they may not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from enforcement.kernel.base import Content, Counters, Rules, Verdict
from enforcement.kernel.kernel_log import KernelLog
from enforcement.kernel.log_limit import LOG_PREFIX
from enforcement.kernel.self_test import SelfTest, self_test
from netsets.cidr import AddressSet
from tests.fakes.namespace_log import namespaces_log
from tests.fakes.network import MORE4, MORE6, SERVER4, SERVER6, Lab

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.allow_hosts(["198.51.100.0/24", "203.0.113.0/24", SERVER6, MORE6[9]]),
]

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
# Of no other test: the log is one for the whole machine, and others write to it.
LISTED, LISTED6 = MORE4[9], MORE6[9]
LIVE = Content(AddressSet.of(LISTED, LISTED6), AddressSet.empty())
TOOLS = ("iptables", "ip6tables")
LOG = ("-j", "LOG", "--log-prefix", LOG_PREFIX)


class Firewall:
    """As much of an enforcer as the self-test looks at: sets, one chain a family, its hook."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def _run(self, *command: str) -> str:
        return self._lab.run("gateway", *command).stdout

    def each(self, *rule: str) -> None:
        """Do the same in both families."""
        for tool in TOOLS:
            self._run(tool, *rule)

    def write(self, *verdict: str, log: bool = True) -> None:
        """Have the sets with the listed addresses, and the chain without its hook."""
        for tool, family, address in zip(TOOLS, ("inet", "inet6"), (LISTED, LISTED6), strict=True):
            self._run("ipset", "create", f"ts{tool}", "hash:ip", "family", family)
            self._run("ipset", "add", f"ts{tool}", address)
            self._run(tool, "-N", "ts")
            match = ("-m", "set", "--match-set", f"ts{tool}", "dst")
            if log:
                self._run(tool, "-A", "ts", *match, *LOG)
            self._run(tool, "-A", "ts", *match, *verdict)

    def hook(self) -> None:
        """Hook the chain in."""
        self.each("-A", "OUTPUT", "-j", "ts")

    def empty(self) -> None:
        """Flush the sets."""
        self._run("ipset", "flush")

    def remove(self) -> None:
        """Leave nothing of it."""
        for tool in TOOLS:
            self._run(tool, "-F")
            self._run(tool, "-X")
            self._run("ipset", "destroy", f"ts{tool}")

    def counters(self) -> Counters:
        """Return what the rules with a verdict have counted."""
        lines = [line for tool in TOOLS for line in self._run(tool, "-nvxL", "ts").splitlines()]
        return Counters(
            outbound=sum(
                int(line.split()[0]) for line in lines if " DROP " in line or "REJ" in line
            )
        )


@contextmanager
def firewall(lab: Lab, *verdict: str, log: bool = True) -> Iterator[Firewall]:
    """Have sets and a chain for the block, not hooked in yet."""
    made = Firewall(lab)
    made.write(*(verdict or ("-j", "DROP")), log=log)
    try:
        yield made
    finally:
        made.remove()


def report_of(
    held: Firewall,
    *,
    listed: str = LISTED,
    unlisted: str | None = SERVER4,
    rules: Rules | None = None,
    live: Content | None = LIVE,
) -> SelfTest:
    """Run the self-test."""
    return self_test(
        listed=listed,
        unlisted=unlisted,
        rules=rules or Rules(),
        live=live,
        counters=held.counters,
        now=NOW,
    )


def results(test: SelfTest) -> list[bool | None]:
    """Return how each step ended."""
    return [step.ok for step in test.steps]


@pytest.mark.parametrize(
    ("listed", "unlisted"), [(LISTED, SERVER4), (LISTED6, SERVER6)], ids=["IPv4", "IPv6"]
)
def test_enforcing_is_proven_by_the_call_that_fails_and_the_line_in_the_log(
    network: Lab, listed: str, unlisted: str
) -> None:
    with firewall(network) as held, namespaces_log():
        held.hook()
        test = report_of(held, listed=listed, unlisted=unlisted)
    assert results(test) == [True] * 5
    assert test.ok
    _, refused, counter, logged, other = (step.seen for step in test.steps)
    assert refused == f"sending to {listed}: Operation not permitted"
    assert counter == "the outbound counter moved by 1"
    assert logged.startswith(f"{LOG_PREFIX}IN= OUT=sv0 SRC=")
    assert other == f"a packet to {unlisted} was sent"
    assert "lets the rest pass" in test.summary


def test_a_rule_that_rejects_tells_the_sender_so(network: Lab) -> None:
    verdict = ("-j", "REJECT", "--reject-with", "icmp-admin-prohibited")
    with firewall(network) as held, namespaces_log():
        network.run("gateway", "iptables", "-R", "ts", "2", "-d", LISTED, *verdict)
        held.hook()
        test = report_of(held, rules=Rules(Verdict.REJECT))
    assert results(test) == [True] * 5
    assert test.steps[1].seen == (
        f"sending to {LISTED}: Operation not permitted, and the sender is told: No route to host"
    )


def test_rules_that_are_not_hooked_in_are_named(network: Lab) -> None:
    with firewall(network) as held:
        test = report_of(held)
    assert results(test) == [True, False, False, None, True]
    assert "not hooked into OUTPUT, or a rule before them accepts it" in test.steps[1].seen
    assert test.ok is False
    assert test.summary == ("not proven: a packet to it is refused, our rules count it failed")


def test_a_rule_of_others_that_accepts_first_is_thought_of(network: Lab) -> None:
    with firewall(network) as held:
        held.each("-A", "OUTPUT", "-j", "ACCEPT")
        held.hook()
        assert "a rule before them accepts it" in report_of(held).steps[1].seen


def test_a_pause_is_named_with_its_end(network: Lab) -> None:
    with firewall(network) as held:  # a pause lets packets return before the sets: as not hooked in
        paused = report_of(held, rules=Rules(paused_until=NOW + timedelta(hours=1)))
        over = report_of(held, rules=Rules(paused_until=NOW))
    assert "paused until 2026-11-21 13:00 UTC" in paused.steps[1].seen
    assert "not hooked" in over.steps[1].seen


def test_sets_that_are_empty_or_gone_are_named(network: Lab) -> None:
    with firewall(network) as held:
        held.hook()
        held.empty()
        test = report_of(held, live=Content.empty())
        assert results(test) == [False, False, False, None, True]
        assert "in no live set" in test.steps[0].seen
        assert "see above" in test.steps[1].seen
        gone = report_of(held, live=None)
        assert "the sets are not in the kernel" in gone.steps[0].seen
        allowed = report_of(held, live=Content(LIVE.block, AddressSet.of(LISTED)))
        assert "in the allow list" in allowed.steps[0].seen


def test_a_refusal_by_somebody_else_is_not_taken_for_ours(network: Lab) -> None:
    with firewall(network) as held:
        held.each("-A", "OUTPUT", "-p", "udp", "-j", "DROP")
        test = report_of(held)
    assert results(test) == [True, True, False, False, False]
    assert "another rule of this host refused it" in test.steps[2].seen
    assert "refuses more than is listed" in test.steps[4].seen


def test_a_line_that_does_not_come_is_explained(network: Lab) -> None:
    with firewall(network, log=False) as held, namespaces_log():
        held.hook()
        silent = report_of(held)
        limited = report_of(held, rules=Rules(log_limit="1/hour"))
    assert results(silent) == [True, True, True, False, True]
    assert "nf_log_all_netns" in silent.steps[3].seen
    assert results(limited) == [True, True, True, None, True]
    assert "the limit of 1/hour" in limited.steps[3].seen


def test_what_cannot_be_sent_at_all_proves_nothing(network: Lab) -> None:
    nowhere = "203.0.113.9"
    live = Content(AddressSet.of(nowhere), AddressSet.empty())
    with firewall(network) as held:
        held.hook()
        test = report_of(held, listed=nowhere, unlisted="203.0.113.10", live=live)
        alone = report_of(held, unlisted=None)
    assert results(test) == [True, None, None, None, None]
    assert test.ok is None
    assert "Network is unreachable" in test.steps[1].seen
    assert "could not be told" in test.summary
    assert "name one" in alone.steps[4].seen


def test_the_log_gives_what_came_since_the_mark_and_each_line_once() -> None:
    def write(text: str) -> None:
        Path("/dev/kmsg").write_text(f"<7>{text}\n")

    write("tscm test: before the mark")
    with KernelLog() as log:
        write("tscm test: after the mark; with a semicolon")
        write("tscm test: another")
        lines, later = (
            [line for line in log.lines() if "tscm test" in line] for _ in ("now", "once more")
        )
    assert later == []
    assert lines[0] == "tscm test: after the mark; with a semicolon"
    assert len(lines) == 2


def test_a_process_without_power_is_told_what_it_needs_to_read_the_log() -> None:
    if Path("/proc/sys/kernel/dmesg_restrict").read_text().strip() != "1":
        pytest.skip("kernel.dmesg_restrict is 0 here: everybody may read the log")
    program = (
        "import os\n"
        "from enforcement.kernel.errors import EnforceUnavailable\n"
        "from enforcement.kernel.kernel_log import KernelLog\n"
        "os.setuid(65534)\n"
        "try:\n    KernelLog()\n"
        "except EnforceUnavailable as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert "it takes CAP_SYSLOG" in done.stdout
