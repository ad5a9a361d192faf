"""Each way a server can fail ends in an error of its own, with the server, name and reason."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import dns.flags
import dns.message
import pytest
from dns.rcode import FORMERR, NXDOMAIN, REFUSED, SERVFAIL, Rcode
from hypothesis import given, settings, strategies as st

from policies.sources import dns_errors as faults
from policies.sources.base import (
    EmptyList,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from tests.fakes.nameserver import (
    CLOSE,
    HALF_CLOSE,
    Handler,
    Nameserver,
    Pause,
    Raw,
    Step,
    framed,
    reply,
)
from tests.policies.sources.lists import NAME, Zone, retrieve

SENTENCE = "block or allow list basic.example could not be fetched from ThreatSTOP DNS servers. "
A_RECORD = "A 192.0.2.1"


def with_rcode(rcode: Rcode) -> Handler:
    def handler(query: dns.message.Message) -> Iterable[Step]:
        message = reply(query)
        message.set_rcode(rcode)
        return [message]

    return handler


def with_wire(change: Callable[[bytearray], object]) -> Handler:
    """Answer with a good message that `change` has spoilt."""

    def handler(query: dns.message.Message) -> Iterable[Step]:
        wire = bytearray(reply(query, A_RECORD).to_wire())
        change(wire)
        return [bytes(wire)]

    return handler


def set_flag(wire: bytearray) -> None:
    wire[2] |= dns.flags.TC >> 8


def clear_answer_bit(wire: bytearray) -> None:
    wire[2] &= 0x7F


def turn_id(wire: bytearray) -> None:
    wire[0] ^= 0xFF


def other_name(wire: bytearray) -> None:
    wire[13] ^= 1


def other_type(wire: bytearray) -> None:
    end_of_name = wire.index(0, 12)
    wire[end_of_name + 2] ^= 0x40


def cut_in_two(query: dns.message.Message) -> Iterable[Step]:
    whole = framed(reply(query, A_RECORD).to_wire()).content
    return [Raw(whole[:20]), CLOSE]


def looping_aliases(query: dns.message.Message) -> Iterable[Step]:
    return [reply(query, "CNAME other.example.", f"other.example. CNAME {NAME}.")]


def long_chain(query: dns.message.Message) -> Iterable[Step]:
    chain = [f"a{n}.example. CNAME a{n + 1}.example." for n in range(20)]
    return [reply(query, "CNAME a0.example.", *chain, "a20.example. A 192.0.2.1")]


def referral(query: dns.message.Message) -> Iterable[Step]:
    message = reply(query)
    message.flags &= ~dns.flags.AA
    return [message]


WIRE_FAULTS: dict[str, tuple[Handler, type[faults.DnsFault], type[SourceError], str]] = {
    "refused": (with_rcode(REFUSED), faults.Refused, SourceRefused, "REFUSED"),
    "servfail": (with_rcode(SERVFAIL), faults.ServerFailed, SourceUnavailable, "SERVFAIL"),
    "nxdomain": (with_rcode(NXDOMAIN), faults.NoSuchName, SourceRefused, "NXDOMAIN"),
    "formerr": (with_rcode(FORMERR), faults.OtherRefusal, SourceRefused, "FORMERR"),
    "nodata": (lambda query: [reply(query)], faults.EmptyName, EmptyList, "NODATA"),
    "referral": (referral, faults.NotResponsible, SourceRefused, "referral"),
    "truncated": (with_wire(set_flag), faults.Truncated, SourceRefused, "TC"),
    "not an answer": (with_wire(clear_answer_bit), faults.NotAnAnswer, SourceRefused, "QR is 0"),
    "wrong id": (with_wire(turn_id), faults.WrongId, SourceRefused, "was not asked"),
    "wrong name": (with_wire(other_name), faults.WrongQuestion, SourceRefused, "another question"),
    "wrong type": (with_wire(other_type), faults.WrongQuestion, SourceRefused, "another question"),
    "looping": (looping_aliases, faults.Looping, SourceRefused, "in a circle"),
    "endless": (long_chain, faults.Looping, SourceRefused, "in a circle"),
    "dangling": (
        lambda query: [reply(query, "CNAME gone.example.")],
        faults.DanglingAlias,
        SourceRefused,
        "an alias of gone.example",
    ),
    "too short": (lambda query: [b"\0" * 11], faults.BadMessage, SourceRefused, "11 bytes"),
    "length 0": (lambda query: [b""], faults.BadMessage, SourceRefused, "0 bytes"),
    "undecodable": (
        lambda query: [reply(query, "CNAME a.example.").to_wire()[:-3]],
        faults.BadMessage,
        SourceRefused,
        "cannot be read",
    ),
    "closed": (lambda query: [CLOSE], faults.ClosedEarly, SourceUnavailable, "before an answer"),
    "half closed": (
        lambda query: [HALF_CLOSE, Pause(10)],
        faults.ClosedEarly,
        SourceUnavailable,
        "before an answer",
    ),
    "cut": (cut_in_two, faults.ClosedEarly, SourceUnavailable, "20 bytes into an answer"),
}


@pytest.mark.parametrize("fault", WIRE_FAULTS)
def test_each_wire_fault_is_an_error_of_its_own(fault: str) -> None:
    handler, expected, branch, reason = WIRE_FAULTS[fault]
    with Nameserver(handler) as nameserver, pytest.raises(expected) as raised:
        retrieve(nameserver)
    message = str(raised.value)
    assert type(raised.value) is expected
    assert isinstance(raised.value, branch)
    assert message.startswith(f"{SENTENCE}{nameserver.address}: {NAME}")
    assert reason in message
    assert message.endswith(expected.advice)


def test_connection_refused_is_an_error_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(faults.Unreachable) as raised:
        retrieve(servers=["127.0.0.1"], port=port)
    assert str(raised.value).startswith(f"{SENTENCE}127.0.0.1#{port}: Connection refused")


def test_an_address_the_system_cannot_connect_to_is_an_error_of_its_own() -> None:
    with pytest.raises(faults.Unreachable, match=r"255\.255\.255\.255#53: "):
        retrieve(servers=["255.255.255.255"])


def test_a_system_without_sockets_left_is_an_error_of_a_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(*arguments: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", none_left)
    with pytest.raises(faults.Unreachable, match="Too many open files"):
        retrieve(servers=["127.0.0.1"])


def test_a_server_name_without_an_address_is_an_error_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(*arguments: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(faults.ServerUnknown, match=r"dns\.example\.com: no address found"):
        retrieve(servers=["dns.example.com"])


def test_an_address_with_a_zone_is_no_address_of_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1%eth0", 0, 0, 2))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_options: [found])
    with pytest.raises(faults.ServerUnknown, match=r"dns\.example\.com: no address found"):
        retrieve(servers=["dns.example.com"])


def test_a_silent_server_is_given_up_at_the_deadline() -> None:
    with Nameserver(lambda query: [Pause(30)]) as nameserver:
        started = time.monotonic()
        with pytest.raises(faults.TimedOut, match="not answered in time") as raised:
            retrieve(nameserver, seconds=0.5)
        assert time.monotonic() - started < 2
    assert f"{nameserver.address}: {NAME}" in str(raised.value)


def test_a_server_that_drips_is_given_up_at_the_deadline() -> None:
    def drip(query: dns.message.Message) -> Iterable[Step]:
        for byte in framed(reply(query, A_RECORD).to_wire()).content:
            yield Raw(bytes([byte]))
            yield Pause(0.2)

    with Nameserver(drip) as nameserver:
        started = time.monotonic()
        with pytest.raises(faults.TimedOut):
            retrieve(nameserver, seconds=1)
        assert time.monotonic() - started < 2


def test_a_server_that_never_accepts_is_given_up_at_the_deadline() -> None:
    """A full backlog drops the connection request, as a firewall would."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        others = [socket.socket() for _ in range(4)]
        for other in others:
            other.settimeout(0)
            other.connect_ex(("127.0.0.1", port))
        try:
            with pytest.raises(faults.TimedOut):
                retrieve(servers=["127.0.0.1"], port=port, seconds=0.5)
        finally:
            for other in others:
                other.close()


