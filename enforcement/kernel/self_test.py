"""Prove on this host that a listed address is refused and another is not, and explain what is seen.

A rule that drops in OUTPUT lets the send call itself fail: `Operation not permitted`. That is what
is looked for; some versions of ping, Debian 12's among them, show it as a lost packet only.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from enforcement.kernel.base import Content, Counters, Rules
from enforcement.kernel.canaries import socket_address
from enforcement.kernel.errors import EnforceUnavailable
from enforcement.kernel.kernel_log import KernelLog
from enforcement.kernel.log_limit import LOG_PREFIX
from netsets.cidr import AddressSet

TEST_ADDRESS = "64.87.3.133"  # bad.threatstop.com, which every ThreatSTOP list has
LOGGED = "it is logged"  # the step of the kernel log
_DISCARD = 9  # the port whose datagrams nobody answers (RFC 863)
_DESTINATION = re.compile(r"\bDST=([0-9a-fA-F.:]+)")
_OTHERS = tuple(f"192.0.2.{last}" for last in range(1, 255))  # TEST-NET-1: nobody has them
_NO_WAY = "no packet could be sent, so that the rules were not tried"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at."""

    name: str
    ok: bool | None  # None: it could not be told
    seen: str  # a sentence; where it is not as it should be, with what to do

    @classmethod
    def passed(cls, name: str, seen: str) -> Step:
        """Return a step that found things as they should be."""
        return cls(name, ok=True, seen=seen)

    @classmethod
    def failed(cls, name: str, seen: str) -> Step:
        """Return a step that did not."""
        return cls(name, ok=False, seen=seen)

    @classmethod
    def untold(cls, name: str, seen: str) -> Step:
        """Return a step that could not look."""
        return cls(name, ok=None, seen=seen)


@dataclass(frozen=True, slots=True)
class SelfTest:
    """All that was looked at, in order."""

    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool | None:
        """Whether enforcement is proven: False where a step failed, None where one is missing."""
        if any(step.ok is False for step in self.steps):
            return False
        return None if any(step.ok is None for step in self.steps) else True

    def hearing(self, lines: Iterable[str], *, address: str) -> SelfTest:
        """Return it with the line that somebody else read in the kernel log, if one is about it."""
        line = line_about(address, lines)
        if line is None:
            return self
        heard = Step.passed(LOGGED, line)
        return SelfTest(tuple(heard if step.name == LOGGED else step for step in self.steps))

    @property
    def summary(self) -> str:
        """Return the result in a sentence."""
        named = [step.name for step in self.steps if step.ok is self.ok]
        if self.ok:
            return "this host refuses what is listed, counts and logs it, and lets the rest pass"
        failed = "failed" if self.ok is False else "could not be told"
        return f"not proven: {', '.join(named)} {failed}"


@dataclass(frozen=True, slots=True)
class Sent:
    """What the kernel said of one datagram."""

    error: int  # of the send call; 0: it passed the rules
    answer: int = 0  # the error that came back with it: a rule that rejects tells the sender

    @property
    def is_refused(self) -> bool:
        """Whether a rule of this host stopped it."""
        return self.error == errno.EPERM

    @property
    def is_tried(self) -> bool:
        """Whether it came as far as the rules."""
        return self.error in {0, errno.EPERM}


@dataclass(frozen=True, slots=True)
class _Tried:
    """All that came of one datagram to the listed address."""

    address: str
    sent: Sent
    moved: int  # by how much the outbound counter grew
    lines: tuple[str, ...]  # of the kernel log
    deaf: str  # why the log could not be read; "" where it could


def choose_listed(block: AddressSet, preferred: str = TEST_ADDRESS) -> str | None:
    """Return an address to test with that the set holds; None where it is empty.

    The preferred one where it is listed, else the lowest that stands alone, else one out of the
    lowest range: IPv4 before IPv6. The allow list is to be taken out of the set before.
    """
    if preferred in block:
        return preferred
    for ranges in (block.v4, block.v6):
        if len(ranges):
            width = ranges.shape[1] // 2
            first, last = ranges[:, :width], ranges[:, width:]
            alone = (first == last).all(axis=1)
            row = int(np.argmax(alone))  # 0 where none is
            # The first address of a network names the network itself.
            number = _number(first[row].tolist()) + (not alone[row])
            kind = ipaddress.IPv4Address if width == 1 else ipaddress.IPv6Address
            return str(kind(number))
    return None


def _number(words: list[int]) -> int:
    return words[0] if len(words) == 1 else words[0] << 64 | words[1]


def choose_unlisted(block: AddressSet, *, near: Iterable[str] = ()) -> str | None:
    """Return an address to test with that the set does not hold; None where none was found.

    `near` are addresses that would rather be taken, such as those of gateways; else it is one that
    nobody has (RFC 5737).
    """
    return next((one for one in (*near, *_OTHERS) if one not in block), None)


def send_datagram(address: str) -> Sent:
    """Send one small datagram and return what the kernel said of it."""
    try:
        family, target = socket_address(address, _DISCARD)
        with socket.socket(family, socket.SOCK_DGRAM) as one:
            one.connect(target)
            try:
                one.send(b"tsadmin check")
            except OSError as error:
                return Sent(
                    error.errno or errno.EIO, one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                )
    except socket.gaierror:  # a link that is not here
        return Sent(errno.EADDRNOTAVAIL)
    except OSError as error:
        return Sent(error.errno or errno.EIO)
    return Sent(0)


