"""What is asked, in which order, until a DNS list is whole.

A list lies at its own name and goes on at numbered ones (`basic`, `basic1`, `basic2`, … until one
is missing), or its name holds PTR records that name its parts. Numbers are asked ahead of the
answers, a window that grows with each name found, so that 250 names cost a few round trips; what
comes after the first missing number is not looked at.

`auto` asks the list's name for all types at once and takes APL, which says most; else A and AAAA
together; else TXT, which a name may carry for other reasons. PTR records are followed in any case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count, islice

import dns.rcode
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.PTR import PTR

from policies.sources.dns_errors import (
    BadMessage,
    DanglingAlias,
    DnsFault,
    EmptyName,
    Looping,
    NoSuchName,
    NotResponsible,
    OtherRefusal,
    PartMissing,
    Refused,
    ServerFailed,
    TooLarge,
    Truncated,
)
from policies.sources.dns_servers import Address, is_dns_name
from policies.sources.dns_transport import Exchange
from policies.sources.dns_wire import (
    AliasLoop,
    Header,
    Question,
    Records,
    Unreadable,
    begins_plainly,
    read_records,
)

_HOSTS = (RdataType.A, RdataType.AAAA)
_CONTENT = ((RdataType.APL,), _HOSTS, (RdataType.TXT,))  # `auto` takes the first that is there
_ALL = (RdataType.APL, *_HOSTS, RdataType.TXT, RdataType.PTR)

ENCODINGS: dict[str, tuple[RdataType, ...]] = {
    "auto": _ALL,
    "a": _HOSTS,
    "apl": (RdataType.APL,),
    "txt": (RdataType.TXT,),
    "ptr": _ALL,
}

_FIRST_WINDOW = 4
_WIDEST_WINDOW = 32


@dataclass(slots=True)
class Holding:
    """What one name holds: a message for each type found there."""

    name: str
    messages: dict[RdataType, bytes] = field(default_factory=dict)
    exists: bool = False
    alias: str = ""  # where an alias led that held nothing

    def content(self) -> tuple[RdataType, ...]:
        """Return the types of this name's own addresses, none where it has none."""
        for types in _CONTENT:
            if not self.messages.keys().isdisjoint(types):
                return types
        return ()


def walk(exchange: Exchange, *, name: str, encoding: str, max_names: int) -> tuple[bytes, ...]:
    """Return the messages that together are the list `name`, in the order of its names.

    Raises a `DnsFault`.
    """
    first = next(_holdings(exchange, [name], ENCODINGS[encoding]))
    if not first.messages:
        raise _nothing_at(first, exchange.address)
    if RdataType.PTR in first.messages:
        return tuple(_with_parts(exchange, first, max_names=max_names))
    if encoding == "ptr":
        raise EmptyName(f"{exchange.address}: {name} holds no PTR records that name parts")
    return tuple(_continued(exchange, first, max_names=max_names))


def _continued(exchange: Exchange, first: Holding, *, max_names: int) -> Iterator[bytes]:
    types = first.content()
    yield from _messages(first, types)
    names = islice(_numbered(first.name), max_names)
    for number, holding in enumerate(_holdings(exchange, names, types), start=1):
        if not holding.messages:
            if holding.alias:
                raise _nothing_at(holding, exchange.address)
            return
        if number == max_names:
            raise TooLarge(f"{exchange.address}: {holding.name} is over max_names ({max_names:,})")
        yield from _messages(holding, types)


def _numbered(name: str) -> Iterator[str]:
    """Give `basic1.example`, `basic2.example`, … for `basic.example`, as long as they are names."""
    label, dot, rest = name.partition(".")
    for number in count(1):
        following = f"{label}{number}{dot}{rest}"
        if not is_dns_name(following):
            return
        yield following


def _with_parts(exchange: Exchange, first: Holding, *, max_names: int) -> Iterator[bytes]:
    """Give what the name itself holds, then each part, level by level."""
    yield from _messages(first, first.content())
    came_from: dict[str, str] = {first.name.lower(): ""}
    parts = _new_parts(first, came_from, exchange.address)
    while parts:
        if len(came_from) > max_names:
            raise TooLarge(f"{exchange.address}: {first.name} has over max_names ({max_names:,})")
        named_next: list[str] = []
        for holding in _holdings(exchange, parts, _ALL):
            if not holding.messages:
                reason = _nothing_at(holding, exchange.address)
                raise PartMissing(f"{reason}, though {came_from[holding.name]} names it as a part")
            yield from _messages(holding, holding.content())
            if RdataType.PTR in holding.messages:
                named_next += _new_parts(holding, came_from, exchange.address)
        parts = named_next


