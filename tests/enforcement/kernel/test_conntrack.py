"""Open connections are cut where they are newly blocked, and nowhere else."""

from __future__ import annotations

import errno
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from enforcement.kernel import conntrack
from enforcement.kernel.conntrack import CutResult, cut_connections
from enforcement.kernel.conntrack_wire import deletion, dump_request, read_connections
from enforcement.kernel.netlink import Netlink
from netsets.cidr import AddressSet
from tests.fakes.network import CLIENT4, GATEWAY4, MORE4, MORE6, SERVER4, SERVER6, Lab

pytestmark = pytest.mark.kernel

PORT = 8080
NOTHING = AddressSet.empty()


@pytest.fixture
def tracked(network: Lab) -> Iterator[Lab]:
    """The lab with a gateway that tracks connections: a kernel does so once a rule asks for it."""
    rule = ("FORWARD", "-m", "conntrack", "--ctstate", "NEW", "-j", "ACCEPT")
    for tool in ("iptables", "ip6tables"):
        network.run("gateway", tool, "-A", *rule)
    yield network
    for tool in ("iptables", "ip6tables"):
        network.run("gateway", tool, "-D", *rule)
    network.run("gateway", "conntrack", "-F")
    network.run("gateway", "nft", "flush", "ruleset")  # tables that iptables leaves empty


@contextmanager
def nat(lab: Lab, *rule: str) -> Iterator[None]:
    """Have a rule in the nat table."""
    lab.run("gateway", "iptables", "-t", "nat", "-A", *rule)
    try:
        yield
    finally:
        lab.run("gateway", "iptables", "-t", "nat", "-D", *rule)


