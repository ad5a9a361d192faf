"""Updates and transfers as bytes: what is not signed, not asked or not whole is not believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest

from fleet.primary.base import Key
from fleet.primary.exchange import NotAsHeld, WholeZone, update, whole_zone
from fleet.primary.records import Zone
from fleet.primary.server import NameServer
from fleet.primary.update_message import Change
from policies.sources.base import Deadline, SourceError
from policies.sources.dns_errors import BadMessage, NotAnAnswer, ServerFailed, TimedOut, WrongId
from policies.sources.zone_errors import NotATransfer, NotAuthoritative, NotOfTheZone, NotSigned
from tests.fakes.nameserver import Nameserver, Pause, Step
from tests.fakes.transfers import ServedZone, messages, signed, soa
from tests.fleet.primary.console import DOMAIN, POLICY

KEY = Key(f"portal.{DOMAIN}", b"k" * 32)
Answer = Callable[[dns.message.Message], Iterable[Step]]


def talk_to(answer: Answer, talk: Callable[..., object], *, seconds: float = 20) -> object:
    """Return what a talk with a server that answers so comes to."""
    tsig = NameServer("127.0.0.1", 0, KEY).tsig
    with Nameserver(answer, key=tsig) as nameserver:
        server = NameServer("127.0.0.1", nameserver.port, KEY)
        with server.stream(Deadline.after(seconds)) as stream:
            return talk(server.talk(stream, POLICY))


def send(talk: object) -> None:
    (message,) = Change(Zone(POLICY, domain=DOMAIN), 1, 2, [], []).messages()
    update(talk, message)  # type: ignore[arg-type]


def answering(rcode: dns.rcode.Rcode) -> Answer:
    def answer(query: dns.message.Message) -> Iterable[Step]:
        found = dns.message.make_response(query)
        found.set_rcode(rcode)
        return [found]

    return answer


def unsigned(rcode: dns.rcode.Rcode) -> Answer:
    def answer(query: dns.message.Message) -> Iterable[Step]:
        found = dns.message.make_response(query)
        found.set_rcode(rcode)
        found.tsig = None
        return [found]

    return answer


def of_another_question(query: dns.message.Message) -> Iterable[Step]:
    found = dns.message.make_response(query)
    found.id ^= 1
    return [found]


def a_question(query: dns.message.Message) -> Iterable[Step]:
    found = dns.message.make_response(query)
    found.flags &= ~dns.flags.QR
    return [found]


def test_an_update_is_a_signed_message_that_names_the_soa_before_and_after() -> None:
    seen = []

    def answer(query: dns.message.Message) -> Iterable[Step]:
        seen.append(query)
        return answering(dns.rcode.NOERROR)(query)

    talk_to(answer, send)
    (query,) = seen
    assert query.opcode() == dns.opcode.UPDATE
    assert str(query.keyname) == f"{KEY.name}."
    assert [str(rrset).rsplit(" 1 ", 1)[0] for rrset in query.answer] != []
    assert " 1 300 60 604800 60" in str(query.answer[0])
    assert " 2 300 60 604800 60" in str(query.authority[0])


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (unsigned(dns.rcode.NOERROR), NotSigned),
        (answering(dns.rcode.NXRRSET), NotAsHeld),
        (answering(dns.rcode.SERVFAIL), ServerFailed),
        (unsigned(dns.rcode.NOTAUTH), NotAuthoritative),
        (of_another_question, WrongId),
        (a_question, NotAnAnswer),
        (lambda query: [b"no DNS message"], BadMessage),
    ],
)
def test_an_answer_to_an_update_is_taken_for_what_it_is(
    answer: Answer, fault: type[SourceError]
) -> None:
    with pytest.raises(fault, match=POLICY):
        talk_to(answer, send)


def test_a_server_that_says_nothing_is_not_waited_for_beyond_the_deadline() -> None:
    with pytest.raises(TimedOut):
        talk_to(lambda query: [Pause(30)], send, seconds=0.5)


def zone(*records: str) -> ServedZone:
    return ServedZone(records=records, zone=POLICY)


def test_a_zone_is_read_with_all_that_it_holds() -> None:
    held = zone(
        f'A.b.{POLICY}. TXT "one" "two"',
        f"p.{POLICY}. PTR Q.{POLICY}.",
        f"{POLICY}. NS ns.{POLICY}.",
    )
    found = talk_to(held, whole_zone)
    assert isinstance(found, WholeZone)
    assert (found.serial, found.soa.rdtype) == (1, 6)
    assert found.records == [
        (b"\1a\1b", 16, b"\3one\3two"),
        (b"\1p", 12, b"\1Q\x08web-netb\4tscm\x08internal\0"),
        (b"", 2, b"\2ns\x08web-netb\4tscm\x08internal\0"),
    ]


@pytest.mark.parametrize(
    ("held", "fault"),
    [
        (zone('other.example. TXT "x"'), NotOfTheZone),
        (ServedZone(records=(), zone="other.example"), SourceError),
    ],
)
def test_what_is_not_the_zone_is_not_taken(held: ServedZone, fault: type[SourceError]) -> None:
    with pytest.raises(fault):
        talk_to(held, whole_zone)


def test_a_transfer_that_ends_with_another_soa_is_not_taken() -> None:
    def answer(query: dns.message.Message) -> Iterable[Step]:
        return signed(messages(query, [soa(1, POLICY), f'{POLICY}. TXT "x"', soa(2, POLICY)]))

    with pytest.raises(NotATransfer, match="last SOA"):
        talk_to(answer, whole_zone)


def test_an_update_is_never_sent_unsigned() -> None:
    with pytest.raises(ValueError, match="signed"):
        talk_to(a_question, lambda talk: send(replace(talk, key=None)))


def test_a_transfer_that_does_not_begin_with_the_soa_is_none() -> None:
    with pytest.raises(NotATransfer):
        talk_to(answering(dns.rcode.NOERROR), whole_zone)
