"""What ctnetlink sends is read without a kernel too: whatever it is."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given, strategies as st

from enforcement.kernel.conntrack_wire import deletion, read_connections
from enforcement.kernel.errors import EnforceRefused
from enforcement.kernel.netlink import attribute, message, nested

CT_NEW = 0x100


def number(address: str) -> bytes:
    """Return an address as bytes."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address)


def direction(kind: int, source: str, destination: str) -> bytes:
    """Return a tuple as ctnetlink writes it."""
    first = 3 if ":" in source else 1
    addresses = nested(
        1, attribute(first, number(source)), attribute(first + 1, number(destination))
    )
    return nested(kind, addresses, nested(2, attribute(1, b"\6"), attribute(2, b"\0\1")))


def connection(*attributes: bytes, family: int = socket.AF_INET) -> bytes:
    """Return a connection of a dump."""
    return message(CT_NEW, b"".join(attributes), family=family)


PLAIN = connection(
    direction(1, "192.0.2.2", "198.51.100.1"),
    direction(2, "203.0.113.9", "192.0.2.2"),
    attribute(3, bytes(4)),
    attribute(12, b"\1\2\3\4"),
)
SIX = connection(
    direction(1, "2001:db8::2", "2001:db8::9"),
    direction(2, "2001:db8::9", "2001:db8::2"),
    attribute(12, b"\5\6\7\x08"),
    family=socket.AF_INET6,
)


def test_the_ends_of_connections_of_both_families_are_read() -> None:
    held = read_connections(SIX + PLAIN + SIX)
    assert (held.count, held.unread) == (3, 0)
    assert held.at4.tolist() == [len(SIX)]
    assert held.at6.tolist() == [0, len(SIX) + len(PLAIN)]
    assert held.ends4.tolist() == [[0xC0000202, 0xCB007109]]
    assert held.ends6.tolist() == [[[0x20010DB8 << 32, 2], [0x20010DB8 << 32, 9]]] * 2


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(connection(), id="no tuples"),
        pytest.param(connection(direction(1, "192.0.2.2", "192.0.2.3")), id="no reply tuple"),
        pytest.param(
            connection(
                direction(2, "192.0.2.3", "192.0.2.2"), direction(1, "192.0.2.2", "192.0.2.3")
            ),
            id="another order",
        ),
        pytest.param(connection(attribute(1, bytes(60_000))), id="a length that leads astray"),
        pytest.param(connection(family=socket.AF_BRIDGE), id="another family"),
    ],
)
def test_a_connection_that_lies_otherwise_is_counted_and_left_alone(other: bytes) -> None:
    held = read_connections(PLAIN + other + PLAIN)
    assert (held.count, held.unread) == (3, 1)
    assert len(held.at4) == 2


def test_a_connection_without_an_id_is_never_asked_to_be_deleted() -> None:
    nameless = connection(
        direction(1, "192.0.2.2", "192.0.2.3"), direction(2, "192.0.2.3", "192.0.2.2")
    )
    with pytest.raises(EnforceRefused, match="no id"):
        deletion(nameless, 0)


@given(st.binary(max_size=300), st.integers(0, len(PLAIN)))
def test_no_bytes_make_the_reader_fail(rest: bytes, cut: int) -> None:
    for buffer in (rest, PLAIN + rest, PLAIN[:cut] + rest, SIX[:cut] + rest + PLAIN):
        held = read_connections(buffer)
        assert 0 <= held.unread <= held.count
        assert len(held.at4) + len(held.at6) + held.unread == held.count
