from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import dns.message
import pytest
from dns.rcode import REFUSED
from dns.rdatatype import RdataType

from netsets.cidr import AddressSet
from policies.decoders import decode
from policies.sources.base import EmptyList
from policies.sources.dns_errors import Looping, PartMissing, Refused, TooLarge
from tests.fakes.nameserver import CLOSE, Nameserver, Pause, Step, reply
from tests.policies.sources.lists import NAME, Zone, retrieve

BASIC = "A 192.0.2.1"
ONE, TWO, THREE = "A 192.0.2.11", "A 192.0.2.12", "A 192.0.2.13"


def addresses(records: dict[str, list[str]], **settings: Any) -> AddressSet:
    with Nameserver(Zone(records)) as nameserver:
        return decode(retrieve(nameserver, **settings)).addresses


def test_reads_on_at_numbered_names_until_one_is_missing() -> None:
    records = {NAME: [BASIC], "basic1.example": [ONE], "basic2.example": [TWO]}
    records["basic4.example"] = [THREE]
    assert addresses(records) == AddressSet.of("192.0.2.1", "192.0.2.11", "192.0.2.12")


def test_takes_a_name_without_addresses_for_the_end() -> None:
    records = {NAME: [BASIC], "basic1.example": ["TXT end"], "basic2.example": [TWO]}
    assert addresses(records) == AddressSet.of("192.0.2.1")


def test_goes_on_where_only_one_family_does() -> None:
    records = {NAME: [BASIC], "basic1.example": ["AAAA 2001:db8::1"], "basic2.example": [TWO]}
    assert addresses(records) == AddressSet.of("192.0.2.1", "2001:db8::1", "192.0.2.12")


def test_a_fault_behind_the_end_counts_for_nothing() -> None:
    zone = Zone({NAME: [BASIC], "basic1.example": [ONE]})

    def handler(query: dns.message.Message) -> Iterable[Step]:
        steps = list(zone(query))
        if query.question[0].name.to_text().startswith("basic4."):
            assert isinstance(steps[0], dns.message.Message)
            steps[0].set_rcode(REFUSED)
        return steps

    with Nameserver(handler) as nameserver:
        assert len(retrieve(nameserver).payload) == 2
        assert ("basic4.example", "A") in nameserver.questions


def test_a_fault_before_the_end_loses_the_whole_list() -> None:
    zone = Zone({NAME: [BASIC], "basic1.example": [ONE], "basic2.example": [TWO]})

    def handler(query: dns.message.Message) -> Iterable[Step]:
        steps = list(zone(query))
        if query.question[0].name.to_text().startswith("basic1."):
            assert isinstance(steps[0], dns.message.Message)
            steps[0].set_rcode(REFUSED)
        return steps

    with Nameserver(handler) as nameserver, pytest.raises(Refused, match=r"basic1\.example A"):
        retrieve(nameserver)


def test_the_payload_is_in_the_order_of_the_names() -> None:
    records = {f"basic{n or ''}.example": [f"A 192.0.2.{n}"] for n in range(100)}
    with Nameserver(Zone(records)) as nameserver:
        payload = retrieve(nameserver).payload
    assert [message[-1] for message in payload] == list(range(100))


def test_a_list_names_who_answered() -> None:
    with Nameserver(Zone({NAME: [BASIC]})) as nameserver:
        retrieved = retrieve(nameserver)
        assert retrieved.server == nameserver.address
    assert retrieved.version is None


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("auto", "192.0.2.0/24"),  # APL says most, so it comes first
        ("apl", "192.0.2.0/24"),
        ("a", "198.51.100.1"),
        ("txt", "203.0.113.0/24"),
    ],
)
def test_takes_the_encoding_that_is_set(encoding: str, expected: str) -> None:
    records = {NAME: ["APL 1:192.0.2.0/24", "A 198.51.100.1", 'TXT "203.0.113.0/24"']}
    assert addresses(records, encoding=encoding) == AddressSet.of(expected)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (["A 192.0.2.1", "TXT hello"], ["A 192.0.2.3"], ["192.0.2.1", "192.0.2.3"]),
        (["A 192.0.2.1", "AAAA 2001:db8::1"], ["TXT more"], ["192.0.2.1", "2001:db8::1"]),
        (["TXT 192.0.2.0/25"], ["TXT 192.0.2.128/25"], ["192.0.2.0/24"]),
        (["APL 1:192.0.2.0/24"], ["APL !1:192.0.2.0/25"], ["192.0.2.128/25"]),
    ],
)
def test_finds_out_the_encoding_and_stays_with_it(
    first: list[str], second: list[str], expected: list[str]
) -> None:
    assert addresses({NAME: first, "basic1.example": second}) == AddressSet.of(*expected)


def test_follows_ptr_records_to_the_parts_and_their_parts() -> None:
    records = {
        NAME: ["APL 1:192.0.2.0/28", "PTR north.example.", "PTR south.example."],
        "north.example": ["APL 1:198.51.100.0/24"],
        "south.example": ["A 203.0.113.5", "PTR islands.example."],
        "islands.example": ["TXT 2001:db8::/48"],
        "basic1.example": ["A 192.0.2.99"],  # a list with parts has no numbers
    }
    expected = ["192.0.2.0/28", "198.51.100.0/24", "203.0.113.5", "2001:db8::/48"]
    assert addresses(records, encoding="ptr") == AddressSet.of(*expected)
    assert addresses(records) == AddressSet.of(*expected)


