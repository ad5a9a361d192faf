"""Kill applies in the real kernel and look at what is enforced; one JSON line tells how it went.

Run as root in a network namespace of its own: `python -m tests.reliability.kill_apply replace 100`,
or another of KINDS, or `lines 0`. All the while another process sends to an address of each family
that both lists block and to one that both allow: no packet to the first may ever leave, each to the
second must.
"""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from enforcement.kernel.apply import enforce, release
from enforcement.kernel.base import Enforcer, Rules, Target, Verdict, Way, digest_of
from enforcement.kernel.host import Host, NoCanaries
from enforcement.kernel.iptables import IptablesEnforcer
from enforcement.kernel.layout import SETS
from enforcement.kernel.nftables import NftablesEnforcer
from enforcement.kernel.state import StateFolder
from netsets import cidr
from netsets.cidr import AddressSet
from netsets.codec import encode
from tests.enforcement.kernel.kills import at_line, files_of
from tests.enforcement.kernel.nft_table import ruleset
from tests.fakes.gateway import clean, sh

BLOCKED, ALLOWED = ("203.0.113.1", "2001:db8:5::1"), ("203.0.113.200", "2001:db8:5::c8")
NETWORKS = ("203.0.113.0/24", "2001:db8:5::/64")
ENTRIES = 20_000
SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Kind:
    """What is killed: an apply by an enforcer, which takes this way."""

    way: Way
    changed: int = ENTRIES // 2
    enforcer: str = "iptables"
    program: str = "iptables"
    verdict: Verdict = Verdict.DROP  # of the second list; that of the first is DROP
    is_first: bool = False  # each apply is a first one, from nothing
    windows: tuple[tuple[float, float], ...] = ((0.0, 1.0), (0.2, 0.7))  # of an apply, to kill in

    def made(self) -> Enforcer:
        """Return the enforcer."""
        if self.enforcer == "nftables":
            return NftablesEnforcer()
        return IptablesEnforcer(program=self.program)


KINDS = {
    "replace": Kind(Way.REPLACE),
    "difference": Kind(Way.DIFFERENCE, changed=400),
    "nftables": Kind(Way.REPLACE, enforcer="nftables", windows=((0.0, 0.6),)),
    "legacy": Kind(Way.REPLACE, program="iptables-legacy", windows=((0.0, 0.15),)),
    "verdict": Kind(Way.DIFFERENCE, changed=400, verdict=Verdict.REJECT, windows=((0.0, 0.4),)),
    "first": Kind(Way.REPLACE, is_first=True),
}


def listed(mark: int, changed: int) -> AddressSet:
    """Return some thousand addresses and networks, of which so many bear the mark."""
    numbers = np.arange(ENTRIES, dtype=np.uint32) * 512 + (20 << 24)
    numbers[:changed] += mark * 4
    length = np.where(np.arange(ENTRIES) % 4, 32, 31).astype(np.uint8)
    return cidr.from_prefixes4(numbers, length) | AddressSet.of(*NETWORKS)


@dataclass(frozen=True, slots=True)
class Site:
    """The kernel of this namespace, its state folder, and two lists that take turns."""

    folder: StateFolder
    store: dict[str, bytes]
    targets: tuple[Target, Target]
    kind: Kind

    def enforce(self, target: Target) -> Way:
        """Apply a target, whatever was left before; return the way that it took."""
        done = enforce(
            host=self.host(),
            target=target,
            stored=self.store.__getitem__,
            canaries=NoCanaries(),
            cut=lambda _newly, _allowed: 0,
        )
        assert done.in_force == target
        return done.way

    def host(self) -> Host:
        """Return the host with new enforcers, as a start has them."""
        return Host(self.folder, lambda _: self.kind.made())

    def release(self) -> None:
        """Take everything out, whatever was left before."""
        release(host=self.host(), enforcer=self.kind.enforcer)

    def which(self) -> int | None:
        """Return which of the two lists is enforced; fails where it is neither, or half.

        None for nothing, where an apply may have found nothing. The rules are those of one of both.
        """
        enforcer = self.kind.made()
        every = dict.fromkeys(one.rules for one in self.targets)
        lives = [enforcer.read(rules) for rules in every]
        content = lives[0].content
        if self.kind.is_first and (content is None or not content.block):
            return None
        assert content is not None, lives[0].sets
        held = content.digests()
        names = [(one.block_digest, one.allow_digest) for one in self.targets]
        assert held in names, f"neither the old nor the new list: {dict(lives[0].sets)}"
        # The two families are written one after the other.
        for is_v6 in (False, True):
            faults = [[said for said in one.faults if ("(ip6" in said) == is_v6] for one in lives]
            assert [] in faults, faults
        return names.index(held)

    def check_settled(self, number: int) -> None:
        """Fail unless kernel and folder agree on one of the lists, with nothing left over."""
        assert self.which() == number
        assert self.kind.made().read(self.targets[number].rules).faults == ()
        state = self.folder.state()
        assert state is not None
        assert state.target == self.targets[number]
        assert not self.folder.has_journal()
        is_nft = self.kind.enforcer == "nftables"
        assert len(sh("ipset", "list", "-n").split()) == (0 if is_nft else len(SETS))
        assert len(ruleset().sets) == (len(SETS) if is_nft else 0)


