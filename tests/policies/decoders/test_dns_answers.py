from __future__ import annotations

import ipaddress
import struct

import dns.message
import numpy as np
import pytest
from dns.rdatatype import RdataType
from hypothesis import given, strategies as st

from netsets.cidr import AddressSet
from netsets.entries import NO_LINE
from policies.decoders import DECODERS, decode
from policies.decoders.base import Decoded, DecodeError
from policies.decoders.plain_addresses import plain4, plain6
from policies.sources.base import Retrieved
from policies.sources.dns_wire import Unreadable, read_records
from tests.fakes.nameserver import reply
from tests.netsets.helpers import rows

NAME = "basic.example"


def answer(*records: str, rdtype: str | None = None, name: str = NAME) -> bytes:
    """Return the message that answers for `records`, each written `[name] TYPE data`."""
    kind = rdtype or records[0].split(" ")[0]
    query = dns.message.make_query(name, kind, use_edns=False, id=1)
    return reply(query, *records).to_wire(max_size=65535)


def decoded(*messages: bytes) -> Decoded:
    return decode(Retrieved(format="dns", payload=messages, server="192.0.2.53#53"))


def slowly(message: bytes) -> list[int] | None:
    """Return the addresses of an answer as dnspython reads them, None where it cannot."""
    try:
        rdatas = read_records(message).rdatas
    except Unreadable:
        return None
    return [int(ipaddress.ip_address(rdata.address)) for rdata in rdatas]  # type: ignore[attr-defined]


def quickly(message: bytes) -> list[int] | None:
    """Return the addresses of an answer as the arrays have them, None where it is not plain."""
    hosts4, hosts6 = plain4(message), plain6(message)
    if hosts4 is not None:
        return [int(host) for host in hosts4]
    if hosts6 is not None:
        return [int(high) << 64 | int(low) for high, low in hosts6]
    return None


addresses4 = st.integers(0, 2**32 - 1)
addresses6 = st.integers(0, 2**128 - 1)


def wire(rdtype: RdataType, addresses: list[int], ttl: int = 300) -> bytes:
    """Write an answer by hand, as servers write it."""
    size = 4 if rdtype == RdataType.A else 16
    query = dns.message.make_query(NAME, rdtype, use_edns=False, id=1).to_wire()
    head = query[:2] + struct.pack("!5H", 0x8400, 1, len(addresses), 0, 0) + query[12:]
    record = struct.pack("!HHHIH", 0xC00C, rdtype, 1, ttl, size)
    return head + b"".join(record + address.to_bytes(size, "big") for address in addresses)


@given(st.lists(addresses4, max_size=50), st.integers(0, 2**32 - 1))
def test_both_ways_agree_on_plain_a_answers(addresses: list[int], ttl: int) -> None:
    message = wire(RdataType.A, addresses, ttl)
    assert quickly(message) == slowly(message) == addresses


@given(st.lists(addresses6, max_size=50))
def test_both_ways_agree_on_plain_aaaa_answers(addresses: list[int]) -> None:
    message = wire(RdataType.AAAA, addresses)
    assert quickly(message) == slowly(message) == addresses


@given(
    rdtype=st.sampled_from([RdataType.A, RdataType.AAAA]),
    addresses=st.lists(addresses4, min_size=1, max_size=4),
    spoilt=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=3),
    cut=st.integers(0, 40),
    extra=st.binary(max_size=20),
)
def test_whatever_is_read_quickly_is_read_alike_by_dnspython(
    rdtype: RdataType,
    addresses: list[int],
    spoilt: list[tuple[int, int]],
    cut: int,
    extra: bytes,
) -> None:
    message = bytearray(wire(rdtype, addresses) + extra)
    for place, byte in spoilt:
        message[place % len(message)] = byte
    spoilt_message = bytes(message[: len(message) - cut])
    found = quickly(spoilt_message)
    if found is not None:
        assert found == slowly(spoilt_message)


@pytest.mark.parametrize(
    "message",
    [
        answer("CNAME real.example.", "real.example. A 192.0.2.1", rdtype="A"),
        answer("A 192.0.2.1", "other.example. A 192.0.2.2"),
        answer("A 192.0.2.1", "AAAA 2001:db8::1"),
        answer("TXT 192.0.2.1"),
        wire(RdataType.A, [1]).replace(b"\xc0\x0c", b"\x05basic\x07example\x00"),
    ],
    ids=["alias", "other owner", "mixed", "other type", "spelt out"],
)
def test_what_is_not_plain_is_left_to_dnspython(message: bytes) -> None:
    assert plain4(message) is None
    assert plain6(message) is None


def test_an_answer_of_four_thousand_records_is_plain() -> None:
    hosts = plain4(wire(RdataType.A, list(range(4000))))
    assert hosts is not None
    assert hosts.dtype == np.uint32
    assert hosts.tolist() == list(range(4000))


def test_follows_an_alias_and_leaves_other_owners_alone() -> None:
    found = decoded(
        answer(
            *("CNAME real.example.", "REAL.example. A 192.0.2.1", "other.example. A 192.0.2.2"),
            rdtype="A",
        )
    )
    assert found.addresses == AddressSet.of("192.0.2.1")
    assert found.entries == 1


def test_negated_items_are_taken_from_the_whole_list() -> None:
    found = decoded(
        answer("APL !1:192.0.2.128/25 1:192.0.2.0/24 2:2001:db8::/32"),
        answer("APL 1:198.51.100.0/24 !2:2001:db8:8000::/33"),
    )
    expected = AddressSet.of("192.0.2.0/25", "198.51.100.0/24", "2001:db8::/33")
    assert found.addresses == expected
    assert found.entries == 5
    assert not found.skipped


networks = st.tuples(st.integers(0, 255), st.integers(24, 32), st.booleans())


