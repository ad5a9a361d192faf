"""Zones read off the wire at once, and record by record with dnspython: both must agree."""

from __future__ import annotations

import ipaddress
import struct
from collections import Counter
from collections.abc import Iterable, Sequence

import dns.exception
import dns.message
import dns.name
import dns.rdata
import dns.rrset
import pytest
from dns.rdatatype import RdataType
from hypothesis import given, strategies as st

from policies.sources.dns_wire import Unreadable
from policies.sources.zone_fast import MAX_NAME_SERVERS, Outside, ZoneReader
from policies.sources.zone_items import MACHINERY, items_of, labels_in
from policies.sources.zone_messages import read_message
from policies.sources.zone_records import Item, Kind, NotHeld, Rows, ZoneRecords
from tests.fakes.transfers import ZONE

APEX = dns.name.from_text(ZONE)

octet = st.integers(0, 255)
address4 = st.integers(0, 2**32 - 1).map(lambda number: str(ipaddress.IPv4Address(number)))
address6 = st.integers(0, 2**128 - 1).map(lambda number: str(ipaddress.IPv6Address(number)))
word = st.sampled_from(["a", "B", "ns", "mixed-Case", "rpz-ip", "32", "x" * 63, "*", "Digest"])
proof_owner = st.sampled_from(["digest", "COUNT", "snapshot"])
plain_owner = st.lists(word, max_size=4).map(".".join)
trigger = st.sampled_from(["rpz-ip", "RPZ-IP", "rpz-client-ip", "rpz-nsip", "rpz-nsdname"])
number = st.one_of(octet.map(str), st.sampled_from(["zz", "00", "01", "256", "-1", "db8", ""]))
trigger_owner = st.builds(
    lambda parts, kind: ".".join([part for part in parts if part] + [kind]),
    st.lists(number, min_size=1, max_size=9),
    trigger,
)
prefix4_owner = st.builds(
    lambda length, octets: f"{length}.{'.'.join(map(str, octets))}.rpz-ip",
    st.integers(0, 33),
    st.lists(octet, min_size=4, max_size=4),
)
owner = st.one_of(plain_owner, trigger_owner, prefix4_owner, proof_owner)
target = st.sampled_from(
    [
        *(".", "*.", "rpz-drop.", "rpz-passthru.", "RPZ-Passthru.", "rpz-tcp-only."),
        *("a.example.", "*.a.example.", f"rpz-drop.{ZONE}.", f"b.{ZONE}.", "x."),
    ]
)
apl_item = st.builds(
    lambda sign, address, length: f"{sign}{address}/{length}",
    st.sampled_from(["", "!"]),
    st.sampled_from(["1:0.0.0.0", "1:192.0.2.0", "1:192.0.2.1", "2:::", "2:2001:db8::", "2:::1"]),
    st.integers(0, 32),
)
apl = st.lists(apl_item, max_size=4).map(lambda items: f"APL {' '.join(items)}")
proof = st.sampled_from(
    [
        *(f'TXT "sha256={"0a" * 32}"', 'TXT "v4=1 v6=0"', 'TXT "v4=1" "v6=0"', 'TXT "17"'),
        *('TXT "sha256=0a"', 'TXT "v4=-1 v6=0"', 'TXT "192.0.2.1 17"'),
    ]
)
tokens = st.text(st.sampled_from("0123456789./:abz, -"), max_size=40)
rdata = st.one_of(
    address4.map(lambda text: f"A {text}"),
    address6.map(lambda text: f"AAAA {text}"),
    target.map(lambda name: f"CNAME {name}"),
    target.map(lambda name: f"NS {name}"),
    tokens.map(lambda text: f'TXT "{text}" "192.0.2.1"'),
    st.just("APL 1:192.0.2.1/24 !2:2001:db8::/32 !1:0.0.0.0/0"),
    *(apl, proof),
    st.just("MX 10 mail.example."),
    st.just("NSEC a.example. A NSEC"),
)
records = st.lists(st.tuples(owner, rdata), max_size=12)


