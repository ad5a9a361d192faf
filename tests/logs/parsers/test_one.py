"""Any line, whichever firewall wrote it, or none."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from logs.parsers.base import NOT_OURS, Action, Event, Miss, Side
from logs.parsers.one import PARSERS, SIGNS, parse_line
from tests.logs.parsers.lines import CAME, Ends, arrival, ends, event, micros, read, verdict
from tests.logs.parsers.samples import ALL

TCP: Ends = ("192.0.2.7", 40001, "198.51.100.9", 443, 6)
V6: Ends = ("2001:db8::7", 59698, "2001:db8:1::9", 53, 17)
WHAT: dict[str, tuple[Ends, Action, Side, str]] = {
    "ftd block": (TCP, Action.DROPPED, Side.DESTINATION, "our-block-feed"),
    "ftd monitor": (
        ("192.0.2.7", 65090, "198.51.100.9", 80, 6), Action.MONITORED, Side.SOURCE,
        "our-watch-feed",
    ),
    "ftd allow": (V6, Action.ALLOWED, Side.UNSAID, "Names: out"),
    "sfims pairs": (TCP, Action.DROPPED, Side.DESTINATION, "our-block-feed"),
    "sfims legacy": (TCP, Action.DROPPED, Side.SOURCE, "our-block-feed"),
    "kernel": (TCP, Action.DROPPED, Side.UNSAID, "ThreatSTOP-TSblock"),
    "kernel v6": (
        ("2001:db8::7", 5353, "2001:db8:1::9", 53, 17), Action.DROPPED, Side.UNSAID, "[UFW BLOCK]",
    ),
    "asa": (("192.0.2.7", 40001, "198.51.100.9", 25, 6), Action.DROPPED, Side.UNSAID, "outside_in"),
    "panos": (TCP, Action.DROPPED, Side.UNSAID, "our-block-feed"),
    "fortigate": (TCP, Action.DROPPED, Side.UNSAID, "policy 42"),
    "ios": (TCP, Action.DROPPED, Side.UNSAID, "102"),
}  # fmt: skip
FIRST_PACKET = {"ftd block"}

lines = st.sampled_from(sorted(ALL.values()))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_line_of_each_brand_is_its_connection(name: str, end: bytes) -> None:
    found = event(ALL[name] + end)
    assert (ends(found), *verdict(found)) == WHAT[name]
    assert found.at == micros(CAME.replace(second=35 if name in FIRST_PACKET else 36)) + (
        683_510 if name == "fortigate" else 0
    )


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "relay", [b"Mar  1 01:02:39 relay-a ", b"<13>2026-03-01T01:02:39.5+00:00 relay-a "]
)
def test_a_relay_may_put_its_own_head_in_front(name: str, relay: bytes) -> None:
    found = event(relay + ALL[name])
    assert (ends(found), *verdict(found)) == WHAT[name]
    assert found.at == event(ALL[name]).at


@pytest.mark.parametrize("name", ALL)
def test_rfc_5424_may_carry_any_body(name: str) -> None:
    body = ALL[name]
    for before in (
        b"fw-a  ",
        b"fw-a ",
        b"fw-a : ",
        b"pa-a ",
        b"36Z ",
        b"fmc-a ",
        b"36: ",
        b"<189>",
    ):
        body = body.partition(before)[2] or body
    head = rb'<113>1 2026-03-01T01:02:36.5+00:00 fw-a - - - [a@1 b="c\"d]"] ' + b"\xef\xbb\xbf"
    assert ends(event(head + body)) == WHAT[name][0]


@given(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_answered_by_every_parser(line: bytes) -> None:
    for parse in PARSERS.values():
        assert isinstance(parse(line, arrival()), (Event, Miss))
    assert isinstance(read(line), (Event, Miss))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A line of some brand with a stretch cut out, doubled or overwritten."""
    line = draw(lines)
    first = draw(st.integers(0, len(line)))
    last = draw(st.integers(first, min(len(line), first + 60)))
    piece = draw(st.one_of(
        st.just(b""), st.binary(max_size=8), st.just(line[first:last] * 2),
        st.sampled_from([b"70000", b"-1", b"999.1.1.1", b"::", b"\xff", b"\0", b'"', b"[", b","]),
    ))  # fmt: skip
    return line[:first] + piece + line[last:]


@given(mutated())
def test_a_mutated_line_is_answered_by_every_parser_and_stays_in_its_bounds(line: bytes) -> None:
    for parse in PARSERS.values():
        found = parse(line, arrival())
        assert isinstance(found, (Event, Miss))
        if isinstance(found, Event):
            assert 0 <= found.source < 1 << 128
            assert 0 <= found.destination < 1 << 128
            assert 0 <= found.source_port <= 65_535
            assert 0 <= found.destination_port <= 65_535
            assert 0 <= found.protocol <= 255
            assert len(found.said) <= 128
            assert found.said.isprintable()


@given(lines, st.integers(0, 1000))
def test_a_cut_line_is_answered_and_never_gets_another_end(line: bytes, size: int) -> None:
    whole, found = event(line), read(line[:size])
    if isinstance(found, Event) and size < len(line):
        assert found.source == whole.source or line[:size].endswith(b"192.0.2.")
        assert found.protocol in {whole.protocol, 255}


@pytest.mark.parametrize("name", ALL)
def test_a_line_is_shown_to_its_parser_by_its_signs(name: str) -> None:
    brands = {brand for brand, signs in SIGNS.items() if any(sign in ALL[name] for sign in signs)}
    owners = {
        brand for brand, parse in PARSERS.items() if parse(ALL[name], arrival()) is not NOT_OURS
    }
    assert owners <= brands
    assert len(owners) == 1
    assert SIGNS.keys() == PARSERS.keys()


QUOTING = [
    b"",
    b"hello",
    b"<13>Mar  1 01:02:36 gw-a systemd[1]: Started a thing.",
    (
        b"Mar  1 01:02:36 gw-a sshd[7]: Invalid user IN=eth0 OUT= SRC=192.0.2.7 DST=198.51.100.9 "
        b"LEN=60 PROTO=TCP SPT=1 DPT=2"
    ),
    (
        b"Mar  1 01:02:36 gw-a nginx[7]: client said: %FTD-1-430002: SrcIP: 192.0.2.7, "
        b"DstIP: 198.51.100.9"
    ),
    b"Mar  1 01:02:36 gw-a app[7]: got " + ALL["panos"],
    b"Mar  1 01:02:36 gw-a app[7]: got " + ALL["fortigate"],
]


@pytest.mark.parametrize("line", QUOTING)
def test_what_other_programs_quote_is_no_connection(line: bytes) -> None:
    assert parse_line(line, arrival()) is NOT_OURS