@contextmanager
def connected(lab: Lab, *addresses: str, port: int = PORT) -> Iterator[None]:
    """Hold a connection from the client to each address."""
    program = (
        "import socket,sys\n"
        "held=[socket.create_connection((a,int(sys.argv[1])),timeout=5) for a in sys.argv[2:]]\n"
        "print(all(one.recv(5)==b'hello' for one in held),flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [*lab.prefix("client"), "python3", "-c", program, str(port), *addresses]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "True"
            yield
        finally:
            process.kill()


@contextmanager
def serving(lab: Lab, *addresses: str) -> Iterator[None]:
    """Have the server listen on addresses."""
    with ExitStack() as stack:
        for address in addresses:
            stack.enter_context(lab.listening("server", address, PORT))
        yield


def listed(lab: Lab, family: str = "ipv4") -> list[str]:
    """Return the connections as conntrack-tools list them, those to our port."""
    lines = lab.run("gateway", "conntrack", "-L", "-f", family, "-p", "tcp").stdout.splitlines()
    return [line for line in lines if f"port={PORT}" in line]


def mention(lines: list[str], address: str) -> int:
    """Return how many lines have an address."""
    return sum(f"={address} " in line for line in lines)


def test_only_connections_to_what_is_newly_blocked_are_cut(tracked: Lab) -> None:
    with serving(tracked, SERVER4, *MORE4[:2]), connected(tracked, SERVER4, *MORE4[:2], MORE4[0]):
        assert len(listed(tracked)) == 4
        cut = cut_connections(AddressSet.of(MORE4[0], "203.0.113.0/24"), allowed=NOTHING)
        left = listed(tracked)
    assert (cut.cut, cut.ended, cut.unread, cut.note) == (2, 0, 0, "")
    assert cut.seen >= 4
    assert len(left) == 2
    assert (mention(left, SERVER4), mention(left, MORE4[1]), mention(left, MORE4[0])) == (1, 1, 0)


def test_a_connection_to_what_is_allowed_stays(tracked: Lab) -> None:
    with serving(tracked, *MORE4[:2]), connected(tracked, *MORE4[:2]):
        block = AddressSet.of("198.51.100.0/24")
        assert cut_connections(block, allowed=AddressSet.of(*MORE4[:2])).cut == 0
        assert cut_connections(block, allowed=AddressSet.of(MORE4[0])).cut == 1
        assert mention(listed(tracked), MORE4[0]) == 1
        # As in the rules: an allowed source opens no way to a blocked destination.
        assert cut_connections(block, allowed=AddressSet.of(CLIENT4)).cut == 1
        assert listed(tracked) == []


def test_connections_of_both_families_are_cut_in_one_go(tracked: Lab) -> None:
    addresses = (SERVER4, MORE4[0], SERVER6, MORE6[0])
    with serving(tracked, *addresses), connected(tracked, *addresses):
        before = len(listed(tracked)), len(listed(tracked, "ipv6"))
        cut = cut_connections(
            AddressSet.of(MORE4[0], MORE6[0], MORE6[1]), allowed=AddressSet.of(MORE6[1])
        )
        four, six = listed(tracked), listed(tracked, "ipv6")
    assert before == (2, 2)
    assert cut.cut == 2
    assert (mention(four, SERVER4), mention(six, SERVER6)) == (1, 1)
    assert len(four) == len(six) == 1


def test_only_the_family_that_changed_is_asked_for(tracked: Lab) -> None:
    with serving(tracked, SERVER4, SERVER6), connected(tracked, SERVER4, SERVER6):
        cut = cut_connections(AddressSet.of(SERVER6), allowed=NOTHING)
        assert (cut.cut, mention(listed(tracked), SERVER4)) == (1, 1)
        assert listed(tracked, "ipv6") == []


def test_a_masqueraded_connection_is_found_by_both_of_its_ends(tracked: Lab) -> None:
    with (
        nat(tracked, "POSTROUTING", "-o", "sv0", "-j", "MASQUERADE"),
        serving(tracked, MORE4[0]),
        connected(tracked, MORE4[0], MORE4[0]),
    ):
        assert mention(listed(tracked), GATEWAY4[1]) == 2
        # Our own address stands in the reply tuple only: no rule ever sees it there.
        assert cut_connections(AddressSet.of(GATEWAY4[1]), allowed=NOTHING).cut == 0
        assert cut_connections(AddressSet.of(MORE4[0]), allowed=NOTHING).cut == 2
        with connected(tracked, MORE4[0]):
            assert cut_connections(AddressSet.of(CLIENT4), allowed=NOTHING).cut == 1


def test_of_a_redirected_connection_the_end_that_rules_see_counts(tracked: Lab) -> None:
    # What the client asked for is 198.51.100.99; what it is led to is another address.
    asked = "198.51.100.99"
    rule = ("PREROUTING", "-d", asked, "-j", "DNAT", "--to-destination", MORE4[0])
    with nat(tracked, *rule), serving(tracked, MORE4[0]), connected(tracked, asked):
        assert mention(listed(tracked), asked) == 1
        assert cut_connections(AddressSet.of(asked), allowed=NOTHING).cut == 0
        assert cut_connections(AddressSet.of(MORE4[0]), allowed=NOTHING).cut == 1
        assert listed(tracked) == []


def test_a_connection_that_has_taken_the_tuple_of_another_stays(tracked: Lab) -> None:
    """What is to be cut is told by its id too, which no later connection has."""
    with serving(tracked, SERVER4), connected(tracked, SERVER4), Netlink() as netlink:
        buffer = b"".join(netlink.dump(dump_request(socket.AF_INET)))
        (request,) = (deletion(buffer, start) for start in read_connections(buffer).at4.tolist())
        id_of_another = request[:-1] + bytes([request[-1] ^ 1])
        assert netlink.answers([id_of_another]) == [errno.ENOENT]
        assert len(listed(tracked)) == 1
        assert netlink.answers([request, request]) == [0, errno.ENOENT]
        assert listed(tracked) == []


def test_a_connection_in_a_zone_is_found_again(tracked: Lab) -> None:
    rule = ("PREROUTING", "-i", "cl0", "-j", "CT", "--zone", "7")
    back = ("PREROUTING", "-i", "sv0", "-j", "CT", "--zone", "7")
    for one in (rule, back):
        tracked.run("gateway", "iptables", "-t", "raw", "-A", *one)
    try:
        with serving(tracked, SERVER4), connected(tracked, SERVER4):
            assert any("zone=7" in line for line in listed(tracked))
            assert cut_connections(AddressSet.of(SERVER4), allowed=NOTHING).cut == 1
            assert listed(tracked) == []
    finally:
        for one in (rule, back):
            tracked.run("gateway", "iptables", "-t", "raw", "-D", *one)


def test_thousands_of_connections_are_cut_in_batches(
    tracked: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conntrack, "_BUFFER", 100_000)
    add = (
        "for port in $(seq 10001 13000); do echo -A -s 192.0.2.9 -d 198.51.100.$((port % 2 + 10)) "
        f"-p tcp --sport $port --dport {PORT} --state ESTABLISHED -t 100 -u ASSURED; done"
        " | conntrack -R -"
    )
    tracked.run("gateway", "sh", "-c", add)
    assert len(listed(tracked)) == 3000
    assert cut_connections(AddressSet.of(MORE4[1]), allowed=NOTHING).cut == 1500
    assert cut_connections(AddressSet.of(MORE4[1]), allowed=NOTHING).cut == 0
    assert len(listed(tracked)) == 1500


def test_nothing_is_looked_at_where_nothing_is_newly_blocked(tracked: Lab) -> None:
    with serving(tracked, SERVER4), connected(tracked, SERVER4):
        assert cut_connections(NOTHING, allowed=NOTHING) == CutResult()


def test_a_kernel_that_tracks_nothing_says_so(
    network: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cut_connections(AddressSet.of(SERVER4), allowed=NOTHING) == CutResult()  # an empty table
    monkeypatch.setattr(conntrack, "COUNT", Path("/proc/sys/net/netfilter/no_such_file"))
    cut = cut_connections(AddressSet.of(SERVER4), allowed=NOTHING)
    assert (cut.cut, cut.seen) == (0, 0)
    assert "tracks no connections" in cut.note
