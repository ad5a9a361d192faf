"""Messages of a stream become lines: the same ones, wherever the stream is cut into blocks."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import example, given, strategies as st

from logs.receiver.framing import MOST, Framer
from logs.receiver.oddities import Tally

HEAD = b"<113>Nov 21 12:00:00 fw-a "
IOS = b"<189>32: *Mar  1 18:46:11: %SYS-5-CONFIG_I: Configured from console"


def counted(*messages: bytes) -> bytes:
    return b"".join(b"%d %b" % (len(message), message) for message in messages)


def framed(blocks: Iterable[bytes]) -> tuple[list[bytes], Tally]:
    """Return the lines of a stream that came in these blocks and ended, and what was counted."""
    tally = Tally()
    framer = Framer(tally)
    found = []
    for block in blocks:
        found.append(framer.feed(block))
        assert framer.held <= MOST + 16, "more is held than it may be"
    found.append(framer.flush())
    data = b"".join(text for text, _ in found)
    count = sum(lines for _, lines in found)
    assert data.count(b"\n") == count == tally.messages
    assert not data or data.endswith(b"\n")
    return data.split(b"\n")[:-1], tally


CASES: dict[str, tuple[bytes, list[bytes], dict[str, int]]] = {
    "nothing": (b"", [], {}),
    "LF": (HEAD + b"a\n" + HEAD + b"b\n", [HEAD + b"a", HEAD + b"b"], {}),
    "CRLF": (HEAD + b"a\r\n" + HEAD + b"b\r\n", [HEAD + b"a", HEAD + b"b"], {}),
    "NUL": (HEAD + b"a\0" + HEAD + b"b\0", [HEAD + b"a", HEAD + b"b"], {"nul": 2}),
    "LF-and-NUL": (HEAD + b"a\n\0" + HEAD + b"b\n\0", [HEAD + b"a", HEAD + b"b"], {"nul": 2}),
    "counted": (
        counted(HEAD + b"a", HEAD + b"b"), [HEAD + b"a", HEAD + b"b"], {"octet_counted": 2},
    ),
    "counted-with-LF-inside-the-count": (
        counted(HEAD + b"a\n", HEAD + b"b\n"), [HEAD + b"a", HEAD + b"b"], {"octet_counted": 2},
    ),
    "counted-with-LF-behind-the-count": (
        counted(HEAD + b"a") + b"\n" + counted(HEAD + b"b") + b"\n",
        [HEAD + b"a", HEAD + b"b"], {"octet_counted": 2, "empty": 2},
    ),
    "counted-with-lines-inside": (
        counted(HEAD + b"a\r\n  at b\n  at c", HEAD + b"d"),
        [HEAD + b"a#012  at b#012  at c", HEAD + b"d"], {"octet_counted": 2, "newlines": 1},
    ),
    "counted-then-lines-then-counted": (
        counted(HEAD + b"a") + HEAD + b"b\n" + HEAD + b"c\n" + counted(HEAD + b"d"),
        [HEAD + b"a", HEAD + b"b", HEAD + b"c", HEAD + b"d"], {"octet_counted": 2},
    ),
    "a-space-in-front": (
        HEAD + b"a\n " + HEAD + b"b\n " + HEAD + b"c\n",
        [HEAD + b"a", HEAD + b"b", HEAD + b"c"], {},
    ),
    "empty-lines": (b"\n\n" + HEAD + b"a\n\r\n\n", [HEAD + b"a"], {"empty": 4}),
    "run-together": (
        IOS + IOS + IOS + b"\n" + IOS + b"\n", [IOS] * 4, {"run_together": 2},
    ),
    "run-together-without-an-end": (IOS + IOS, [IOS] * 2, {"run_together": 1, "unterminated": 1}),
    "a-priority-inside-a-message": (
        HEAD + b"said <13>x and <14>y\n", [HEAD + b"said <13>x and <14>y"], {"run_together": 0},
    ),
    "an-ISO-stamp": (
        b"2026-03-01T01:02:36Z fw-a  %FTD-1-430002: a\n2026-03-01 <13>\n",
        [b"2026-03-01T01:02:36Z fw-a  %FTD-1-430002: a", b"2026-03-01 <13>"],
        {"octet_counted": 0, "resynchronised": 0},
    ),
    "no-head": (b"just text\nand 12 more\n", [b"just text", b"and 12 more"], {}),
    "a-leading-zero": (b"07 <13>abc\n", [b"07 <13>abc"], {"octet_counted": 0}),
    "seven-digits": (b"1234567 <13>abc\n", [b"1234567 <13>abc"], {"octet_counted": 0}),
    "two-spaces": (b"7  <13>abc\n", [b"7  <13>abc"], {"octet_counted": 0}),
    "a-count-beyond-the-bound": (b"999999 <13>a\nb\n", [b"999999 <13>a", b"b"], {}),
    "a-wrong-guess": (
        b"15 <13>abc\n<13>def\n<13>ghi\n", [b"15 <13>abc", b"<13>def", b"<13>ghi"],
        {"resynchronised": 1},
    ),
    "a-wrong-guess-that-ends-with-a-line": (
        b"20 <13>hello\n<13>def\n<13>ghi\n",
        [b"20 <13>hello", b"<13>def", b"<13>ghi"], {"resynchronised": 1},
    ),
    "a-wrong-guess-within-a-line": (b"7 <13>abcdef\n<13>g\n", [b"7 <13>abcdef", b"<13>g"], {}),
    "a-wrong-guess-that-never-comes-true": (
        b"9000 <13>abc\n<13>def\n", [b"9000 <13>abc", b"<13>def"], {"unterminated": 1},
    ),
    "without-an-end": (b"<13>a\n<13>b", [b"<13>a", b"<13>b"], {"unterminated": 1}),
    "a-lone-CR": (HEAD + b"a\rb\n", [HEAD + b"a\rb"], {}),
    "bytes-that-are-no-text": (b"\xff\xfe\x80\x81\n", [b"\xff\xfe\x80\x81"], {}),
    "64-KiB": (HEAD + b"x" * 65_536 + b"\n", [HEAD + b"x" * 65_536], {"cut": 0}),
    "64-KiB-counted": (counted(HEAD + b"x" * 65_536), [HEAD + b"x" * 65_536], {"cut": 0}),
    "the-longest": (b"x" * MOST + b"\n", [b"x" * MOST], {"cut": 0}),
    "one-more-than-the-longest": (
        b"x" * (MOST + 1) + b"\n<13>a\n", [b"x" * MOST + b" [cut here, 1 bytes more]", b"<13>a"],
        {"cut": 1},
    ),
    "a-line-without-end": (
        b"x" * 1_000_000, [b"x" * MOST + b" [cut here, %d bytes more]" % (1_000_000 - MOST)],
        {"cut": 1, "unterminated": 1},
    ),
    "a-long-line-that-ends-with-NUL": (
        b"x" * 500_000 + b"\0<13>a\0<13>b\0",
        [b"x" * MOST + b" [cut here, %d bytes more]" % (500_000 - MOST), b"<13>a", b"<13>b"],
        {"cut": 1},
    ),
    "a-counted-message-that-is-too-long": (
        counted(HEAD + b"x" * 300_000, b"<13>a", b"<13>b"),
        [(HEAD + b"x" * 300_000)[:MOST] + b" [cut here, %d bytes more]" % (
            len(HEAD) + 300_000 - MOST), b"<13>a", b"<13>b"],
        {"cut": 1, "octet_counted": 3},
    ),
    "a-counted-message-with-NUL": (counted(b"<13>a\0b"), [b"<13>a#000b"], {"nul": 1}),
    "IOS-without-any-end": (IOS * 4000, [IOS] * 4000, {"cut": 0}),
}  # fmt: skip


@pytest.mark.parametrize("size", [10**9, 4096, 61], ids=["whole", "pages", "small"])
@pytest.mark.parametrize("name", CASES)
def test_a_stream_becomes_these_lines(name: str, size: int) -> None:
    stream, lines, counts = CASES[name]
    size = max(size, len(stream) // 3000)
    found, tally = framed(stream[at : at + size] for at in range(0, len(stream), size))
    assert found == lines
    if size > len(stream) or name not in SPLIT_COUNTS_DIFFER:
        assert {key: getattr(tally, key) for key in counts} == counts
    assert tally.bytes == len(stream)


# Where a frame is looked at before all of it is there, it may be looked at differently often.
SPLIT_COUNTS_DIFFER = frozenset({"empty-lines", "counted-with-lines-inside"})

WORDS = st.binary(min_size=1, max_size=60).map(
    lambda text: b"<13>a " + bytes(byte for byte in text if byte not in b"\r\n\0<")
)
FRAMES = st.one_of(
    WORDS.map(lambda word: (word + b"\n", [word])),
    WORDS.map(lambda word: (word + b"\r\n", [word])),
    WORDS.map(lambda word: (word + b"\n " + word + b"\n", [word, word])),
    WORDS.map(lambda word: (counted(word), [word])),
    WORDS.map(lambda word: (counted(word + b"\n"), [word])),
    WORDS.map(lambda word: (counted(word + b"\n at b", word), [word + b"#012 at b", word])),
    st.just((IOS + IOS + b"\n", [IOS, IOS])),
    st.just((b"\n", [])),
)


@given(frames=st.lists(FRAMES, max_size=12), seed=st.integers(0, 2**32))
def test_any_cut_of_a_stream_into_blocks_gives_its_lines(
    frames: list[tuple[bytes, list[bytes]]], seed: int
) -> None:
    stream = b"".join(data for data, _ in frames)
    wanted = [line for _, lines in frames for line in lines]
    chooser = random.Random(seed)
    assert framed([stream])[0] == wanted
    assert framed(cut_anywhere(stream, chooser))[0] == wanted
    assert framed(bytes((byte,)) for byte in stream)[0] == wanted


def cut_anywhere(stream: bytes, chooser: random.Random) -> Iterator[bytes]:
    at = 0
    while at < len(stream):
        size = chooser.choice((1, 2, 3, 7, 20, 100))
        yield stream[at : at + size]
        at += size


@given(words=st.lists(WORDS, max_size=12), seed=st.integers(0, 2**32))
def test_any_cut_of_a_stream_that_ends_with_nul_gives_its_lines(
    words: list[bytes], seed: int
) -> None:
    stream = b"".join(word + b"\0" for word in words)
    assert framed([stream])[0] == words
    assert framed(cut_anywhere(stream, random.Random(seed)))[0] == words


@given(
    blocks=st.lists(
        st.one_of(
            st.binary(max_size=80),
            st.sampled_from([b"\n", b"\0", b"\r\n", b" ", b"5 <", b"12", b"9 <13>", b"99999 <1>"]),
            st.sampled_from([b"x" * 70_000, IOS, b"<13>", counted(b"<13>abc")]),
        ),
        max_size=25,
    )
)
@example(blocks=[b"3 <a\nb\n"])
@example(blocks=[b"131072 <" + b"x" * 70_000, b"y" * 70_000])
def test_whatever_comes_it_never_raises_and_all_it_holds_is_bounded(blocks: list[bytes]) -> None:
    stream = b"".join(blocks)
    lines, tally = framed(blocks)
    whole, _ = framed([stream])
    # However it is cut, nothing but ends of line, a space, and what is cut and marked goes missing.
    if not tally.cut and len(stream) < MOST:
        assert essence(b"".join(lines)) == essence(b"".join(whole)) == essence(stream)


def essence(text: bytes) -> bytes:
    """Return the bytes of a text that no framing may lose: letters, but not those of counts."""
    text = text.replace(b"#012", b"").replace(b"#000", b"")  # how LF and NUL inside are written
    return bytes(byte for byte in text if byte not in b"\n\r\0 0123456789")


def test_after_a_pause_what_is_left_is_a_line_and_what_follows_is_another() -> None:
    tally = Tally()
    framer = Framer(tally)
    assert framer.feed(b"<13>half") == (b"", 0)
    assert framer.held == 8
    assert framer.flush() == (b"<13>half\n", 1)
    assert framer.flush() == (b"", 0)
    assert framer.feed(b" a line\n") == (b"half a line\n"[5:], 1)
    assert (tally.unterminated, tally.messages) == (1, 2)


def test_lines_that_are_plain_are_passed_on_as_they_are() -> None:
    block = b"".join(b"<13>line %d\n" % number for number in range(1000))
    assert Framer(Tally()).feed(block) == (block, 1000)


def test_a_counted_frame_that_is_given_up_is_passed_over_to_its_end() -> None:
    tally = Tally()
    framer = Framer(tally)
    stream = counted(b"<13>ended in its midst", b"<13>the next")
    assert framer.feed(stream[:12]) == (b"", 0)
    assert framer.is_counted
    assert framer.flush() == (b"<13>ended [cut here, 13 bytes more]\n", 1)
    assert framer.feed(stream[12:]) == (b"<13>the next\n", 1)
    assert (tally.cut, tally.resynchronised) == (1, 0)
