"""Servers that do wrong: what is replayed, reordered, spoilt or foreign is refused and told."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.message
import dns.name
import dns.rcode
import pytest
import trustme
from dns.rcode import Rcode
from dns.rdatatype import RdataType
from hypothesis import given, strategies as st

from fleet.protocol.base import Portal
from fleet.protocol.client import MAX_RECORDS, Fetched, fetch
from fleet.protocol.errors import (
    CONNECT,
    RETRIEVE,
    NotActive,
    NotConnected,
    NotGenuine,
    NotOurs,
    NotReadable,
    OlderSettings,
    WebAutomationError,
)
from fleet.protocol.keys import new_key, tsig_key
from fleet.protocol.names import settings_zone
from fleet.protocol.settings_zone import Record, body_of
from fleet.protocol.transfer import Version, transfer
from policies.sources.base import Deadline, SourceError
from policies.sources.zone_transfer import Conversation
from tests.fakes.canned import Canned, spoils, spoilt
from tests.fakes.nameserver import CLOSE, Nameserver, Step, reply
from tests.fakes.transfers import ServedZone, messages, signed, soa
from tests.fleet.protocol.devices import DOMAIN, GATEWAY, KEY, OTHER, SETTINGS

ZONE = settings_zone(GATEWAY, DOMAIN)
TSIG = tsig_key(GATEWAY, KEY)
LINES = [line.split("\t", 2) for line in body_of(SETTINGS, sealed_with=[KEY]).decode().splitlines()]
RECORDS = [f"{owner}.{ZONE}. {rdtype} {data}" for owner, rdtype, data in LINES]
LONG = f'"{"x" * 250}" ' * 3
CHANGED = f'note.{ZONE}. TXT "s:changed"'


@dataclass(slots=True)
class Portals:
    """Makes portals whose server answers as a test wants."""

    tls: ssl.SSLContext
    ca: str

    @contextmanager
    def answering(
        self, handler: Callable[[dns.message.Message], Iterable[Step]]
    ) -> Iterator[Portal]:
        with Nameserver(handler, key=TSIG, tls=self.tls) as server:
            yield Portal("127.0.0.1", server.port, DOMAIN, self.ca)

    def fetch(
        self,
        handler: Callable[[dns.message.Message], Iterable[Step]],
        *,
        held: int | None = None,
        records: Sequence[Record] = (),
    ) -> Fetched | None:
        with self.answering(handler) as portal:
            return fetch(
                portal=portal, device_id=GATEWAY, key=KEY, held=held, records=records,
                deadline=Deadline.after(20),
            )  # fmt: skip


@pytest.fixture(scope="module")
def portals() -> Portals:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    tls.set_alpn_protocols(["dot"])
    return Portals(tls, authority.cert_pem.bytes().decode())


def served(**changed: object) -> ServedZone:
    return ServedZone(**{"records": RECORDS, "zone": ZONE, **changed})  # type: ignore[arg-type]


@dataclass(slots=True)
class Recorded:
    """Answers as they should be, and keeps what was sent."""

    sent: list[list[bytes]] = field(default_factory=list)

    def __call__(self, query: dns.message.Message) -> Iterable[Step]:
        steps = served()(query)
        wires = [s.to_wire() if isinstance(s, dns.message.Message) else s for s in steps]
        self.sent.append([wire for wire in wires if isinstance(wire, bytes)])
        return self.sent[-1]


@dataclass(slots=True)
class Replayed:
    """Plays what was sent before, as it was or under the number of the new question."""

    sent: list[list[bytes]]
    is_renumbered: bool

    def __call__(self, query: dns.message.Message) -> Iterable[Step]:
        wires = self.sent.pop(0)
        number = query.id.to_bytes(2, "big")
        return [number + wire[2:] if self.is_renumbered else wire for wire in wires]


@pytest.mark.parametrize("is_renumbered", [False, True])
def test_a_replayed_answer_is_not_believed(portals: Portals, is_renumbered: bool) -> None:
    recorded = Recorded()
    assert portals.fetch(recorded) is not None
    with pytest.raises(NotGenuine, match="not what the portal said to this question") as raised:
        portals.fetch(Replayed(recorded.sent, is_renumbered))
    assert raised.value.may_pass


@pytest.mark.parametrize("is_renumbered", [False, True])
def test_the_transfer_of_another_conversation_is_not_believed(
    portals: Portals, is_renumbered: bool
) -> None:
    recorded = Recorded()
    portals.fetch(recorded)
    replayed = Replayed(recorded.sent[1:], is_renumbered)

    def handle(query: dns.message.Message) -> Iterable[Step]:
        return (served() if query.question[0].rdtype == RdataType.SOA else replayed)(query)

    with pytest.raises(NotGenuine):
        portals.fetch(handle)


def spoiling(spoil: Callable[[list[bytes]], Iterable[Step]]) -> ServedZone:
    """Return a zone whose transfer is spoilt after it was signed."""

    class Spoilt(ServedZone):
        def sent(self, query: dns.message.Message, records: object) -> Iterable[Step]:
            assert isinstance(records, Sequence)
            return spoil(signed(messages(query, records, each=self.each)))

    return Spoilt(records=RECORDS, zone=ZONE)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda wires: [wires[1], wires[0], *wires[2:]],
        lambda wires: [*wires[:2], wires[3], wires[2], *wires[4:]],
        lambda wires: [*wires[:2], *wires[3:]],
        lambda wires: [wires[0], wires[0], *wires[1:]],
    ],
    ids=["the first two", "two in the middle", "one left out", "one doubled"],
)
def test_reordered_messages_are_not_believed(
    portals: Portals, spoil: Callable[[list[bytes]], Iterable[Step]]
) -> None:
    with pytest.raises(NotGenuine, match="the signature does not fit what came"):
        portals.fetch(spoiling(spoil))


def test_an_answer_that_is_not_signed_is_not_believed(portals: Portals) -> None:
    def handle(query: dns.message.Message) -> Iterable[Step]:
        answer = reply(query, soa(1, ZONE))
        answer.tsig = None
        return [answer.to_wire()]

    with pytest.raises(NotGenuine, match="the answer is not signed"):
        portals.fetch(handle)


def test_an_answer_signed_with_another_key_is_not_believed(portals: Portals) -> None:
    def handle(query: dns.message.Message) -> Iterable[Step]:
        answer = reply(query, soa(1, ZONE))
        answer.use_tsig(tsig_key(GATEWAY, new_key()))
        return [answer.to_wire()]

    with pytest.raises(NotGenuine):
        portals.fetch(handle)


def test_an_empty_answer_to_a_transfer_is_no_zone(portals: Portals) -> None:
    def handle(query: dns.message.Message) -> Iterable[Step]:
        records = [soa(1, ZONE)] if query.question[0].rdtype == RdataType.SOA else []
        return [reply(query, *records)]

    with pytest.raises(NotReadable, match="the answer is empty"):
        portals.fetch(handle)


def test_a_connection_that_ends_early_changes_nothing(portals: Portals) -> None:
    with pytest.raises(NotConnected, match="closed the connection"):
        portals.fetch(spoiling(lambda wires: [*wires[:-1], CLOSE]))


@pytest.mark.parametrize("rcode", [Rcode.REFUSED, Rcode.NOTAUTH, Rcode.SERVFAIL, Rcode.NXDOMAIN])
@pytest.mark.parametrize("is_signed", [True, False])
def test_a_refusal_says_whether_the_server_knew_the_key(
    portals: Portals, rcode: Rcode, is_signed: bool
) -> None:
    def handle(query: dns.message.Message) -> Iterable[Step]:
        answer = reply(query)
        answer.set_rcode(rcode)
        if not is_signed:
            answer.tsig = None
        return [answer.to_wire()]

    end = r"\)" if is_signed else r" without a signature\)"
    with pytest.raises(NotActive, match=f"answered {rcode.name}{end}. Check the device"):
        portals.fetch(handle)


@pytest.mark.parametrize(
    ("zone", "error", "reason"),
    [
        (served(records=RECORDS[:1]), NotReadable, "of format none"),
        (served(zone=settings_zone(OTHER, DOMAIN)), NotOurs, "sent another zone than that of"),
        (
            served(records=[f'a{n}.{ZONE}. TXT "s:1"' for n in range(201)], each=500),
            NotReadable,
            "more than 200 records",
        ),
        (
            served(records=[f"a.{ZONE}. A 192.0.2.1"] * (MAX_RECORDS + 1), each=500),
            NotReadable,
            "brings no settings .*over max_records",
        ),
        (
            served(records=[f"a{n}.{ZONE}. TXT {LONG}" for n in range(1900)], each=70),
            NotReadable,
            "over max_bytes",
        ),
        (served(increments=[CHANGED]), NotReadable, "begins with a TXT record instead of the SOA"),
        (served(increments=[soa(2, ZONE), soa(0, ZONE), CHANGED]), NotReadable, "out of order"),
        (served(serial=1, increments=[soa(0, ZONE)]), OlderSettings, "serial 0 is older than 1"),
    ],
)  # fmt: skip
def test_a_zone_that_is_no_settings_is_refused_with_the_reason(
    portals: Portals, zone: ServedZone, error: type[WebAutomationError], reason: str
) -> None:
    is_increment = zone.increments is not None
    zone.serial = 2 if is_increment else 1
    with pytest.raises(error, match=reason) as raised:
        portals.fetch(zone, held=1 if is_increment else None, records=[("a", "s:1")])
    assert str(raised.value).startswith((RETRIEVE, CONNECT))


def test_records_of_other_types_and_of_other_names_are_no_settings(portals: Portals) -> None:
    outside = f'note.{OTHER}.device.{DOMAIN}. TXT "s:foreign"'
    more = [
        outside,
        f"{ZONE}. NS ns.example.",
        f"note.{ZONE}. A 192.0.2.1",
        f"x.{ZONE}. AAAA 2001:db8::1",
    ]
    fetched = portals.fetch(served(records=[*RECORDS, *more]))
    assert fetched is not None
    assert fetched.settings == SETTINGS


@pytest.mark.parametrize("refusal", [Rcode.NOTIMP, Rcode.FORMERR])
def test_a_server_without_increments_is_asked_for_the_zone(
    portals: Portals, refusal: Rcode
) -> None:
    zone = served(serial=2, increments=refusal)
    fetched = portals.fetch(zone, held=1, records=[("lost", "s:1")])
    assert fetched is not None
    assert fetched.settings == SETTINGS
    assert zone.asked == ["SOA", "IXFR", "AXFR"]


def test_a_lagging_server_behind_one_address_brings_nothing(portals: Portals) -> None:
    zone = served(serial=2, increments=[soa(1, ZONE)])
    assert portals.fetch(zone, held=1, records=[("a", "s:1")]) is None


def canned(rdtype: str, records: Sequence[str], each: int) -> list[bytes]:
    query = dns.message.make_query(ZONE, rdtype, use_edns=False)
    return [part.to_wire() for part in messages(query, records, each=each)]


def talk(wires: Sequence[bytes]) -> Conversation:
    return Conversation(Canned(wires), dns.name.from_text(ZONE), None, 100)


@given(st.integers(1, 12), spoils)
def test_a_spoilt_transfer_is_a_zone_or_an_error(
    each: int, drawn: list[tuple[int, int, int]]
) -> None:
    wires = spoilt(canned("AXFR", [soa(2, ZONE), *RECORDS, soa(2, ZONE)], each), drawn)
    try:
        version = transfer(talk(wires), held=None)
    except SourceError:
        assert drawn
    else:
        assert len(version.records) <= len(RECORDS) + 1


@given(st.integers(1, 12), spoils)
def test_a_spoilt_increment_is_a_zone_or_an_error(
    each: int, drawn: list[tuple[int, int, int]]
) -> None:
    note = next(record for record in RECORDS if record.startswith("note."))
    records = [soa(3, ZONE), soa(1, ZONE), note, soa(3, ZONE), CHANGED, soa(3, ZONE)]
    whole = transfer(
        talk(canned("AXFR", [soa(1, ZONE), *RECORDS, soa(1, ZONE)], 50)), held=None
    ).records
    wires = spoilt(canned("IXFR", records, each), drawn)
    try:
        version = transfer(talk(wires), held=Version(1, whole))
    except SourceError:
        assert drawn
    else:
        assert drawn or ("note", "s:changed") in version.records


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_messages_of_any_bytes_are_no_zone(wires: list[bytes]) -> None:
    with pytest.raises(SourceError):
        transfer(talk(wires), held=None)
