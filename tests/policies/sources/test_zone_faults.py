"""Transfers that go wrong on the wire: each has its own fault, and none changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import pytest
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from netsets.cidr import AddressSet
from policies.sources.base import (
    Deadline,
    EmptyList,
    SourceError,
    SourceUnavailable,
)
from policies.sources.dns_errors import (
    BadMessage,
    NoSuchName,
    NotAnAnswer,
    OtherRefusal,
    Refused,
    ServerFailed,
    TimedOut,
    Truncated,
    Unreachable,
    WrongId,
    WrongQuestion,
)
from policies.sources.zone import ZoneSource
from policies.sources.zone_errors import (
    BeyondTheEnd,
    EmptyZone,
    EndedEarly,
    NotATransfer,
    NotAuthoritative,
    NotOfTheZone,
    SerialChanged,
    ZoneTooLarge,
)
from tests.fakes.nameserver import CLOSE, Nameserver, Pause, Raw, Step, framed, reply
from tests.fakes.transfers import ZONE, ServedZone, messages, soa
from tests.policies.sources.zones import addresses, transfer

RECORDS = [f"a{number}.{ZONE}. A 192.0.2.{number}" for number in range(1, 9)]
WHOLE = AddressSet.of("192.0.2.1-192.0.2.8")

Spoil = Callable[[dns.message.Message], Iterable[Step]]


def at_transfer(spoil: Spoil) -> Spoil:
    """Return a handler that answers for the SOA rightly, and for a transfer as `spoil` does."""

    def handle(query: dns.message.Message) -> Iterable[Step]:
        if query.question[0].rdtype == RdataType.SOA:
            return [reply(query, soa(1))]
        return spoil(query)

    return handle


def sends(*records: str) -> Spoil:
    """Return a handler that sends these records as a transfer, and then closes."""
    return at_transfer(lambda query: [*messages(query, records), CLOSE])


def with_header(*, change: Callable[[dns.message.Message], None]) -> Spoil:
    """Return a handler whose transfer is whole, with one thing changed in its messages."""

    def spoil(query: dns.message.Message) -> Iterable[Step]:
        parts = messages(query, [soa(1), *RECORDS, soa(1)])
        for part in parts:
            change(part)
        return parts

    return at_transfer(spoil)


def of_another_class(query: dns.message.Message) -> Iterable[Step]:
    message = reply(query, soa(1), RECORDS[0], soa(1))
    message.answer[1].rdclass = dns.rdataclass.CH
    wire = bytearray(message.to_wire())
    at = wire.index(b"\xc0\x00\x02\x01") - 10
    wire[at : at + 4] = b"\0\1\0\3"
    return [bytes(wire)]


def _set_id(message: dns.message.Message) -> None:
    message.id ^= 1


def _ask_back(message: dns.message.Message) -> None:
    message.flags &= ~dns.flags.QR


def _ask_otherwise(message: dns.message.Message) -> None:
    message.question = dns.message.make_query("other.example", "AXFR").question


def _cut(message: dns.message.Message) -> None:
    message.flags |= dns.flags.TC


ALIEN = "a.other.example. A 192.0.2.99"

FAULTS: dict[str, tuple[Spoil, type[SourceError], str]] = {
    "ends before the last SOA": (sends(soa(1), *RECORDS), EndedEarly, "closed the connection"),
    "ends with its first message": (sends(soa(1)), EndedEarly, "closed the connection"),
    "ends within a message": (
        at_transfer(lambda q: [Raw(framed(reply(q, soa(1)).to_wire()).content[:-9]), CLOSE]),
        EndedEarly,
        "closed the connection",
    ),
    "ends with another serial": (
        sends(soa(1), *RECORDS, soa(2)),
        SerialChanged,
        "began with serial 1 and ended with 2",
    ),
    "ends with another SOA": (
        sends(soa(1), *RECORDS, soa(1).replace(" 900 ", " 901 ", 1)),
        NotATransfer,
        "the last SOA is not the first one",
    ),
    "goes on after the last SOA": (
        at_transfer(lambda q: [reply(q, soa(1), RECORDS[0], soa(1), RECORDS[1])]),
        BeyondTheEnd,
        "records came after the last SOA",
    ),
    "begins without an SOA": (sends(*RECORDS, soa(1)), NotATransfer, "begins with a A record"),
    "is empty": (at_transfer(lambda q: [reply(q)]), NotATransfer, "the answer is empty"),
    "holds a record of another zone": (
        sends(soa(1), *RECORDS, ALIEN, soa(1)),
        NotOfTheZone,
        "a.other.example is not in the zone",
    ),
    "is of another zone": (
        sends(soa(1, "other.example"), ALIEN, soa(1, "other.example")),
        NotOfTheZone,
        "the SOA is that of other.example",
    ),
    "holds a record of another class": (
        at_transfer(of_another_class),
        NotOfTheZone,
        "another class",
    ),
    "has another id": (with_header(change=_set_id), WrongId, "which was not asked"),
    "is a question": (with_header(change=_ask_back), NotAnAnswer, "a question came back"),
    "answers another question": (
        with_header(change=_ask_otherwise),
        WrongQuestion,
        "to another question",
    ),
    "is cut": (with_header(change=_cut), Truncated, "TC over TCP"),
    "is no DNS": (at_transfer(lambda _: [b"HTTP/1.1 400"]), BadMessage, "ends within a record"),
    "is shorter than a header": (
        at_transfer(lambda _: [b"x"]),
        BadMessage,
        "a message of 1 bytes is none of DNS",
    ),
    "counts more records than it holds": (
        at_transfer(lambda q: [_counting(reply(q, soa(1)).to_wire(), 9)]),
        BadMessage,
        "it ends within a record",
    ),
    "counts fewer records than it holds": (
        at_transfer(lambda q: [_counting(reply(q, soa(1), RECORDS[0]).to_wire(), 1)]),
        BadMessage,
        "do not end where it ends",
    ),
}


def _counting(wire: bytes, answers: int) -> bytes:
    return wire[:6] + answers.to_bytes(2, "big") + wire[8:]


@pytest.mark.parametrize("name", FAULTS)
def test_a_transfer_changes_nothing_that(name: str) -> None:
    handler, fault, reason = FAULTS[name]
    with Nameserver(handler) as nameserver, pytest.raises(fault, match=reason) as raised:
        transfer(nameserver.server, seconds=5)
    assert str(raised.value).startswith(f"zone {ZONE} could not be transferred.")
    assert nameserver.address in str(raised.value)


@pytest.mark.parametrize(
    ("rcode", "fault"),
    [
        (Rcode.REFUSED, Refused),
        (Rcode.SERVFAIL, ServerFailed),
        (Rcode.NXDOMAIN, NoSuchName),
        (Rcode.NOTAUTH, NotAuthoritative),
        (Rcode.NOTIMP, OtherRefusal),
        (Rcode.YXDOMAIN, OtherRefusal),
    ],
)
def test_a_refusal_is_told_by_its_code(rcode: Rcode, fault: type[SourceError]) -> None:
    def refuse(query: dns.message.Message) -> Iterable[Step]:
        message = reply(query)
        message.set_rcode(rcode)
        return [message]

    with Nameserver(refuse) as nameserver, pytest.raises(fault, match=rcode.name):
        transfer(nameserver.server)
    with Nameserver(at_transfer(refuse)) as nameserver, pytest.raises(fault, match="AXFR"):
        transfer(nameserver.server)


def test_a_server_that_has_no_soa_does_not_hold_the_zone() -> None:
    with (
        Nameserver(lambda query: [reply(query)]) as nameserver,
        pytest.raises(NotAuthoritative, match="does not hold the zone"),
    ):
        transfer(nameserver.server)


def test_a_zone_that_holds_nothing_of_use_is_an_empty_list() -> None:
    with (
        Nameserver(ServedZone(records=[f"{ZONE}. NS ns.{ZONE}."])) as nameserver,
        pytest.raises(EmptyZone, match="holds nothing to block") as raised,
    ):
        transfer(nameserver.server)
    assert isinstance(raised.value, EmptyList)


@pytest.mark.parametrize(("setting", "value"), [("max_records", 9), ("max_bytes", 512)])
def test_a_transfer_over_its_bound_is_refused(setting: str, value: int) -> None:
    zone = ServedZone(records=[f"{n}.{ZONE}. A 192.0.2.{n}" for n in range(100)])
    with (
        Nameserver(zone) as nameserver,
        pytest.raises(ZoneTooLarge, match=rf"over {setting} \({value}\)"),
    ):
        transfer(nameserver.server, **{setting: value})  # type: ignore[arg-type]


def test_a_server_that_stops_midway_costs_no_more_than_the_deadline() -> None:
    handler = at_transfer(lambda q: [*messages(q, [soa(1), *RECORDS]), Pause(30)])
    with (
        Nameserver(handler) as nameserver,
        pytest.raises(TimedOut, match="nothing more came in time") as raised,
    ):
        transfer(nameserver.server, seconds=0.5)
    assert isinstance(raised.value, SourceUnavailable)


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with Nameserver(ServedZone()) as nameserver:
        server = nameserver.server
    with pytest.raises(Unreachable, match="Connection refused"):
        transfer(server)


def test_a_server_that_closes_after_each_answer_is_asked_anew() -> None:
    zone = ServedZone(records=RECORDS)
    with Nameserver(lambda query: [*zone(query), CLOSE]) as nameserver:
        assert addresses(transfer(nameserver.server)) == WHOLE
    assert nameserver.connections == 2


def test_the_next_server_gives_what_the_first_does_not() -> None:
    with (
        Nameserver(sends(soa(1), *RECORDS)) as broken,
        Nameserver(ServedZone(records=RECORDS)) as sound,
    ):
        servers = [broken.server, sound.server]
        source = ZoneSource.from_settings({"name": ZONE, "servers": servers})
        retrieved = source.retrieve(known=None, deadline=Deadline.after(10))
    assert retrieved is not None
    assert retrieved.server == sound.address