def test_more_bytes_than_allowed_are_an_error_of_their_own() -> None:
    records = [f"A 192.0.2.{number}" for number in range(256)]
    with Nameserver(Zone({NAME: records})) as nameserver:
        assert len(retrieve(nameserver, max_bytes=8192).payload) == 1
        with pytest.raises(faults.TooLarge, match=r"over max_bytes \(4,000\)"):
            retrieve(nameserver, max_bytes=4000)


def test_a_list_without_an_end_is_bounded() -> None:
    with (
        Nameserver(lambda query: [reply(query, A_RECORD)]) as nameserver,
        pytest.raises(faults.TooLarge, match="max_names"),
    ):
        retrieve(nameserver, encoding="a", max_names=50)


def test_the_next_server_is_asked_when_one_fails() -> None:
    with (
        Nameserver(with_rcode(REFUSED)) as first,
        Nameserver(cut_in_two) as second,
        Nameserver(Zone({NAME: [A_RECORD]})) as third,
        Nameserver(Zone({NAME: [A_RECORD]})) as fourth,
    ):
        assert retrieve(first, second, third, fourth).server == third.address
        assert not fourth.questions


def test_a_silent_server_leaves_the_next_its_share_of_the_time() -> None:
    with (
        Nameserver(lambda query: [Pause(30)]) as silent,
        Nameserver(Zone({NAME: [A_RECORD]})) as good,
    ):
        assert retrieve(silent, good, seconds=1).server == good.address


