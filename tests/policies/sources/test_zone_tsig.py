"""Signatures over a transfer: what dnspython signs verifies, and nothing else does."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence

import dns.message
import dns.tsig
import pytest
from hypothesis import given, strategies as st

from netsets.cidr import AddressSet
from policies.sources.base import SourceError, SourceMisconfigured, SourceUnavailable
from policies.sources.dns_errors import BadMessage, DnsFault, WrongId
from policies.sources.dns_wire import Unreadable
from policies.sources.zone import ZoneSource
from policies.sources.zone_errors import (
    KeyRefused,
    KeyUnknown,
    NotSigned,
    WrongSignature,
    WrongTime,
)
from policies.sources.zone_messages import read_message
from policies.sources.zone_tsig import MAX_UNSIGNED, Verifier
from tests.fakes.nameserver import Nameserver, Step, reply
from tests.fakes.transfers import ZONE, ServedZone, messages, signed, soa
from tests.fakes.tsig import TsigKey
from tests.policies.sources.zones import addresses, transfer

KEY = TsigKey()
RECORDS = [f"a{number}.{ZONE}. A 192.0.2.{number}" for number in range(1, 9)]
WHOLE = AddressSet.of("192.0.2.1-192.0.2.8")


def asked(key: TsigKey = KEY) -> dns.message.Message:
    """Return the question, as the server reads it."""
    query = dns.message.make_query(ZONE, "AXFR", use_edns=False)
    query.use_tsig(key.key)
    return dns.message.from_wire(query.to_wire(), keyring=key.key)


def stream(query: dns.message.Message, count: int, unsigned: Collection[int] = ()) -> list[bytes]:
    """Return a transfer of `count` messages with one record each, signed by dnspython."""
    records = [soa(1), *(f"a.{ZONE}. A 192.0.2.{n % 256}" for n in range(count - 2)), soa(1)]
    return signed(messages(query, records, each=1), unsigned=unsigned)


def verify(query: dns.message.Message, wires: Iterable[bytes], key: TsigKey = KEY) -> None:
    """Check a whole transfer as a source does; raise a `DnsFault`."""
    verifier = Verifier(key.key, query.mac or b"", "a test")
    for wire in wires:
        try:
            message = read_message(wire)
        except Unreadable as error:
            raise BadMessage(str(error)) from error
        if message.header.id != query.id:
            raise WrongId("another id")
        verifier.check(message, message.signature)
    verifier.finish()


unsigned_places = st.integers(2, 30).flatmap(
    lambda count: st.tuples(st.just(count), st.sets(st.integers(1, max(1, count - 2))))
)


@given(unsigned_places, st.sampled_from(["hmac-sha256", "hmac-sha384", "hmac-sha512"]))
def test_what_dnspython_signs_verifies(drawn: tuple[int, set[int]], algorithm: str) -> None:
    count, unsigned = drawn
    key = TsigKey(algorithm=algorithm)
    query = asked(key)
    verify(query, stream(query, count, unsigned - {count - 1}), key)


@given(
    unsigned=st.sets(st.integers(1, 6)),
    place=st.integers(0, 7),
    at=st.integers(0, 10_000),
    bit=st.integers(0, 7),
)
def test_a_flipped_bit_is_refused(unsigned: set[int], place: int, at: int, bit: int) -> None:
    query = asked()
    wires = stream(query, 8, unsigned)
    spoilt = bytearray(wires[place])
    at %= len(spoilt)
    spoilt[at] ^= 1 << bit
    changed = [*wires[:place], bytes(spoilt), *wires[place + 1 :]]
    if bytes(spoilt).lower() == wires[place].lower() and _in_signature(wires[place], at):
        return  # the names in a signature are the same in upper case and lower case
    with pytest.raises(DnsFault):
        verify(query, changed)


def _in_signature(wire: bytes, at: int) -> bool:
    signature = read_message(wire).signature
    return signature is not None and at >= signature.start


@given(unsigned=st.sets(st.integers(1, 6)), place=st.integers(0, 7))
def test_a_dropped_message_is_refused(unsigned: set[int], place: int) -> None:
    query = asked()
    wires = stream(query, 8, unsigned)
    del wires[place]
    if place == 7 and 6 not in unsigned:
        return  # shorter, and signed to its end: the last SOA that it lacks is missed elsewhere
    with pytest.raises(DnsFault):
        verify(query, wires)


@given(unsigned=st.sets(st.integers(1, 6)), first=st.integers(0, 7), second=st.integers(0, 7))
def test_messages_in_another_order_are_refused(unsigned: set[int], first: int, second: int) -> None:
    query = asked()
    wires = stream(query, 8, unsigned)
    if wires[first] == wires[second]:
        return
    wires[first], wires[second] = wires[second], wires[first]
    with pytest.raises(DnsFault):
        verify(query, wires)


def test_ninety_nine_messages_in_a_row_may_be_unsigned() -> None:
    query = asked()
    verify(query, stream(query, 102, range(1, 1 + MAX_UNSIGNED)))


def test_a_hundred_unsigned_messages_in_a_row_are_refused() -> None:
    query = asked()
    with pytest.raises(NotSigned, match="is not signed with transfer-key"):
        verify(query, stream(query, 103, range(1, 2 + MAX_UNSIGNED)))


@pytest.mark.parametrize(
    ("unsigned", "reason"),
    [({0}, "the answer is not signed"), ({2}, "the last message is not signed")],
)
def test_the_first_and_the_last_message_must_be_signed(unsigned: set[int], reason: str) -> None:
    query = asked()
    with pytest.raises(NotSigned, match=reason):
        verify(query, stream(query, 3, unsigned))


def test_an_answer_signed_with_another_key_of_the_name_is_refused() -> None:
    query = asked()
    with pytest.raises(WrongSignature, match="does not fit what came"):
        verify(query, stream(query, 3), TsigKey(secret="b3RoZXI="))


def test_an_answer_to_another_question_is_refused() -> None:
    query, other = asked(), asked()
    other.id = query.id
    with pytest.raises(WrongSignature, match="does not fit what came"):
        verify(query, stream(other, 3))


def test_an_old_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    query = asked()
    wires = stream(query, 3)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 400)
    with pytest.raises(WrongTime, match="differ too much") as raised:
        verify(query, wires)
    assert raised.value.seconds == pytest.approx(400, abs=60)


# The same through a source, over the wire.


def served(
    unsigned: Collection[int] = (), spoil: Sequence[int] = ()
) -> tuple[ServedZone, Nameserver]:
    class Spoilt(ServedZone):
        def sent(self, query: dns.message.Message, records: object) -> Iterable[Step]:
            assert isinstance(records, Sequence)
            wires = signed(messages(query, records, each=self.each), unsigned=unsigned)
            for place in spoil:
                wires[place] = wires[place].replace(b"\xc0\x00\x02", b"\xc0\x00\x03")
            return wires

    zone = Spoilt(records=RECORDS, each=2)
    return zone, Nameserver(zone, key=KEY.key)


def test_a_signed_zone_is_taken() -> None:
    _, server = served(unsigned={1, 2})
    with server as nameserver:
        assert addresses(transfer(nameserver.server, **KEY.settings)) == WHOLE


def test_a_zone_changed_on_its_way_is_refused() -> None:
    _, server = served(unsigned={1, 2}, spoil=[2])
    with server as nameserver, pytest.raises(WrongSignature):
        transfer(nameserver.server, **KEY.settings)


def test_a_zone_whose_last_message_is_unsigned_is_refused() -> None:
    _, server = served(unsigned={4})
    with server as nameserver, pytest.raises(NotSigned):
        transfer(nameserver.server, **KEY.settings)


def test_an_unsigned_serial_is_not_believed() -> None:
    def unsigned(query: dns.message.Message) -> Iterable[Step]:
        message = reply(query, soa(1))
        message.tsig = None
        return [message]

    with Nameserver(unsigned, key=KEY.key) as nameserver, pytest.raises(NotSigned):
        transfer(nameserver.server, **KEY.settings)


@pytest.mark.parametrize(
    ("code", "fault"),
    [(16, KeyRefused), (17, KeyUnknown), (18, WrongTime), (22, KeyRefused), (30, WrongSignature)],
)
def test_what_the_server_says_against_the_signature_is_told(
    code: int, fault: type[SourceError]
) -> None:
    def refuse(query: dns.message.Message) -> Iterable[Step]:
        message = dns.message.make_response(query, tsig_error=code)
        message.set_rcode(dns.rcode.NOTAUTH)
        return [message]

    with Nameserver(refuse, key=KEY.key) as nameserver, pytest.raises(fault):
        transfer(nameserver.server, **KEY.settings)


def test_clocks_apart_may_come_together_again() -> None:
    assert issubclass(WrongTime, SourceUnavailable)


# Settings.


def configured(**changed: object) -> ZoneSource:
    known = {"name": ZONE, "servers": ["192.0.2.53"], **KEY.settings, **changed}
    return ZoneSource.from_settings({k: v for k, v in known.items() if v is not None})


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"key_algorithm": None}, "key_algorithm must be given with the key"),
        ({"key_algorithm": "hmac-sha224"}, "key_algorithm must be one of"),
        ({"key_algorithm": "hmac-md5"}, "hmac-md5 is weak"),
        ({"key_algorithm": "hmac-sha1"}, "hmac-sha1 is weak"),
        (
            {"key_algorithm": "hmac-sha1", "weak_algorithms": ["hmac-md5"]},
            "hmac-sha1 is weak",
        ),
        ({"key_name": None}, "key_name must be"),
        ({"key_name": "a key"}, "key_name must be a DNS name"),
        ({"key_secret": None}, "key_secret must be"),
        ({"key_secret": "not base64!"}, "key_secret must be"),
        ({"key_secret": ""}, "key_secret must be"),
        ({"tls_name": "dns.example"}, "tls_name is of use with tls only"),
        ({"tls": True, "tls_ca": "no certificate"}, "tls_ca must be certificates in PEM form"),
        ({"tls": True, "tls_ca": 5}, "must be texts"),
        *(
            ({"tls": True, "tls_name": name}, "tls_name must be a DNS name or an address")
            for name in (".bad", "a" * 70, "a..b", "a\0b", "a b", "\u00e4.example")
        ),
        ({"take": "both"}, "take must be one of allow, block"),
        ({"incremental": "yes"}, "incremental must be true or false"),
        ({"name": "not a name"}, "name must be a DNS name"),
    ],
)
def test_a_setting_that_cannot_work_is_named(changed: dict[str, object], reason: str) -> None:
    with pytest.raises(SourceMisconfigured, match=reason) as raised:
        configured(**changed)
    secret = changed.get("key_secret") or KEY.secret
    assert str(secret) not in str(raised.value)


@pytest.mark.parametrize("algorithm", ["hmac-md5", "hmac-sha1"])
def test_a_weak_algorithm_is_taken_when_it_is_allowed_by_name(algorithm: str) -> None:
    source = configured(key_algorithm=algorithm, weak_algorithms=[algorithm])
    assert source.key is not None


def test_a_source_never_shows_its_secret() -> None:
    source = configured()
    assert ZoneSource.secrets == ("key_secret",)
    assert KEY.secret not in repr(source)


def test_the_port_is_that_of_dns_over_tls_with_tls() -> None:
    assert configured().servers[0].port == 53
    assert configured(tls=True).servers[0].port == 853