@given(st.lists(networks, min_size=1, max_size=8))
def test_apl_agrees_with_plain_sets(items: list[tuple[int, int, bool]]) -> None:
    """The oracle is a Python set over 192.0.2.0/24."""
    base = int(ipaddress.ip_address("192.0.2.0"))
    sets: dict[bool, set[int]] = {False: set(), True: set()}
    texts: list[str] = []
    for host, length, negated in items:
        network = ipaddress.ip_network((base + host, length), strict=False)
        sets[negated].update(map(int, network))
        texts.append(f"{'!' if negated else ''}1:{network}")
    expected = sets[False] - sets[True]
    if not expected:
        with pytest.raises(DecodeError):
            decoded(answer(f"APL {' '.join(texts)}"))
        return
    found = decoded(answer(f"APL {' '.join(texts)}")).addresses
    assert {
        base + n for n in range(256) if str(ipaddress.ip_address(base + n)) in found
    } == expected
    assert found.count == len(expected)


def test_host_bits_of_an_apl_item_are_cleared_and_counted() -> None:
    found = decoded(answer("APL 1:192.0.2.7/24 2:2001:db8::1/32 1:198.51.100.0/24"))
    assert found.addresses == AddressSet.of("192.0.2.0/24", "2001:db8::/32", "198.51.100.0/24")
    assert found.host_bits_cleared == 2


def test_the_entries_of_all_encodings_are_kept_without_lines_and_without_negated_ones() -> None:
    found = decoded(
        answer("A 192.0.2.9", "A 192.0.2.9"),
        answer("AAAA 2001:db8::1"),
        answer("APL 1:192.0.2.0/24 !1:192.0.2.128/25 1:192.0.2.0/25 2:2001:db8::/32"),
        answer('TXT "192.0.2.9 192.0.2.4-192.0.2.6"'),
    )
    assert found.listed is not None
    assert [
        (str(ipaddress.ip_address(first)), str(ipaddress.ip_address(last)), line)
        for _, first, last, line in rows(found.listed)
    ] == [
        ("192.0.2.0", "192.0.2.255", NO_LINE),
        ("192.0.2.0", "192.0.2.127", NO_LINE),
        ("192.0.2.4", "192.0.2.6", NO_LINE),
        ("192.0.2.9", "192.0.2.9", NO_LINE),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", NO_LINE),
        ("2001:db8::1", "2001:db8::1", NO_LINE),
    ]
    assert found.addresses == AddressSet.of("192.0.2.0/25", "2001:db8::/32")


def test_an_apl_item_of_another_family_is_skipped_and_counted() -> None:
    found = decoded(answer("APL 1:192.0.2.0/24 3:c0/8"))
    assert found.skipped == (("APL item of address family 3", 1),)


def test_txt_tokens_are_apart_by_white_space_and_commas() -> None:
    found = decoded(
        answer('TXT "192.0.2.0/24, 198.51.100.1\t2001:db8::/32" "203.0.113.1-203.0.113.4"')
    )
    expected = ["192.0.2.0/24", "198.51.100.1", "2001:db8::/32", "203.0.113.1-203.0.113.4"]
    assert found.addresses == AddressSet.of(*expected)
    assert found.entries == 4


def test_a_token_is_never_put_together_from_two_strings() -> None:
    found = decoded(answer('TXT "192.0.2.1 198.51.100." "7"', 'TXT "192.0.2.2"'))
    assert found.addresses == AddressSet.of("192.0.2.1", "192.0.2.2")
    assert sum(count for _, count in found.skipped) == 2


@pytest.mark.parametrize(
    "token", ["v1.2.3.4", "192.0.2.1/33", "192.0.2/24", "010.1.1.1", "192.0.2.1/1/x"]
)
def test_a_junk_token_is_rejected_whole_and_counted(token: str) -> None:
    found = decoded(answer(f'TXT "192.0.2.1 {token} 192.0.2.2"'))
    assert found.addresses == AddressSet.of("192.0.2.1", "192.0.2.2")
    assert sum(count for _, count in found.skipped) == 1


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (answer('TXT "v=spf1 -all"'), "holds no usable entry"),
        (answer('TXT "192.0.2.1 junk more-junk"'), "is no list of addresses: 2 of 3 entries"),
        (answer("APL 1:192.0.2.0/24 !1:192.0.0.0/16"), "negated entries leave no address"),
        (answer("PTR part.example."), "1 PTR record"),
        (b"", "message 1 of 1 from 192.0.2.53#53 cannot be read"),
        (answer("TXT 192.0.2.1")[:-2], "message 1 of 1 from 192.0.2.53#53 cannot be read"),
        (wire(RdataType.A, [1])[:-1], "message 1 of 1 from 192.0.2.53#53 cannot be read"),
        (answer("CNAME basic.example."), "in a circle"),
    ],
)
def test_what_is_no_list_is_refused_whole(message: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decoded(message)


@given(st.lists(st.binary(max_size=120), max_size=3))
def test_random_bytes_end_in_a_decode_error_at_most(payload: list[bytes]) -> None:
    for kind in DECODERS:
        try:
            decode(Retrieved(format=kind, payload=tuple(payload), server=""))
        except DecodeError:
            continue


@given(st.binary(max_size=120), st.sampled_from(["A", "AAAA", "APL", "TXT", "PTR"]))
def test_random_records_end_in_a_decode_error_at_most(rest: bytes, rdtype: str) -> None:
    query = dns.message.make_query(NAME, rdtype, use_edns=False).to_wire()
    message = query[:2] + struct.pack("!5H", 0x8400, 1, 2, 0, 0) + query[12:] + rest
    try:
        decoded(message)
    except DecodeError as error:
        assert "192.0.2.53#53" in str(error)  # noqa: PT017