def rrset(name: str, data: str) -> dns.rrset.RRset:
    rdtype, text = data.split(" ", 1)
    full = f"{name}.{ZONE}." if name else f"{ZONE}."
    return dns.rrset.from_text(dns.name.from_text(full), 300, "IN", rdtype, text)


def compressed(rrsets: Iterable[dns.rrset.RRset]) -> bytes:
    """Return a transfer's message as dnspython and Knot write it."""
    message = dns.message.make_response(dns.message.make_query(ZONE, "AXFR", use_edns=False))
    message.answer.extend(rrsets)
    return message.to_wire(max_size=65535)


def spelt_out(rrsets: Sequence[dns.rrset.RRset]) -> bytes:
    """Return the message as BIND writes owners that differ: without pointers."""
    wire = struct.pack("!6H", 1, 0x8400, 0, len(rrsets), 0, 0)
    for each in rrsets:
        data = each[0].to_wire()
        fixed = struct.pack("!HHIH", each.rdtype, each.rdclass, each.ttl, len(data))
        wire += (each.name.to_wire() or b"") + fixed + data
    return wire


def quickly(wires: Iterable[bytes]) -> ZoneRecords:
    """Read the messages as a source does."""
    reader = ZoneReader(APEX)
    reader.take([read_message(wire) for wire in wires])
    return reader.records()


def slowly(wires: Iterable[bytes]) -> Counter[Item]:
    """Read the messages with dnspython, one record at a time."""
    parsed = [dns.message.from_wire(wire, one_rr_per_rrset=True) for wire in wires]
    answers = [each for message in parsed for each in message.answer]
    name_servers = {
        each[0].target
        for each in answers
        if each.rdtype == RdataType.NS and each[0].target.is_subdomain(APEX)
    }
    found: Counter[Item] = Counter()
    for each in answers:
        labels = labels_in(each.name, APEX)
        assert labels is not None
        found.update(items_of(labels, each[0], at_name_server=each.name in name_servers))
    return found


def counted(records: ZoneRecords) -> Counter[Item]:
    """Return what the columns hold as items."""
    found: Counter[Item] = Counter()
    for rows in (records.v4, records.v6):
        found.update(rows.items(rows.kind.nonzero()[0]))
    found.update(Item(Kind.TOKEN, text=token.decode("latin-1")) for token in records.tokens)
    found.update(Item(Kind.PROOF, text=proof.decode("ascii")) for proof in records.proofs)
    for reason, count in records.skipped.items():
        found[Item(Kind.SKIPPED, text=reason)] += count
    found[Item(Kind.CLEARED)] += records.cleared
    return +found


@given(st.lists(records, min_size=1, max_size=3), st.booleans())
def test_both_ways_agree_on_every_zone(drawn: list[list[tuple[str, str]]], compress: bool) -> None:
    wires = []
    for part in drawn:
        try:
            rrsets = [rrset(name, data) for name, data in part]
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel):
            return
        wires.append(compressed(rrsets) if compress else spelt_out(rrsets))
    assert counted(quickly(wires)) == slowly(wires)


def test_owners_that_begin_alike_are_not_taken_for_one() -> None:
    pairs = [
        ("rpz-ip", "CNAME ."),
        ("long-label.b.rpz-ip", "CNAME ."),
        ("long-label.b.rpz-ip", "A 192.0.2.1"),
    ]
    pairs += [("long-label.b.rpz-ip", "CNAME rpz-drop."), ("long-label.b", "A 192.0.2.1")]
    wires = [compressed([rrset(name, data) for name, data in pairs])]
    assert counted(quickly(wires)) == slowly(wires)


ADDRESSES_AND_TRIGGERS = [
    ("ns", "A 192.0.2.53"),
    ("", "NS ns.list.example."),
    ("same", "A 192.0.2.1"),
    ("same", "A 192.0.2.2"),
    ("same", "A 192.0.2.3"),
    ("six", "AAAA 2001:db8::1"),
    ("24.0.2.0.192.rpz-ip", "CNAME ."),
    ("32.1.2.0.192.rpz-ip", "CNAME rpz-passthru."),
    ("bad", "CNAME rpz-passthru."),
    ("list", "APL 1:192.0.2.0/24 !2:2001:db8::/32 1:0.0.0.0/0 1:10.0.0.0/8"),
    ("list", "APL "),
]


