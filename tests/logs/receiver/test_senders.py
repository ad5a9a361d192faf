"""From an address to the device that its lines are kept for."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, strategies as st

from logs.receiver.senders import KnownSender, SenderTable, chosen, shown
from tests.logs.receiver.desk import address, sender


def keys(table: SenderTable, text: str) -> list[int]:
    return [found.key for found in table.find(address(text))]


def test_an_address_stands_for_its_device_and_any_other_for_none() -> None:
    table = SenderTable([sender(1, "192.0.2.7"), sender(2, "192.0.2.8", "2001:db8::8")])
    assert keys(table, "192.0.2.7") == [1]
    assert keys(table, "2001:db8::8") == [2]
    assert keys(table, "192.0.2.9") == []
    assert keys(table, "2001:db8::9") == []


def test_a_mapped_address_is_the_ipv4_address() -> None:
    table = SenderTable([sender(1, "192.0.2.7"), sender(2, "::ffff:198.51.100.0/120")])
    assert keys(table, "::ffff:192.0.2.7") == [1]
    assert keys(table, "198.51.100.200") == [2]


def test_of_networks_the_longest_counts_whatever_their_order() -> None:
    networks = ["0.0.0.0/0", "192.0.0.0/16", "192.0.2.0/24", "192.0.2.7/32"]
    known = [sender(number, network) for number, network in enumerate(networks)]
    for order in (known, known[::-1]):
        table = SenderTable(order)
        assert [keys(table, text) for text in ("198.51.100.1", "192.0.9.1", "192.0.2.1")] == [
            [0], [1], [2],
        ]  # fmt: skip
        assert keys(table, "192.0.2.7") == [3]
        assert keys(table, "2001:db8::1") == []


def test_devices_that_share_a_network_are_all_found() -> None:
    table = SenderTable([sender(1, "192.0.2.7", "192.0.2.7/32"), sender(2, "192.0.2.7")])
    assert keys(table, "192.0.2.7") == [1, 2]


def test_a_network_with_host_bits_is_none() -> None:
    with pytest.raises(ValueError, match="has host bits set"):
        SenderTable([sender(1, "192.0.2.7/24")])


def test_what_was_found_is_remembered_for_a_bounded_number_of_addresses() -> None:
    table = SenderTable([sender(1, "2001:db8::/32")])
    for number in range(70_000):
        table.find(number.to_bytes(16))
    assert len(table._found) <= 65_536
    assert keys(table, "2001:db8::1") == [1]


NETWORKS = st.builds(
    lambda base, length: ipaddress.ip_network((base, length), strict=False),
    st.integers(0xC000_0200, 0xC000_02FF), st.integers(22, 32),
)  # fmt: skip


@given(networks=st.lists(NETWORKS, max_size=8), last=st.integers(0, 255))
def test_finding_agrees_with_looking_at_every_network(
    networks: list[ipaddress.IPv4Network], last: int
) -> None:
    table = SenderTable(sender(number, str(n)) for number, n in enumerate(networks))
    asked = ipaddress.IPv4Address(f"192.0.2.{last}")
    longest = max((n.prefixlen for n in networks if asked in n), default=-1)
    wanted = [number for number, n in enumerate(networks) if asked in n and n.prefixlen == longest]
    assert keys(table, str(asked)) == wanted


UUID = "00000000-0000-0000-0000-000000000001"
BY_HOST = sender(1, "192.0.2.7", names=["FW-A"])
BY_UUID = sender(2, "192.0.2.7", names=[UUID])
NAMELESS = sender(3, "192.0.2.7")


@pytest.mark.parametrize(
    ("line", "device"),
    [
        (b"<113>Mar  1 01:02:36 fw-a %FTD-1-430002: a", BY_HOST),
        (b"<113>Mar  1 01:02:36 fw-a.example.net : %FTD-1-430002: a", BY_HOST),
        (b"<113>2026-03-01T01:02:36Z fmc  %FTD-1-430002: DeviceUUID: " + UUID.encode(), BY_UUID),
        (b"<113>Mar  1 01:02:36 fw-b %FTD-1-430002: a", NAMELESS),
        (b"nothing that tells", NAMELESS),
    ],
)
def test_devices_behind_one_address_are_told_apart_by_what_their_lines_call_them(
    line: bytes, device: KnownSender
) -> None:
    assert chosen([NAMELESS, BY_HOST, BY_UUID], line) is device


def test_a_line_that_may_be_of_two_devices_is_of_none() -> None:
    assert chosen([NAMELESS, sender(4, "192.0.2.7")], b"x") is None
    assert chosen([BY_HOST, BY_UUID], b"<113>Mar  1 01:02:36 fw-b %FTD-1-430002: a") is None


@pytest.mark.parametrize("text", ["192.0.2.7", "2001:db8::7", "::", "::1"])
def test_an_address_is_shown_as_people_write_it(text: str) -> None:
    assert shown(address(text)) == text
