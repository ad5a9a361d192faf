"""What a transferred zone blocks and allows."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, strategies as st

from netsets.cidr import AddressSet
from policies.decoders import decode
from policies.decoders.base import Decoded, DecodeError
from policies.sources.base import Retrieved
from policies.sources.zone_items import BY_NAME, HOST_BITS, LOCAL_DATA, NOT_CANONICAL
from policies.sources.zone_records import Item, Kind, ZoneRecords


def prefix(kind: Kind, text: str) -> Item:
    network = ipaddress.ip_network(text)
    return Item(kind, network.version, int(network.network_address), network.prefixlen)


def token(text: str) -> Item:
    return Item(Kind.TOKEN, text=text)


def skipped(reason: str) -> Item:
    return Item(Kind.SKIPPED, text=reason)


def decoded(*items: Item, take: str = "block") -> Decoded:
    payload = ZoneRecords.of("list.example", list(items), frozenset()).encode()
    return decode(Retrieved(f"zone-{take}", (payload,), "192.0.2.53#53"))


def test_a_plain_zone_is_its_addresses_prefixes_and_words() -> None:
    found = decoded(
        prefix(Kind.ADDRESS, "192.0.2.1"),
        prefix(Kind.ADDRESS, "2001:db8::1"),
        prefix(Kind.LISTED, "198.51.100.0/24"),
        prefix(Kind.NEGATED, "198.51.100.128/25"),
        token("203.0.113.1-203.0.113.3"),
        Item(Kind.CLEARED),
        skipped("MX record"),
    )
    assert found.addresses == AddressSet.of(
        *("192.0.2.1", "2001:db8::1", "198.51.100.0/25", "203.0.113.1-203.0.113.3")
    )
    assert found.entries == 5
    assert found.host_bits_cleared == 1
    assert found.skipped == (("MX record", 1),)


def test_a_plain_zone_is_the_same_list_whether_to_block_or_to_allow() -> None:
    items = [prefix(Kind.ADDRESS, "192.0.2.1"), token("198.51.100.0/24")]
    assert decoded(*items).addresses == decoded(*items, take="allow").addresses


def test_blocks_and_exceptions_are_never_mixed() -> None:
    items = [prefix(Kind.BLOCKED, "192.0.2.0/24"), prefix(Kind.PASSED, "198.51.100.0/24")]
    blocked, allowed = decoded(*items), decoded(*items, take="allow")
    assert blocked.addresses == AddressSet.of("192.0.2.0/24")
    assert blocked.skipped == (("RPZ trigger that allows", 1),)
    assert allowed.addresses == AddressSet.of("198.51.100.0/24")
    assert allowed.skipped == (("RPZ trigger that blocks", 1),)


def test_the_longest_prefix_wins() -> None:
    items = [
        prefix(Kind.BLOCKED, "192.0.2.0/24"),
        prefix(Kind.PASSED, "192.0.2.0/25"),
        prefix(Kind.BLOCKED, "192.0.2.0/26"),
        prefix(Kind.PASSED, "192.0.2.1"),
    ]
    assert decoded(*items).addresses == AddressSet.of(
        *("192.0.2.0", "192.0.2.2-192.0.2.63", "192.0.2.128/25")
    )
    assert decoded(*items, take="allow").addresses == AddressSet.of(*("192.0.2.64/26", "192.0.2.1"))


def test_the_addresses_of_a_response_policy_zone_are_no_entries() -> None:
    found = decoded(
        prefix(Kind.BLOCKED, "192.0.2.0/24"),
        prefix(Kind.ADDRESS, "203.0.113.80"),
        prefix(Kind.LISTED, "198.51.100.0/24"),
        token("198.51.100.1"),
    )
    assert found.addresses == AddressSet.of("192.0.2.0/24")
    assert found.entries == 1
    assert found.skipped == ((LOCAL_DATA, 3),)


@pytest.mark.parametrize("reason", [BY_NAME, HOST_BITS, "RPZ trigger rpz-nsip", LOCAL_DATA])
def test_a_zone_with_any_trigger_is_a_response_policy_zone(reason: str) -> None:
    with pytest.raises(DecodeError, match="no usable entry"):
        decoded(prefix(Kind.ADDRESS, "203.0.113.80"), skipped(reason))


def test_triggers_of_other_kinds_say_nothing_against_a_zone() -> None:
    found = decoded(prefix(Kind.BLOCKED, "192.0.2.0/24"), *([skipped(BY_NAME)] * 50))
    assert found.addresses == AddressSet.of("192.0.2.0/24")
    assert found.skipped == ((BY_NAME, 50),)


def test_words_that_are_no_addresses_are_counted_and_shown() -> None:
    found = decoded(prefix(Kind.ADDRESS, "192.0.2.1"), token("v=spf1"))
    assert found.skipped == (("not an address", 1),)
    assert found.samples == ("v=spf1",)


def test_a_zone_of_words_that_are_no_addresses_is_no_list() -> None:
    with pytest.raises(DecodeError, match="is no list of addresses"):
        decoded(prefix(Kind.ADDRESS, "192.0.2.1"), token("a"), token("b"), token("c"))


def test_a_zone_that_its_exceptions_leave_nothing_of_is_refused() -> None:
    with pytest.raises(DecodeError, match="leave no address"):
        decoded(prefix(Kind.BLOCKED, "192.0.2.0/24"), prefix(Kind.PASSED, "192.0.2.0/24"))


@pytest.mark.parametrize("payload", [(), (b"",), (b"192.0.2.1\n",)])
def test_what_is_no_kept_zone_is_refused(payload: tuple[bytes, ...]) -> None:
    with pytest.raises(DecodeError, match=r"the zone from 192\.0\.2\.53#53 cannot be read"):
        decode(Retrieved("zone-block", payload, "192.0.2.53#53"))


def test_entries_are_told_as_written() -> None:
    found = decoded(
        prefix(Kind.BLOCKED, "192.0.2.0/24"),
        prefix(Kind.BLOCKED, "192.0.2.0/25"),
        prefix(Kind.BLOCKED, "2001:db8::/32"),
        prefix(Kind.PASSED, "192.0.2.1"),
    )
    assert found.listed is not None
    assert len(found.listed) == 3
    assert found.listed.addresses() == AddressSet.of("192.0.2.0/24", "2001:db8::/32")


networks = st.builds(
    lambda host, length: str(ipaddress.ip_network((0xC0000200 | host, length), strict=False)),
    st.integers(0, 255),
    st.integers(24, 32),
)
triggers = st.dictionaries(networks, st.sampled_from([Kind.BLOCKED, Kind.PASSED]), min_size=1)


@given(triggers, st.sampled_from(["block", "allow"]))
def test_each_address_has_the_action_of_its_longest_trigger(
    drawn: dict[str, Kind], take: str
) -> None:
    wanted = Kind.BLOCKED if take == "block" else Kind.PASSED
    expected = set()
    for host in ipaddress.ip_network("192.0.2.0/24"):
        covering = [n for n in map(ipaddress.ip_network, drawn) if host in n]
        longest = max(covering, key=lambda network: network.prefixlen, default=None)
        if longest is not None and drawn[str(longest)] == wanted:
            expected.add(str(host))
    items = [prefix(kind, text) for text, kind in drawn.items()]
    if expected:
        assert decoded(*items, take=take).addresses == AddressSet.of(*expected)
    else:
        with pytest.raises(DecodeError):
            decoded(*items, take=take)


@pytest.mark.parametrize(
    ("reason", "rejected"),
    [(BY_NAME, 0), (LOCAL_DATA, 0), ("MX record", 0), (HOST_BITS, 50), (NOT_CANONICAL, 50)],
)
def test_only_what_was_meant_for_the_list_and_is_unreadable_counts_against_it(
    reason: str, rejected: int
) -> None:
    blocked = prefix(Kind.BLOCKED, "192.0.2.0/24")
    passed = prefix(Kind.PASSED, "198.51.100.0/24")
    found = decoded(blocked, passed, *([skipped(reason)] * 50))
    assert found.rejected == rejected
    assert dict(found.skipped)[reason] == 50