def test_a_part_named_twice_is_read_once() -> None:
    records = {
        NAME: ["PTR north.example.", "PTR south.example."],
        "north.example": [ONE, "PTR both.example."],
        "south.example": [TWO, "PTR Both.example."],
        "both.example": [THREE],
    }
    with Nameserver(Zone(records)) as nameserver:
        assert len(retrieve(nameserver).payload) == 3


@pytest.mark.parametrize("target", ["basic.example", "north.example", "BASIC.example"])
def test_parts_that_lead_in_a_circle_are_a_fault(target: str) -> None:
    records = {NAME: ["PTR north.example."], "north.example": [ONE, f"PTR {target}."]}
    with pytest.raises(Looping, match="the parts lead in a circle"):
        addresses(records)


def test_a_missing_part_is_a_fault_and_not_an_empty_list() -> None:
    for part in ({}, {"north.example": ["HINFO a b"]}):
        with pytest.raises(
            PartMissing, match=r"north\.example .*basic\.example names it"
        ) as raised:
            addresses({NAME: ["PTR north.example."], **part})
        assert not isinstance(raised.value, EmptyList)


def test_too_many_parts_are_a_fault() -> None:
    parts = [f"PTR part{number}.example." for number in range(10)]
    with pytest.raises(TooLarge, match="max_names"):
        addresses({NAME: parts}, max_names=10)


def test_as_many_names_as_allowed_are_taken_and_one_more_is_a_fault() -> None:
    records = {f"basic{n or ''}.example": [f"A 192.0.2.{n}"] for n in range(5)}
    assert addresses(records, max_names=5).count == 5
    with pytest.raises(TooLarge, match=r"basic4\.example is over max_names \(4\)"):
        addresses(records, max_names=4)


def test_ends_where_a_longer_number_would_be_no_name() -> None:
    label = "x" * 63
    assert addresses({f"{label}.example": [BASIC]}, name=f"{label}.example").count == 1


def aliased(query: dns.message.Message) -> Iterable[Step]:
    """Answer for a list that is an alias of `real.example`, which holds an A record."""
    if query.question[0].name.to_text() != f"{NAME}.":
        return Zone({})(query)
    held = ["real.example. A 192.0.2.1"] if query.question[0].rdtype == RdataType.A else []
    return [reply(query, "CNAME real.example.", *held)]


def test_follows_aliases() -> None:
    with Nameserver(aliased) as nameserver:
        assert decode(retrieve(nameserver)).addresses == AddressSet.of("192.0.2.1")


def test_asks_a_server_that_closes_after_each_answer_as_often_as_needed() -> None:
    zone = Zone({f"basic{n or ''}.example": [f"A 192.0.2.{n}"] for n in range(6)})
    with Nameserver(lambda query: [*zone(query), CLOSE]) as nameserver:
        assert len(retrieve(nameserver).payload) == 6
        assert nameserver.connections > 6


def test_is_content_with_one_connection_where_a_server_takes_no_more() -> None:
    """This server closes after each answer, and at once while another connection is open."""
    zone = Zone({f"basic{n or ''}.example": [f"A 192.0.2.{n}"] for n in range(6)})
    busy = threading.Lock()

    def handler(query: dns.message.Message) -> Iterable[Step]:
        if busy.acquire(blocking=False):
            try:
                yield Pause(0.02)
                yield from zone(query)
            finally:
                busy.release()
        yield CLOSE

    with Nameserver(handler) as nameserver:
        assert len(retrieve(nameserver).payload) == 6


def test_asks_over_ipv6() -> None:
    with Nameserver(Zone({NAME: [BASIC]}), host="::1") as nameserver:
        assert retrieve(nameserver).server == f"::1#{nameserver.port}"


def test_finds_a_server_by_its_host_name() -> None:
    with Nameserver(Zone({NAME: [BASIC]})) as nameserver:
        retrieved = retrieve(servers=[f"localhost:{nameserver.port}"])
        assert retrieved.server == nameserver.address


def test_asks_ahead_and_takes_the_answers_in_any_order() -> None:
    """The server says nothing about the numbered names until it was asked for four of them."""
    zone = Zone({NAME: ["APL 1:192.0.2.0/30"], "basic1.example": ["APL 1:192.0.2.4/30"]})
    held: list[dns.message.Message] = []

    def handler(query: dns.message.Message) -> Iterable[Step]:
        if query.question[0].name.to_text() == f"{NAME}.":
            return zone(query)
        held.append(query)
        return [step for query in reversed(held) for step in zone(query)] if len(held) == 4 else []

    with Nameserver(handler) as nameserver:
        retrieved = retrieve(nameserver, encoding="apl")
    assert decode(retrieved).addresses == AddressSet.of("192.0.2.0/29")


def test_one_connection_is_enough_for_a_server_that_keeps_it_open() -> None:
    zone = Zone({f"basic{n or ''}.example": [f"A 192.0.2.{n}"] for n in range(200)})
    with Nameserver(zone) as nameserver:
        assert len(retrieve(nameserver).payload) == 200
        assert nameserver.connections == 1
