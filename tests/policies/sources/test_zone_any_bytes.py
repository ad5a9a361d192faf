"""Whatever a server sends: a transfer ends in a zone or in a `SourceError`, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import dns.message
import dns.name
import pytest
from hypothesis import given, strategies as st

from policies.sources.base import SourceError
from policies.sources.zone_increment import increment
from policies.sources.zone_records import ZoneRecords
from policies.sources.zone_transfer import Conversation, Version
from tests.fakes.canned import Canned, spoils, spoilt
from tests.fakes.transfers import ZONE, messages, soa

APEX = dns.name.from_text(ZONE)
RECORDS = [
    *(f"a.{ZONE}. A 192.0.2.{n}" for n in range(4)),
    f"24.0.2.0.192.rpz-ip.{ZONE}. CNAME .",
    f'{ZONE}. TXT "192.0.2.0/24"',
    f"{ZONE}. APL 1:192.0.2.0/24",
    f"{ZONE}. NS ns.{ZONE}.",
]
HELD = Version(1, ZoneRecords.of(ZONE, [], frozenset()))


def sent(rdtype: str, records: Sequence[str], each: int) -> list[bytes]:
    query = dns.message.make_query(ZONE, rdtype, use_edns=False)
    return [part.to_wire() for part in messages(query, records, each=each)]


def talk(wires: Sequence[bytes]) -> Conversation:
    return Conversation(Canned(wires), APEX, None, 1000)


@given(st.integers(1, 12), spoils)
def test_a_spoilt_transfer_is_a_zone_or_an_error(
    each: int, drawn: list[tuple[int, int, int]]
) -> None:
    wires = spoilt(sent("AXFR", [soa(2), *RECORDS, soa(2)], each), drawn)
    try:
        version = talk(wires).whole()
    except SourceError:
        assert drawn
    else:
        assert isinstance(version.records, ZoneRecords)


@given(st.integers(1, 12), spoils)
def test_a_spoilt_increment_is_a_zone_or_an_error(
    each: int, drawn: list[tuple[int, int, int]]
) -> None:
    records = [soa(3), soa(1), soa(2), *RECORDS[:7], soa(2), RECORDS[0], soa(3), RECORDS[1], soa(3)]
    wires = spoilt(sent("IXFR", records, each), drawn)
    try:
        version = increment(talk(wires), held=HELD)
    except SourceError:
        assert drawn
    else:
        assert version is None or version.serial != HELD.serial or drawn


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_messages_of_any_bytes_are_no_zone(wires: list[bytes]) -> None:
    with pytest.raises(SourceError):
        talk(wires).whole()


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_messages_of_any_bytes_are_no_increment(wires: list[bytes]) -> None:
    try:
        version = increment(talk(wires), held=HELD)
    except SourceError:
        version = None
    assert version is None
