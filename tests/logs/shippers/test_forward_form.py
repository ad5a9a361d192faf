"""Lines as targets want them: their bytes are kept, whatever is put before them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from logs.shippers.forward_cursor import Position
from logs.shippers.forward_form import host_of, parcel
from logs.shippers.forward_index import Span
from logs.shippers.forward_reader import Block
from logs.shippers.forward_target import Target
from tests.logs.spools import NANOSECONDS, SENDER, packed

TCP, UDP, TLS = Target("a", 1, "tcp"), Target("a", 1, "udp"), Target("a", 1, "tls")
AT = b"2026-03-01T01:02:36.123456Z"
ELEMENT = b'[tscm@32473 from="192.0.2.7" at="%b"]' % AT
any_line = st.binary(max_size=60).map(lambda line: line.replace(b"\n", b""))


def block(*lines: bytes, senders: tuple[str, ...] = ()) -> Block:
    """Return a block of lines of one sender, or of one sender each."""
    data = b"".join(b"%b\n" % line for line in lines)
    spans = tuple(
        Span(len(line) + 1, NANOSECONDS, packed(sender))
        for line, sender in zip(lines, senders, strict=bool(senders))
    )
    whole = Span(len(data), NANOSECONDS, packed(SENDER))
    return Block(data, len(lines), Position(), spans or (whole,))


def wrapped(line: bytes, preserve: str) -> bytes:
    (made,) = parcel(block(line), replace(UDP, preserve=preserve)).pieces  # type: ignore[arg-type]
    return made


@given(st.lists(any_line, min_size=1))
def test_a_stream_gets_the_very_bytes(lines: list[bytes]) -> None:
    assert parcel(block(*lines), TCP).pieces == [block(*lines).data]


@given(st.lists(any_line, min_size=1))
def test_counted_frames_are_read_back_as_the_lines_that_are_not_empty(lines: list[bytes]) -> None:
    (stream,) = parcel(block(*lines), TLS).pieces
    found = []
    while stream:
        size, _, rest = stream.partition(b" ")
        found.append(rest[: int(size)])
        stream = rest[int(size) :]
    assert found == [line for line in lines if line]


@given(st.lists(any_line, min_size=1))
def test_each_line_that_is_not_empty_is_a_datagram(lines: list[bytes]) -> None:
    made = parcel(block(*lines), UDP)
    assert (made.pieces, made.cut) == ([line for line in lines if line], 0)


def test_a_line_too_long_for_a_datagram_is_cut_and_counted() -> None:
    made = parcel(block(b"x" * 480, b"y" * 481, b"z"), replace(UDP, most_datagram=480))
    assert (made.pieces, made.cut) == ([b"x" * 480, b"y" * 480, b"z"], 1)


@pytest.mark.parametrize(
    ("line", "pri"),
    [
        (b"<113>Mar  1 01:02:36 fmc-a SFIMS: text", b"<113>"),
        (b"no header", b"<13>"),
        (b"", b"<13>"),
        (b"<192>beyond all severities", b"<13>"),
        (b"<007>leading zeros", b"<13>"),
        (b"<0>kernel", b"<0>"),
        (b"<134>1 2026-03-01T01:02:36Z fw app - - [broken", b"<134>"),
        (b"<134>1 no rfc 5424", b"<134>"),
        (b"\x00\xff\r", b"<13>"),
    ],
)
def test_other_lines_become_the_message_of_an_rfc_5424_line(line: bytes, pri: bytes) -> None:
    assert wrapped(line, "structured-data") == b"%b1 %b 192.0.2.7 - - - %b %b" % (
        pri, AT, ELEMENT, line,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"<134>1 T h a p m - text", b"<134>1 T h a p m %b text"),
        (b"<134>1 T h a p m -", b"<134>1 T h a p m %b"),
        (b'<134>1 T h a p m [x a="]"] t', b""),  # its own data are not whole
        (b'<134>1 T h a p m [x a="\\]"][y] t', b'<134>1 T h a p m %b[x a="\\]"][y] t'),
        (b"<134>1 T h a p m [x] \xef\xbb\xbf\xff", b"<134>1 T h a p m %b[x] \xef\xbb\xbf\xff"),
    ],
)
def test_an_rfc_5424_line_gets_an_element_before_its_own(line: bytes, expected: bytes) -> None:
    made = wrapped(line, "structured-data")
    if not expected:
        assert made.endswith(ELEMENT + b" " + line)
    else:
        assert made == expected.replace(b"%b", ELEMENT)


def test_a_line_that_claims_a_sender_is_wrapped_whole() -> None:
    claimed = b'<134>1 T h a p m [tscm@32473 from="198.51.100.1"] text'
    assert wrapped(claimed, "structured-data").endswith(ELEMENT + b" " + claimed)


@pytest.mark.parametrize("line", [b"<113>Mar  1 01:02:36 fmc-a SFIMS: text", b"none", b"\xff\x00"])
def test_a_header_names_the_sender_and_the_bytes_follow(line: bytes) -> None:
    pri = b"<113>" if line.startswith(b"<") else b"<13>"
    assert wrapped(line, "header") == pri + b"Mar  1 01:02:36 192.0.2.7 " + line


@given(st.lists(any_line, min_size=1), st.sampled_from(["structured-data", "header"]))
def test_wrapped_lines_end_with_their_own_bytes_in_their_order(
    lines: list[bytes], preserve: str
) -> None:
    made = parcel(block(*lines), replace(UDP, preserve=preserve)).pieces  # type: ignore[arg-type]
    assert len(made) == len(lines)
    assert all(one.endswith(line) for one, line in zip(made, lines, strict=True))


def test_each_line_of_a_block_tells_its_own_sender() -> None:
    senders = ("192.0.2.1", "2001:db8::2", "192.0.2.3")
    made = parcel(block(b"a", b"b", b"c", senders=senders), replace(TCP, preserve="header"))
    (stream,) = made.pieces
    assert re.findall(rb"36 (\S+) (\w)\n", stream) == [
        (b"192.0.2.1", b"a"), (b"2001:db8::2", b"b"), (b"192.0.2.3", b"c"),
    ]  # fmt: skip


def test_a_sender_that_is_not_known_is_not_invented() -> None:
    unknown = Block(b"<5>x\n", 1, Position(), (Span(5, NANOSECONDS, bytes(16)),))
    (line,) = parcel(unknown, replace(UDP, preserve="structured-data")).pieces
    assert line == b'<5>1 %b - - - - [tscm@32473 at="%b"] <5>x' % (AT, AT)
    (line,) = parcel(unknown, replace(UDP, preserve="header")).pieces
    assert line == b"<5>Mar  1 01:02:36 - <5>x"
    assert host_of(bytes(16)) == b""


def test_a_time_that_cannot_be_does_not_stop_anything() -> None:
    odd = Block(b"x\n", 1, Position(), (Span(2, 2**64 - 1, packed(SENDER)),))
    (line,) = parcel(odd, replace(UDP, preserve="structured-data")).pieces
    assert line.startswith(b"<13>1 2554-")


def test_the_lf_that_a_file_lacked_belongs_to_its_last_line() -> None:
    torn = Block(b"a\nb\n", 1, Position(), (Span(3, NANOSECONDS, packed(SENDER)),))
    (stream,) = parcel(torn, replace(TCP, preserve="header")).pieces
    assert re.findall(rb"192.0.2.7 (\w)\n", stream) == [b"a", b"b"]