@contextmanager
def site(kind: Kind) -> Iterator[Site]:
    """Have the first of two lists in force that differ as the kind wants it."""
    for network in NETWORKS:
        sh("ip", "route", "add", network, "dev", "lo")
    allow = AddressSet.of(*ALLOWED)
    blocks = [listed(mark, kind.changed) for mark in (0, 1)]
    store = {digest_of(one): encode(one) for one in (*blocks, allow)}
    first, second = (
        Target(
            f"list {number}",
            kind.enforcer,
            digest_of(block),
            digest_of(allow),
            # A limit: other tests read the kernel's log, which is one for the whole machine.
            Rules(kind.verdict if number else Verdict.DROP, log_limit="1/hour"),
        )
        for number, block in enumerate(blocks)
    )
    with tempfile.TemporaryDirectory(prefix="kill-") as folder:
        made = Site(StateFolder(Path(folder)), store, (first, second), kind)
        try:
            made.enforce(first)
            yield made
        finally:
            clean()
            for network in NETWORKS:
                sh("ip", "route", "del", network, "dev", "lo")


@contextmanager
def sending(*, blocked: bool) -> Iterator[Callable[[], int]]:
    """Send all the while; the value fails for a wrong packet and returns how many were tried.

    To what is blocked only where something is in force all the while.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        every = [(one, False) for one in ALLOWED] + [(one, True) for one in BLOCKED if blocked]
        _send_until_told(writer, every)
    os.close(writer)

    def result() -> int:
        os.kill(child, signal.SIGTERM)
        with os.fdopen(reader) as answer:
            said = json.loads(answer.read())
        os.waitpid(child, 0)
        assert said["wrong"] == [], said
        return int(said["sent"])

    yield result


def _send_until_told(writer: int, every: Sequence[tuple[str, bool]]) -> None:
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    sent = 0
    wrong: list[tuple[int, str]] = []
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six,
    ):
        while not ended:
            for address, is_blocked in every:
                sent += 1
                error = _error_of(six if ":" in address else four, address)
                if (error == errno.EPERM) != is_blocked and len(wrong) < 5:
                    wrong.append((sent, address))
            time.sleep(0.0005)  # leave the processor to the apply
    os.write(writer, json.dumps({"sent": sent, "wrong": wrong}).encode())
    os._exit(0)


def _error_of(one: socket.socket, address: str) -> int:
    try:
        one.sendto(b"", (address, 9))
    except OSError as error:
        return error.errno or 0
    return 0


def in_a_child(work: Callable[[], object], *, kill_after: float | None = None) -> float | None:
    """Work in a forked process; return how long it took, None when it was killed before."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  a forked child must not return into the loop
            sys.stderr.write(f"child: {error!r}\n")
            os._exit(1)
        os._exit(0)
    if kill_after is not None:
        while time.monotonic() < began + kill_after and not _has_ended(child):
            time.sleep(0.0005)
        os.kill(child, signal.SIGKILL)  # one that has ended is still there, to be waited for
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return None
    assert os.waitstatus_to_exitcode(status) == 0
    return time.monotonic() - began


def _has_ended(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def look(one: Site) -> int | None:
    """Return which list is enforced; a program that the killed one began may still be ending."""
    ends = time.monotonic() + SECONDS
    while True:
        try:
            return one.which()
        except AssertionError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.01)  # polled: nothing tells when it has ended


def at_random(kind: Kind, kills: int) -> dict[str, int]:
    """Kill at random moments."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    left = {"old": 0, "new": 0}
    with site(kind) as one, sending(blocked=not kind.is_first) as sent:
        if kind.is_first:
            one.release()
        usual = in_a_child(lambda: _take(one, 1)) or 0.0
        in_force, rounds, reach = 1, 0, 1.0
        while sum(left.values()) < kills:
            rounds += 1
            assert rounds < 5 * kills, f"seed {seed}: only {left} of {rounds} killed in time"
            wanted = 1 - in_force
            target = one.targets[wanted]
            if kind.is_first:
                one.release()
            begin, end = chance.choice(kind.windows)
            took = in_a_child(
                lambda target=target: one.enforce(target),  # type: ignore[misc]
                kill_after=usual * reach * chance.uniform(begin, end),
            )
            found = look(one)
            if took is None:
                left["new" if found == wanted else "old"] += 1
                reach *= _lean(left)
            else:  # too late: the machine has become quicker than it was
                usual = (usual + took) / 2
            # The next start finishes or undoes it, and goes on.
            one.enforce(target)
            one.check_settled(wanted)
            in_force = wanted
        left["sent"] = sent()
    return left


def _lean(left: Mapping[str, int]) -> float:
    """Return by how much to kill earlier or later, as long as all kills ended alike."""
    if not left["old"]:
        return 0.7
    return 1.0 if left["new"] else 1.3


def _take(one: Site, number: int) -> None:
    """Apply a list; fails where it did not take the way that is meant to be killed."""
    assert one.enforce(one.targets[number]) == one.kind.way


def at_lines() -> dict[str, int]:
    """Kill at each line of what puts the steps in order."""
    left = {"old": 0, "new": 0}

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    files = files_of("apply", "recover")
    with site(KINDS["replace"]) as one, sending(blocked=True) as sent:
        for line in range(1, 1000):
            wanted = line % 2

            def work(line: int = line, target: Target = one.targets[wanted]) -> None:
                with at_line(line, kill, files=files):
                    one.enforce(target)

            if in_a_child(work) is not None:
                break
            left["new" if look(one) == wanted else "old"] += 1
            one.enforce(one.targets[wanted])
            one.check_settled(wanted)
        left["sent"] = sent()
    return left


def main(how: str, kills: int) -> None:
    """Kill, and say how it went."""
    left = at_lines() if how == "lines" else at_random(KINDS[how], kills)
    print(json.dumps(left))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
