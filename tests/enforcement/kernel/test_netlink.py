"""The netlink socket: how dumps end, and what a process without all power can do."""

from __future__ import annotations

import errno
import struct

import pytest

from enforcement.kernel.netlink import HEAD, NetlinkRefused, _end_of_dump

DONE = 3  # NLMSG_DONE


def ending(number: int) -> memoryview:
    """Return the message that ends a dump with an error number, 0 for none."""
    return memoryview(HEAD.pack(HEAD.size + 4, DONE, 0, 1, 0) + struct.pack("=i", -number))


def test_a_dump_that_ends_with_an_error_is_no_whole_dump() -> None:
    assert _end_of_dump(ending(0))
    for number in (errno.ENOENT, errno.EINTR, errno.ENOMEM):
        with pytest.raises(NetlinkRefused) as refused:
            _end_of_dump(ending(number))
        assert refused.value.errno == number
