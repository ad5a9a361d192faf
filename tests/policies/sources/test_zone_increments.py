"""Serials and increments: what is newer, what changed, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dns.message
import pytest
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from netsets.cidr import AddressSet
from policies.sources.base import Known, Retrieved
from policies.sources.zone_errors import EndedEarly, NotATransfer, SerialWentBackwards
from tests.fakes.nameserver import CLOSE, Nameserver, Step
from tests.fakes.transfers import ZONE, ServedZone, soa
from tests.policies.sources.zones import addresses, transfer, transferred

RECORDS = [f"a{number}.{ZONE}. A 192.0.2.{number}" for number in range(1, 9)]
WHOLE = AddressSet.of("192.0.2.1-192.0.2.8")


# Serials (RFC 1982).


@pytest.mark.parametrize(
    ("held", "now"),
    [(2, 1), (100, 99), (1, 2**32 - 1), (2**31 + 5, 5), (1, 2**31 + 1), (0, 2**31)],
)
def test_a_serial_that_went_backwards_is_refused(held: int, now: int) -> None:
    zone = ServedZone(serial=now, records=RECORDS)
    with (
        Nameserver(zone) as nameserver,
        pytest.raises(SerialWentBackwards, match=f"serial {now} is older than {held}"),
    ):
        transfer(nameserver.server, known=Known(str(held)))
    assert zone.asked == ["SOA"]


@pytest.mark.parametrize(("held", "now"), [(1, 2), (2**32 - 1, 0), (2**32 - 2, 5), (1, 2**31)])
def test_a_serial_that_went_around_is_newer(held: int, now: int) -> None:
    zone = ServedZone(serial=now, records=RECORDS)
    with Nameserver(zone) as nameserver:
        retrieved = transferred(nameserver.server, known=Known(str(held)))
    assert retrieved.version == str(now)


def test_the_serial_held_needs_no_transfer() -> None:
    zone = ServedZone(serial=7, records=RECORDS)
    with Nameserver(zone) as nameserver:
        assert transfer(nameserver.server, known=Known("7")) is None
    assert zone.asked == ["SOA"]


# Increments.

OLD, NEW = soa(1), soa(2)
FIRST = ServedZone(records=RECORDS)


def after(
    increments: Sequence[str] | Rcode | None, **settings: Any
) -> tuple[ServedZone, Retrieved]:
    """Take a zone, then what changed in it; return the server and what came the second time."""
    with Nameserver(FIRST) as nameserver:
        first = transferred(nameserver.server)
    zone = ServedZone(serial=2, records=RECORDS[2:], increments=increments, each=10)
    with Nameserver(zone) as nameserver:
        return zone, transferred(nameserver.server, known=first, **settings)


def test_increments_are_taken_in_order() -> None:
    middle = soa(2)
    zone = [soa(3), OLD, RECORDS[0], middle, f"b.{ZONE}. A 192.0.2.99", middle]
    zone += [f"b.{ZONE}. A 192.0.2.99", RECORDS[1], soa(3), RECORDS[0], soa(3)]
    with Nameserver(FIRST) as nameserver:
        first = transferred(nameserver.server)
    served = ServedZone(serial=3, increments=zone)
    with Nameserver(served) as nameserver:
        second = transferred(nameserver.server, known=first)
    assert served.asked == ["SOA", "IXFR"]
    assert second.version == "3"
    assert addresses(second) == WHOLE - AddressSet.of("192.0.2.2")


@pytest.mark.parametrize("rcode", [Rcode.NOTIMP, Rcode.FORMERR])
def test_a_server_without_increments_gives_the_zone_whole(rcode: Rcode) -> None:
    zone, second = after(rcode)
    assert zone.asked == ["SOA", "IXFR", "AXFR"]
    assert addresses(second) == WHOLE - AddressSet.of("192.0.2.1", "192.0.2.2")


@pytest.mark.parametrize("each", [1, 3])
def test_a_server_may_answer_with_the_zone_whole(each: int) -> None:
    with Nameserver(FIRST) as nameserver:
        first = transferred(nameserver.server)
    zone = ServedZone(serial=2, records=RECORDS[2:], each=each)
    with Nameserver(zone) as nameserver:
        second = transferred(nameserver.server, known=first)
    assert zone.asked == ["SOA", "IXFR"]
    assert addresses(second) == WHOLE - AddressSet.of("192.0.2.1", "192.0.2.2")


def test_increments_are_not_asked_for_where_they_are_switched_off() -> None:
    zone, _ = after(None, incremental=False)
    assert zone.asked == ["SOA", "AXFR"]


def test_an_increment_that_takes_away_what_is_not_held_is_dropped_for_the_whole_zone() -> None:
    zone, second = after([NEW, OLD, f"c.{ZONE}. A 198.51.100.1", NEW, NEW])
    assert zone.asked == ["SOA", "IXFR", "AXFR"]
    assert addresses(second) == WHOLE - AddressSet.of("192.0.2.1", "192.0.2.2")


@pytest.mark.parametrize(
    "increments",
    [
        [NEW, soa(7), RECORDS[0], NEW, NEW],
        [NEW, OLD, RECORDS[0], NEW, RECORDS[0], soa(5), NEW],
        [NEW, OLD, RECORDS[0], soa(9), NEW],
        [NEW, OLD, RECORDS[0], NEW, RECORDS[0], NEW, RECORDS[1]],
    ],
    ids=["another base", "does not join", "ends with another serial", "goes on after its end"],
)
def test_increments_out_of_order_change_nothing(increments: list[str]) -> None:
    with pytest.raises(NotATransfer, match="increments are out of order"):
        after(increments)


def test_a_server_that_has_no_increment_after_all_changes_nothing() -> None:
    with Nameserver(FIRST) as nameserver:
        first = transferred(nameserver.server)
    zone = ServedZone(serial=2, increments=[OLD])
    with Nameserver(zone) as nameserver:
        assert transfer(nameserver.server, known=first) is None
    assert zone.asked == ["SOA", "IXFR"]


def test_an_increment_to_an_older_serial_is_refused() -> None:
    with Nameserver(FIRST) as nameserver:
        first = transferred(nameserver.server)
    with (
        Nameserver(ServedZone(serial=2, increments=[soa(0), OLD, soa(0)])) as nameserver,
        pytest.raises(SerialWentBackwards, match="serial 0 is older than 1"),
    ):
        transfer(nameserver.server, known=first)


def test_increments_that_end_early_change_nothing() -> None:
    with Nameserver(FIRST) as nameserver:
        first = transferred(nameserver.server)
    zone = ServedZone(serial=2, increments=[NEW, OLD, RECORDS[0], NEW])
    with (
        Nameserver(lambda query: [*zone(query), *_closing(query)]) as nameserver,
        pytest.raises(EndedEarly),
    ):
        transfer(nameserver.server, known=first)


def _closing(query: dns.message.Message) -> list[Step]:
    return [CLOSE] if query.question[0].rdtype == RdataType.IXFR else []