def test_when_all_servers_fail_each_is_told_with_its_reason() -> None:
    with (
        Nameserver(with_rcode(REFUSED)) as first,
        Nameserver(with_rcode(SERVFAIL)) as second,
        pytest.raises(SourceUnavailable) as raised,
    ):
        retrieve(first, second)
    message = str(raised.value)
    assert message.startswith(f"{SENTENCE}{first.address}: {NAME} APL: REFUSED")
    assert f"{second.address}: {NAME} APL: SERVFAIL" in message


def test_when_all_servers_refuse_no_retry_is_asked_for() -> None:
    with (
        Nameserver(with_rcode(REFUSED)) as first,
        Nameserver(with_rcode(NXDOMAIN)) as second,
        pytest.raises(SourceRefused) as raised,
    ):
        retrieve(first, second)
    assert not isinstance(raised.value, SourceUnavailable)


def test_an_empty_list_is_an_answer_and_ends_the_search() -> None:
    with (
        Nameserver(Zone({NAME: []})) as first,
        Nameserver(Zone({NAME: [A_RECORD]})) as second,
        pytest.raises(EmptyList),
    ):
        retrieve(first, second)
    assert not second.questions


def test_the_message_of_many_failing_servers_is_bounded() -> None:
    name = ".".join(["x" * 60] * 4)
    with Nameserver(with_rcode(REFUSED)) as nameserver, pytest.raises(faults.Refused) as raised:
        retrieve(*[nameserver] * 8, name=name)
    assert len(str(raised.value)) < 4000


@settings(max_examples=40, deadline=None)
@given(content=st.binary(max_size=400), cut=st.booleans())
def test_random_bytes_end_in_an_error_of_a_source(content: bytes, cut: bool) -> None:
    with Nameserver(lambda query: [Raw(content) if cut else content, CLOSE]) as nameserver:
        with pytest.raises(SourceError) as raised:
            retrieve(nameserver, seconds=5)
        assert not isinstance(raised.value, faults.TimedOut)


@settings(max_examples=60, deadline=None)
@given(rest=st.binary(max_size=200), flags=st.binary(min_size=2, max_size=2), data=st.data())
def test_random_answers_to_the_right_question_end_well_or_in_an_error(
    rest: bytes, flags: bytes, data: st.DataObject
) -> None:
    counts = data.draw(st.binary(min_size=6, max_size=6))

    def handler(query: dns.message.Message) -> Iterable[Step]:
        wire = query.to_wire()
        return [wire[:2] + flags + wire[4:6] + counts + wire[12:] + rest]

    with Nameserver(handler) as nameserver:
        started = time.monotonic()
        with suppress(SourceError):
            assert sum(map(len, retrieve(nameserver, max_names=3).payload)) < 10_000
        assert time.monotonic() - started < 4
