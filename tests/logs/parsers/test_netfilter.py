"""Kernel lines, whatever stands before them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from enforcement.kernel.log_limit import LOG_PREFIX
from logs.parsers.base import NO_CONNECTION, NOT_OURS, Action
from tests.logs.parsers.lines import ends, event, read
from tests.logs.parsers.samples import KERNEL_TCP, KERNEL_V6

PACKET = KERNEL_TCP.partition(b"TSblock ")[2]
HEAD = b"Mar  1 01:02:36 gw-a kernel: "
TCP = ("192.0.2.7", 40001, "198.51.100.9", 443, 6)


def line(prefix: bytes, packet: bytes = PACKET) -> bytes:
    return HEAD + prefix + packet


@pytest.mark.parametrize(
    "head",
    [b"", b"<4>", HEAD, b"<4>" + HEAD, b"Mar  1 01:02:36 gw-a ",
     b"2026-03-01T01:02:36Z gw-a kernel: ",
     b"<4>Mar  1 01:02:36 gw-a kernel: [ 1806.463962] ", b"Mar  1 01:02:36 ",
     b"<4>1 2026-03-01T01:02:36Z gw-a kernel - - - ", b"Mar  1 01:02:36 gw-a ulogd[77]: "],
)  # fmt: skip
def test_a_packet_is_read_behind_every_head(head: bytes) -> None:
    found = event(head + b"DROP: " + PACKET)
    assert ends(found) == TCP
    assert (found.action, found.said) == (Action.DROPPED, "DROP:")


DROPPED = [
    LOG_PREFIX, "iptables DROP_INPUT: ", "[UFW BLOCK] ", "[UFW LIMIT BLOCK] ", "DENY: ",
    "SFW2-INext-DROP-DEFLT ", "[wan-lan-default-D]", "[WAN_IN-2000-R]", "FINAL_REJECT: ",
    "Shorewall:net2fw:DROP:", "iptables output denied: ", "ACCEPT then DROP ", "[allow-in] drop: ",
    "policy DROP: ", "filter_IN_public_REJECT: ", "crowdsec discarded ",
]  # fmt: skip
ALLOWED = [
    "", "[UFW ALLOW] ", "[UFW AUDIT] ", "SFW2-INext-ACC-TCP ", "[WAN_OUT-2000-A]", "new: ",
    "Shorewall:net2fw:ACCEPT:", "drop2fw ACCEPT ", "[LAN_LOCAL-default-A]", "PERMIT ",
]  # fmt: skip


@pytest.mark.parametrize("prefix", DROPPED)
def test_the_last_word_of_a_verdict_in_the_prefix_says_that_it_was_dropped(prefix: str) -> None:
    found = event(line(prefix.encode()))
    assert (found.action, found.said) == (Action.DROPPED, prefix.strip())


@pytest.mark.parametrize("prefix", ALLOWED)
def test_without_such_a_word_no_drop_is_claimed(prefix: str) -> None:
    found = event(line(prefix.encode()))
    assert (found.action, found.said) == (Action.ALLOWED, prefix.strip())


FORGED = (
    "SRC=203.0.113.66 DST=203.0.113.67 ", "IN=eth9 OUT=eth9 ", "PROTO=UDP SPT=1 DPT=2 ",
    "IN=eth9 OUT=eth9 SRC=203.0.113.66 DST=203.0.113.67 LEN=1 PROTO=UDP SPT=1 DPT=2 ", "[", "]",
    "IN=", "kernel: ",
)  # fmt: skip


@given(st.lists(st.one_of(st.sampled_from(FORGED), st.text(max_size=12)), max_size=4))
def test_the_prefix_may_be_anything_even_the_kernels_own_fields(parts: list[str]) -> None:
    assert ends(event(line("".join(parts).encode()))) == TCP


def test_the_packet_that_an_icmp_error_is_about_is_not_the_packet_that_was_logged() -> None:
    packet = (
        b"IN=eth0 OUT= SRC=192.0.2.7 DST=198.51.100.9 LEN=88 TOS=0x00 PREC=0x00 TTL=118 ID=21684 "
        b"PROTO=ICMP TYPE=3 CODE=3 [SRC=198.51.100.9 DST=203.0.113.66 LEN=60 TOS=0x00 PREC=0x00 "
        b"TTL=54 ID=0 DF PROTO=UDP SPT=21458 DPT=62936 LEN=40 ]"
    )
    assert ends(event(line(b"DROP ", packet))) == ("192.0.2.7", 0, "198.51.100.9", 0, 1)


FIELDS = [
    (b"PROTO=TCP SPT=40001 DPT=443", b"PROTO=TCP INCOMPLETE [8 bytes]", (0, 0, 6)),
    (b"PROTO=TCP SPT=40001 DPT=443", b"FRAG:64 PROTO=UDP", (0, 0, 17)),
    (b"PROTO=TCP SPT=40001 DPT=443", b"PROTO=UDP SPT=5 DPT=6 LEN=12", (5, 6, 17)),
    (b"PROTO=TCP SPT=40001 DPT=443", b"PROTO=UDPLITE SPT=5 DPT=6", (5, 6, 136)),
    (b"PROTO=TCP SPT=40001 DPT=443", b"PROTO=ESP SPI=0xcb886522", (0, 0, 50)),
    (b"PROTO=TCP SPT=40001 DPT=443", b"PROTO=112", (0, 0, 112)),
    (b"PROTO=TCP SPT=40001 DPT=443", b"PROTO=frob SPT=5 DPT=6", (5, 6, 255)),
    (b"PROTO=TCP SPT=40001 DPT=443", b"PROTO=ICMP TYPE=8 CODE=0 ID=19868 SEQ=1", (0, 0, 1)),
    (b"PROTO=TCP SPT=40001 DPT=443", b"", (0, 0, 255)),
    (b"SPT=40001", b"SPT=70000", (0, 443, 6)),
    (b"OUT=eth1", b"OUT=eth1 PHYSIN=port1 PHYSOUT=port2", (40001, 443, 6)),
    (b"OUT=eth1", b"OUT=", (40001, 443, 6)),
    (b"MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 ", b"", (40001, 443, 6)),
    (b"MAC=02", b"MACSRC=02:00 MACDST=02:00 MACPROTO=0800 MAC=02", (40001, 443, 6)),
    (b"URGP=0", b"URGP=0 OPT (020405B40402080A) UID=0 GID=0 MARK=0x1", (40001, 443, 6)),
]


@pytest.mark.parametrize(("before", "after", "expected"), FIELDS)
def test_fields_are_read_in_the_kernels_order(
    before: bytes, after: bytes, expected: tuple[int, int, int]
) -> None:
    found = event(line(b"DROP ", PACKET.replace(before, after)))
    assert (found.source_port, found.destination_port, found.protocol) == expected
    assert (ends(found)[0], ends(found)[2]) == ("192.0.2.7", "198.51.100.9")


@pytest.mark.parametrize(
    "body",
    [b"IN=eth0 OUT=eth1", b"IN= OUT=lo ARP HTYPE=1 PTYPE=0x0800 OPCODE=1", b"IN=a  OUT=b",
     PACKET.replace(b"SRC=192.0.2.7", b"SRC=192.0.2.777"), PACKET.partition(b"DST")[0]],
)  # fmt: skip
def test_a_line_without_both_addresses_is_no_connection(body: bytes) -> None:
    assert read(HEAD + b"DROP " + body) is NO_CONNECTION


@pytest.mark.parametrize(
    "body", [b"eth0: link up", b"IN=value SECOND=test", b"in=a out=b", b"OUT=a"]
)
def test_other_lines_of_a_kernel_are_not_ours(body: bytes) -> None:
    assert read(HEAD + body) is NOT_OURS


def test_long_addresses_of_ipv6_are_read() -> None:
    icmp = KERNEL_V6.partition(b"PROTO")[0] + b"PROTO=ICMPv6 TYPE=128 CODE=0 ID=3427 SEQ=1 "
    assert ends(event(icmp)) == ("2001:db8::7", 0, "2001:db8:1::9", 0, 58)
