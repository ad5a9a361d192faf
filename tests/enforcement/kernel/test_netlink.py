"""The netlink socket: how dumps end, and what a process without all power can do."""

from __future__ import annotations

import errno
import socket
import struct
import subprocess
import sys

import pytest

from enforcement.kernel import netlink
from enforcement.kernel.errors import EnforceUnavailable
from enforcement.kernel.netlink import HEAD, Netlink, NetlinkRefused, _end_of_dump

DONE = 3  # NLMSG_DONE
IN_A_CONTAINER = ("unshare", "--user", "--map-root-user", "--net")
# Fills a set of a namespace of its own.
FILLS = """
from enforcement.kernel.base import Content, Rules, Way
from enforcement.kernel.ipset import IpsetSets
from enforcement.kernel.plan import make_plan
from netsets.cidr import AddressSet
sets = IpsetSets()
sets.apply(make_plan(None, Content(AddressSet.of("192.0.2.1"), AddressSet.empty()), Rules()))
print(sets.states()["TSblockaddr"].entries)
"""


def ending(number: int) -> memoryview:
    """Return the message that ends a dump with an error number, 0 for none."""
    return memoryview(HEAD.pack(HEAD.size + 4, DONE, 0, 1, 0) + struct.pack("=i", -number))


def test_a_dump_that_ends_with_an_error_is_no_whole_dump() -> None:
    assert _end_of_dump(ending(0))
    for number in (errno.ENOENT, errno.EINTR, errno.ENOMEM):
        with pytest.raises(NetlinkRefused) as refused:
            _end_of_dump(ending(number))
        assert refused.value.errno == number


@pytest.mark.kernel
def test_root_of_a_container_may_fill_sets() -> None:
    if subprocess.run([*IN_A_CONTAINER, "true"], timeout=20, check=False).returncode:
        pytest.skip("this machine lets nobody make user namespaces")
    done = subprocess.run(
        [*IN_A_CONTAINER, sys.executable, "-c", FILLS],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == "1\n", done.stderr


@pytest.mark.kernel
def test_a_socket_that_cannot_be_prepared_is_told_of_and_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[socket.socket] = []

    class Kept(socket.socket):
        def __init__(self, *arguments: int) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(netlink, "_NETLINK_CAP_ACK", 999)
    monkeypatch.setattr(socket, "socket", Kept)
    with pytest.raises(EnforceUnavailable, match="cannot be prepared: Protocol not available"):
        Netlink()
    assert made[0].fileno() == -1