@given(
    compress=st.booleans(),
    spoilt=st.lists(st.tuples(st.integers(0, 600), octet), max_size=4),
    cut=st.integers(0, 30),
    extra=st.binary(max_size=10),
)
def test_whatever_is_read_at_once_is_read_alike_by_dnspython(
    compress: bool, spoilt: list[tuple[int, int]], cut: int, extra: bytes
) -> None:
    rrsets = [rrset(name, data) for name, data in ADDRESSES_AND_TRIGGERS]
    wire = bytearray(compressed(rrsets) if compress else spelt_out(rrsets))
    wire += extra
    for place, byte in spoilt:
        wire[place % len(wire)] = byte
    spoilt_wire = bytes(wire[: len(wire) - cut])
    try:
        found = counted(quickly([spoilt_wire]))
    except Unreadable:
        return
    message = read_message(spoilt_wire)
    if any(message.answers_of(rdtype) for rdtype in MACHINERY - {RdataType.NS}):
        return  # what keeps a zone together is passed over, and not looked into
    assert found == slowly([spoilt_wire])


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fail_in_any_other_way(content: bytes) -> None:
    try:
        quickly([content])
    except Unreadable:
        return
    assert content[6:8] == b"\0\0"


@given(st.integers(0, 65535), st.binary(max_size=300))
def test_no_counts_make_the_reader_fail_in_any_other_way(answers: int, content: bytes) -> None:
    wire = b"\0\1\x84\0\0\0" + answers.to_bytes(2, "big") + b"\0\0\0\0" + content
    try:
        quickly([wire])
    except Unreadable:
        return
    assert not (answers and not content)


def test_a_zone_of_delegations_is_no_list() -> None:
    many = [rrset("", f"NS n{number}.{ZONE}.") for number in range(MAX_NAME_SERVERS + 1)]
    with pytest.raises(Unreadable, match="over 256 name servers"):
        quickly([spelt_out(many)])


def test_a_pointer_that_leads_to_itself_is_refused() -> None:
    wire = struct.pack("!6H", 1, 0x8400, 0, 1, 0, 0) + b"\xc0\x0c" + b"\0\1\0\1\0\0\0\0\0\4abcd"
    with pytest.raises(Unreadable, match="leads nowhere"):
        quickly([wire])


def test_a_name_outside_the_zone_is_told() -> None:
    other = dns.rrset.from_text("a.other.example.", 300, "IN", "A", "192.0.2.1")
    with pytest.raises(Outside, match=r"a\.other\.example is not in the zone"):
        quickly([spelt_out([other])])


def test_a_label_that_holds_the_zone_in_its_bytes_is_not_in_the_zone() -> None:
    label = b"x\x04list\x07example"
    name = dns.name.Name([label, b""])
    other = dns.rrset.from_rdata(name, 300, dns.rdata.from_text("IN", "A", "192.0.2.1"))
    with pytest.raises(Outside):
        quickly([spelt_out([other])])


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ("32.1.2.0.192", "192.0.2.1/32"),
        ("24.0.2.0.192", "192.0.2.0/24"),
        ("1.0.0.0.128", "128.0.0.0/1"),
        ("128.1.zz.db8.2001", "2001:db8::1/128"),
        ("32.zz.db8.2001", "2001:db8::/32"),
        ("128.zz", None),
        ("64.zz.1.0.db8.2001", None),
        ("128.8.7.6.5.4.3.2.2001", "2001:2:3:4:5:6:7:8/128"),
        ("24.1.2.0.192", None),  # host bits
        ("0.0.0.0.0", None),
        ("33.1.2.0.192", None),
        ("032.1.2.0.192", None),
        ("32.01.2.0.192", None),
        ("32.256.2.0.192", None),
        ("32.1.2.0", None),
        ("129.1.zz.db8.2001", None),
        ("128.1.zz.2.zz", None),
        ("128.1.zz.0db8.2001", None),
        ("32.a.b.c.d", None),
        ("32", None),
    ],
)
def test_a_trigger_is_read_as_bind_reads_it(owner: str, expected: str | None) -> None:
    wires = [spelt_out([rrset(f"{owner}.rpz-ip", "CNAME .")])]
    found = quickly(wires)
    assert counted(found) == slowly(wires)
    if owner == "128.zz":
        assert counted(found) == {Item(Kind.BLOCKED, 6, 0, 128): 1}
    elif owner == "64.zz.1.0.db8.2001":
        item = Item(Kind.BLOCKED, 6, int(ipaddress.ip_address("2001:db8:0:1::")), 64)
        assert counted(found) == {item: 1}
    elif expected is None:
        assert [item.kind for item in counted(found)] == [Kind.SKIPPED]
    else:
        network = ipaddress.ip_network(expected)
        first = int(network.network_address)
        item = Item(Kind.BLOCKED, network.version, first, network.prefixlen)
        assert counted(found) == {item: 1}


