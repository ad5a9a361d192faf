"""FortiGate: pairs, quoted or not, parted by blanks or commas."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from logs.parsers.base import NO_CONNECTION, NOT_OURS, Action
from tests.logs.parsers.lines import CAME, ends, event, micros, read
from tests.logs.parsers.samples import FORTIGATE_DENY

TCP = ("192.0.2.7", 40001, "198.51.100.9", 443, 6)
D, M, A = Action.DROPPED, Action.MONITORED, Action.ALLOWED


@pytest.mark.parametrize(
    ("kind", "action", "inspected", "became"),
    [
        ("traffic", "deny", "", D), ("traffic", "accept", "", A), ("traffic", "close", "", A),
        ("traffic", "server-rst", "", A), ("traffic", "client-rst", "", A),
        ("traffic", "ip-conn", "", A), ("traffic", "timeout", "", A),
        ("traffic", "close", "block", D), ("traffic", "close", "allow", A),
        ("utm", "blocked", "", D), ("utm", "dropped", "", D), ("utm", "reset_client", "", D),
        ("utm", "clear_session", "", D), ("utm", "detected", "", M), ("utm", "passthrough", "", A),
        ("utm", "", "", A),
    ],
)  # fmt: skip
def test_the_action_says_what_became_of_it(
    kind: str, action: str, inspected: str, became: Action
) -> None:
    line = FORTIGATE_DENY.replace(b'"traffic"', f'"{kind}"'.encode())
    line = line.replace(b'"deny"', f'"{action}" utmaction="{inspected}"'.encode())
    assert (ends(event(line)), event(line).action) == (TCP, became)


def test_commas_may_part_the_pairs() -> None:
    line = FORTIGATE_DENY.replace(b"host a", b"host-a").replace(b" ", b",")
    assert event(line) == event(FORTIGATE_DENY)


@pytest.mark.parametrize("name", ["Block list, in", 'a \\" srcip=203.0.113.66', "srcip=1"])
def test_a_named_policy_is_said_by_its_name(name: str) -> None:
    line = FORTIGATE_DENY.replace(b"policyid=42", f'policyid=42 policyname="{name}"'.encode())
    assert event(line).said == name


@given(st.text(max_size=60))
def test_what_stands_in_quotes_is_no_pair(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    forged = f'hostname="{escaped} srcip=203.0.113.66, action=accept" '.encode()
    line = FORTIGATE_DENY.replace(b"srcip=", forged + b"srcip=", 1)
    assert event(line) == event(FORTIGATE_DENY)


def test_the_first_of_two_equal_keys_counts() -> None:
    line = FORTIGATE_DENY + b' srcip=203.0.113.66 action="accept"'
    assert event(line) == event(FORTIGATE_DENY)


@pytest.mark.parametrize(
    ("before", "after", "both"),
    [
        (b"srcport=40001", b"srcport=99999", ("192.0.2.7", 0, "198.51.100.9", 443, 6)),
        (b"proto=6", b"proto=1", ("192.0.2.7", 0, "198.51.100.9", 0, 1)),
        (b"proto=6", b"proto=999", ("192.0.2.7", 40001, "198.51.100.9", 443, 255)),
        (b"srcip=192.0.2.7", b"srcip=2001:db8::7", ("2001:db8::7", *TCP[1:])),
    ],
)
def test_a_bad_field_drops_the_field(before: bytes, after: bytes, both: tuple[object, ...]) -> None:
    assert ends(event(FORTIGATE_DENY.replace(before, after))) == both


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"srcip=192.0.2.7", b"srcip=N/A"), (b"dstip=", b"dst="), (b'"traffic"', b'"event"')],
)
def test_events_and_lines_without_addresses_are_no_connections(before: bytes, after: bytes) -> None:
    assert read(FORTIGATE_DENY.replace(before, after)) is NO_CONNECTION


@pytest.mark.parametrize("line", [b"date=2026-03-01 logid=1x", b"msg=a devid=b", b"devid="])
def test_other_pairs_are_not_ours_or_no_connection(line: bytes) -> None:
    assert read(line) in {NOT_OURS, NO_CONNECTION}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"eventtime=1772326956683510055", b"eventtime=1772326956"),
        (b"eventtime=1772326956683510055 ", b""),
        (b"eventtime=1772326956683510055", b"eventtime=7"),
        (b'eventtime=1772326956683510055 tz="+0200"', b'tz="-2200"'),
    ],
)
def test_the_time_is_the_events_else_date_and_time_in_their_zone(
    before: bytes, after: bytes
) -> None:
    line = FORTIGATE_DENY.replace(before, after)
    if b"-2200" in after:  # then the zone that the site set; here UTC, and that would be ahead
        assert event(line).at == micros(CAME)
    else:
        assert event(line).at == micros(CAME.replace(second=36))