def self_test(
    *,
    listed: str,
    unlisted: str | None,
    rules: Rules,
    live: Content | None,
    counters: Callable[[], Counters],
    now: datetime,
    log: Callable[[], KernelLog] = KernelLog,
) -> SelfTest:
    """Send one datagram to each address and tell what became of it.

    `live` is what was read back from the kernel, None where the sets are not there; `counters`
    reads those of the rules and is called twice. Raises what it raises.
    """
    tried = _try(listed, counters, log)
    return SelfTest(
        (
            _live_step(listed, live),
            _refused_step(tried, live, rules, now),
            _counter_step(tried),
            _log_step(tried, rules),
            _unlisted_step(unlisted),
        )
    )


def _try(listed: str, counters: Callable[[], Counters], log: Callable[[], KernelLog]) -> _Tried:
    before = counters()
    lines: tuple[str, ...] = ()
    deaf = ""
    try:
        opened = log()
    except EnforceUnavailable as error:
        deaf, sent = str(error), send_datagram(listed)
    else:
        with opened:
            sent = send_datagram(listed)
            lines = opened.lines()
    return _Tried(listed, sent, counters().outbound - before.outbound, lines, deaf)


def _live_step(listed: str, live: Content | None) -> Step:
    name = "the address is in the live sets"
    if live is None:
        return Step.failed(name, "the sets are not in the kernel: apply the policy to this device")
    if listed in live.allow:
        return Step.failed(
            name, f"{listed} is in the allow list, which is never dropped: test another"
        )
    if listed not in live.block:
        return Step.failed(name, f"{listed} is listed, but in no live set: apply the policy again")
    return Step.passed(name, f"{listed} is in the live block sets")


def _refused_step(tried: _Tried, live: Content | None, rules: Rules, now: datetime) -> Step:
    name = "a packet to it is refused"
    sending, sent = f"sending to {tried.address}", tried.sent
    if sent.is_refused:
        told = f", and the sender is told: {os.strerror(sent.answer)}" if sent.answer else ""
        return Step.passed(name, f"{sending}: {os.strerror(sent.error)}{told}")
    if not sent.is_tried:
        way = "Give this host a route to it, or test another address"
        return Step.untold(name, f"{sending}: {os.strerror(sent.error)}; {_NO_WAY}. {way}")
    return Step.failed(name, f"it was sent: {_why_sent(tried, live, rules, now)}")


def _why_sent(tried: _Tried, live: Content | None, rules: Rules, now: datetime) -> str:
    """Return the cause that is nearest, and the next step."""
    if live is None or tried.address not in live.block or tried.address in live.allow:
        return "the sets do not have the rules refuse it, see above"
    if rules.paused_until is not None and now < rules.paused_until:
        end = f"{rules.paused_until:%Y-%m-%d %H:%M} UTC"
        return f"enforcing is paused until {end}. End the pause to test"
    if tried.moved > 0:
        return "our rules count packets, and none of them stops this one. Apply the rules again"
    return (
        "our rules are not hooked into OUTPUT, or a rule before them accepts it. Look with "
        "`iptables -S OUTPUT` or `nft list ruleset`, and apply the rules again"
    )


def _counter_step(tried: _Tried) -> Step:
    name = "our rules count it"
    if not tried.sent.is_tried:
        return Step.untold(name, _NO_WAY)
    if tried.moved > 0:
        return Step.passed(name, f"the outbound counter moved by {tried.moved:,}")
    if tried.sent.is_refused:
        return Step.failed(
            name,
            "the packet was refused and our outbound counter did not move: another rule of this "
            "host refused it. Look for it with `iptables -S` or `nft list ruleset`",
        )
    return Step.failed(name, "our outbound counter did not move: the rules have not seen it")


def _log_step(tried: _Tried, rules: Rules) -> Step:
    name = LOGGED
    line = line_about(tried.address, tried.lines)
    if line is not None:
        return Step.passed(name, line)
    if tried.deaf:
        return Step.untold(name, tried.deaf)
    if not tried.sent.is_refused:
        return Step.untold(name, "nothing was refused, so that there is nothing to log")
    if rules.log_limit:
        return Step.untold(
            name, f"no line was seen; the limit of {rules.log_limit} may have left it out"
        )
    return Step.failed(
        name,
        f"no line `{LOG_PREFIX}… DST={tried.address}` came. In a network namespace of its own the "
        "kernel logs only while net.netfilter.nf_log_all_netns is 1; else apply the rules again",
    )


def line_about(address: str, lines: Iterable[str]) -> str | None:
    """Return the line of our rules that has an address as destination, None where none has."""
    ours = (line for line in lines if LOG_PREFIX in line)
    return next((line for line in ours if _is_about(line, address)), None)


def _is_about(line: str, address: str) -> bool:
    """Tell whether a line has the address as its destination; IPv6 stands there in full length."""
    found = _DESTINATION.search(line)
    try:
        return found is not None and ipaddress.ip_address(found[1]) == ipaddress.ip_address(address)
    except ValueError:
        return False


def _unlisted_step(address: str | None) -> Step:
    name = "an address that is not listed can be sent to"
    if address is None:
        return Step.untold(name, "no address was found that is not listed: name one")
    sent = send_datagram(address)
    if sent.is_refused:
        return Step.failed(
            name,
            f"sending to {address}: {os.strerror(sent.error)}. A rule of this host refuses more "
            "than is listed: look with `iptables -S OUTPUT` or `nft list ruleset`",
        )
    if not sent.is_tried:
        return Step.untold(name, f"sending to {address}: {os.strerror(sent.error)}; {_NO_WAY}")
    return Step.passed(name, f"a packet to {address} was sent")