items = st.one_of(
    st.builds(
        lambda kind, first, length: Item(kind, 4, first, length),
        st.sampled_from([Kind.ADDRESS, Kind.BLOCKED, Kind.PASSED]),
        st.integers(0, 3),
        st.integers(30, 32),
    ),
    st.builds(
        lambda kind, first, length: Item(kind, 6, first, length),
        st.sampled_from([Kind.LISTED, Kind.NEGATED]),
        st.sampled_from([0, 1, 1 << 64, 2**128 - 1]),
        st.integers(126, 128),
    ),
    st.sampled_from(
        [
            *(Item(Kind.TOKEN, text="192.0.2.1"), Item(Kind.TOKEN, text="\xff")),
            *(Item(Kind.SKIPPED, text="MX record"), Item(Kind.CLEARED)),
            Item(Kind.PROOF, text="count v4=1 v6=0"),
        ]
    ),
)


def held(drawn: list[Item]) -> ZoneRecords:
    return ZoneRecords.of(ZONE, drawn, frozenset({"ns.list.example."}))


@given(st.lists(items))
def test_records_are_kept_whole(drawn: list[Item]) -> None:
    records = held(drawn)
    again = ZoneRecords.decode(records.encode())
    assert counted(again) == counted(records) == Counter(drawn)
    assert (again.zone, again.name_servers) == (records.zone, records.name_servers)
    assert again.encode() == records.encode()


@given(st.lists(items), st.integers(0, 400), octet)
def test_kept_records_that_were_damaged_are_refused(
    drawn: list[Item], place: int, byte: int
) -> None:
    encoded = bytearray(held(drawn).encode())
    place %= len(encoded)
    damaged = encoded[place] != byte
    encoded[place] = byte
    if damaged:
        with pytest.raises(ValueError, match="kept zone"):
            ZoneRecords.decode(bytes(encoded))


@given(st.lists(items), st.lists(items), st.lists(items))
def test_changes_are_those_of_a_multiset(
    drawn: list[Item], added: list[Item], removed: list[Item]
) -> None:
    expected = Counter(drawn) + Counter(added)
    expected.subtract(removed)
    if min(expected.values(), default=0) < 0:
        with pytest.raises(NotHeld):
            held(drawn).changed(removed=held(removed), added=held(added))
    else:
        found = held(drawn).changed(removed=held(removed), added=held(added))
        assert counted(found) == +expected
        assert found.zone == ZONE


@given(st.lists(items), st.data())
def test_what_is_held_can_be_removed(drawn: list[Item], data: st.DataObject) -> None:
    removed = data.draw(st.permutations(drawn))[: len(drawn) // 2]
    found = held(drawn).changed(removed=held(removed), added=held([]))
    assert counted(found) == Counter(drawn) - Counter(removed)


def test_columns_of_no_items_are_empty() -> None:
    assert len(Rows.of(4, [])) == len(Rows.of(6, [])) == 0
