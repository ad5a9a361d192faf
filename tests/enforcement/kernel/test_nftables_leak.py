"""Packets that somebody outside sends to a blocked network while lists are replaced."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from enforcement.kernel.base import Content, Rules, Verdict
from enforcement.kernel.nftables import NftablesEnforcer
from netsets.cidr import AddressSet, from_prefixes4
from tests.enforcement.kernel.packets import HOSTS, NETWORK
from tests.fakes.gateway import clean, sh
from tests.fakes.network import Lab

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]
ENTRIES = 20_000
REPLACEMENTS = 40
QUIET = "1/hour"  # other tests read the kernel's log, which is one for the whole machine
_SENDS = """
import socket, sys
four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
every = [(six if ":" in one else four, (one, 9)) for one in sys.argv[1:]]
print("sending", flush=True)
while True:
    for out, address in every:
        try:
            out.sendto(b"", address)
        except OSError:
            pass  # told by the server that nobody listens
"""


@pytest.fixture
def enforcer() -> Iterator[NftablesEnforcer]:
    yield NftablesEnforcer()
    clean()


@contextmanager
def sending(network: Lab, *addresses: str) -> Iterator[None]:
    """Have the client send to addresses of the server, one after the other, as fast as it can."""
    command = [*network.prefix("client"), "python3", "-c", _SENDS, *addresses]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "sending\n"
            yield
        finally:
            process.kill()


def watch(*addresses: str) -> None:
    """Have another table count what is forwarded to each address, behind ours."""
    sh("nft", "add table inet witness")
    sh("nft", "add chain inet witness passed { type filter hook forward priority 10; }")
    for address in addresses:
        family = "ip6" if ":" in address else "ip"
        sh("nft", f"add rule inet witness passed {family} daddr {address} counter")


def passed() -> list[int]:
    """Return how many packets to each address that is watched have passed."""
    listed = sh("nft", "list chain inet witness passed").split()
    return [int(listed[place + 1]) for place, word in enumerate(listed) if word == "packets"]


def listed(seed: int) -> Content:
    """Return some thousand entries that differ by seed, a half of them networks; two are shared."""
    numbers = np.arange(ENTRIES, dtype=np.uint32) * 512 + (20 << 24) + np.uint32(seed * 4)
    length = np.where(np.arange(ENTRIES) % 2, 32, 31).astype(np.uint8)
    shared = AddressSet.of(NETWORK[4], NETWORK[6])
    return Content(from_prefixes4(numbers, length) | shared, AddressSet.of("203.0.113.0/24"))


@pytest.mark.parametrize("verdict", list(Verdict))
def test_no_packet_to_a_blocked_network_passes_while_lists_take_turns(
    network: Lab, enforcer: NftablesEnforcer, verdict: Verdict
) -> None:
    lists, every = (listed(1), listed(2)), (Rules(log_limit=QUIET), Rules(verdict, log_limit=QUIET))
    blocked, open_ = [HOSTS[4][4], HOSTS[6][4]], [HOSTS[4][3], HOSTS[6][3]]
    enforcer.apply(enforcer.plan(None, lists[0], every[0]))
    watch(*blocked, *open_)
    with sending(network, *blocked, *open_):
        for number in range(1, REPLACEMENTS + 1):
            new = number % 2
            plan = enforcer.plan(lists[1 - new], lists[new], every[new])
            enforcer.apply(plan)
            if number % 4 == 0:
                enforcer.revert(plan)
                enforcer.apply(plan)
    *dropped, four, six = passed()
    assert dropped == [0, 0]
    assert four > 1000 < six
    assert enforcer.read_counters().inbound > 1000