def _new_parts(holding: Holding, came_from: dict[str, str], address: Address) -> list[str]:
    """Return the parts `holding` names that were not named before; refuse a circle."""
    about = f"{address}: {holding.name} PTR"
    new: list[str] = []
    rdatas = _read(holding.messages[RdataType.PTR], about).rdatas
    for target in [rdata.target for rdata in rdatas if isinstance(rdata, PTR)]:
        part = target.to_text(omit_final_dot=True).lower()
        if not is_dns_name(part):
            raise BadMessage(f"{about}: a part's name is not one to ask for")
        if part in _line(holding.name.lower(), came_from):
            raise Looping(f"{about}: the parts lead in a circle at {part}")
        if part not in came_from:
            came_from[part] = holding.name.lower()
            new.append(part)
    return new


def _line(name: str, came_from: dict[str, str]) -> Iterator[str]:
    """Give `name`, the name that named it, and so on up to the list."""
    while name:
        yield name
        name = came_from[name]


def _messages(holding: Holding, types: Iterable[RdataType]) -> Iterator[bytes]:
    return (holding.messages[rdtype] for rdtype in types if rdtype in holding.messages)


def _holdings(
    exchange: Exchange, names: Iterable[str], types: tuple[RdataType, ...]
) -> Iterator[Holding]:
    """Give what each of `names` holds, in their order, asking a window of them ahead.

    An answer is judged when its name's turn comes, so a fault behind the last name read counts
    for nothing.
    """
    upcoming = iter(names)
    asked: dict[str, list[Question]] = {}
    answers: dict[Question, bytes] = {}
    window = _FIRST_WINDOW
    while True:
        for name in islice(upcoming, window - len(asked)):
            asked[name] = [exchange.ask(name, rdtype) for rdtype in types]
        if not asked:
            return
        name, questions = next(iter(asked.items()))
        while any(question not in answers for question in questions):
            question, message = exchange.answer()
            answers[question] = message
        del asked[name]
        holding = Holding(name)
        for question in questions:
            _judge(holding, question, answers.pop(question), exchange.address)
        yield holding
        window = min(window * 2, _WIDEST_WINDOW)


_RCODE_FAULTS: dict[dns.rcode.Rcode, tuple[type[DnsFault], str]] = {
    dns.rcode.REFUSED: (Refused, "REFUSED, the server does not answer this appliance"),
    dns.rcode.SERVFAIL: (ServerFailed, "SERVFAIL, the server failed"),
}


def _judge(holding: Holding, question: Question, message: bytes, address: Address) -> None:
    """Put into `holding` what `message` says about it, or raise the fault that it is."""
    about = f"{address}: {question}"
    header = Header.of(message)
    _refuse_failure(header, message, about)
    holding.exists |= header.rcode == dns.rcode.NOERROR
    if not header.answers:
        if header.rcode == dns.rcode.NOERROR and not header.speaks_for_name:
            raise NotResponsible(f"{about}: a referral, the server is not responsible for it")
        return
    if begins_plainly(message, question):
        holding.messages[question.rdtype] = message
        return
    records = _read(message, about)
    if records.rdatas:
        holding.messages[question.rdtype] = message
    elif records.is_alias:
        holding.alias = records.name


def _refuse_failure(header: Header, message: bytes, about: str) -> None:
    """Raise the fault that the header tells, if any."""
    if header.rcode == dns.rcode.SERVFAIL and header.answers:
        # BIND answers a circle of aliases with SERVFAIL and the circle: that is the better reason.
        _read(message, about)
    if header.rcode not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        word = dns.rcode.to_text(header.rcode)
        fault, reason = _RCODE_FAULTS.get(header.rcode, (OtherRefusal, f"answered with {word}"))
        raise fault(f"{about}: {reason}")
    if header.is_truncated:
        raise Truncated(f"{about}: the answer is cut (TC) over TCP")


def _read(message: bytes, about: str) -> Records:
    try:
        return read_records(message)
    except AliasLoop as error:
        raise Looping(f"{about}: {error}") from error
    except Unreadable as error:
        raise BadMessage(f"{about}: the answer cannot be read ({error})") from error


def _nothing_at(holding: Holding, address: Address) -> DnsFault:
    """Return the fault of a name that holds nothing of what was asked for."""
    if holding.alias:
        return DanglingAlias(
            f"{address}: {holding.name} is an alias of {holding.alias}, which holds no addresses"
        )
    if holding.exists:
        return EmptyName(f"{address}: {holding.name} exists and holds no addresses (NODATA)")
    return NoSuchName(f"{address}: {holding.name} does not exist (NXDOMAIN)")
