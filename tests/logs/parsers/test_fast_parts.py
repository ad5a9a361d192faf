"""The arrays beneath: places, words, numbers, stamps and keys, each beside plain Python."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, strategies as st

from logs.parsers.fast import numbers, stamps
from logs.parsers.fast.alike import MOST, alike, part
from logs.parsers.fast.keys import Keys
from logs.parsers.fast.text import MARGIN, Bools, Index, Text, only, places, text_of
from logs.parsers.firepower_keys import KEYS
from tests.logs.parsers.lines import micros

PLAIN_ADDRESS = re.compile(rb"(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}")
ADDRESSES = st.ip_addresses(v=4).map(lambda address: str(address).encode()) | st.text(
    alphabet="0123456789.x ", max_size=18
).map(str.encode)
LINES = st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=20)


def begins(text: Text) -> tuple[Index, Index]:
    return text.starts, text.ends - text.starts


@given(st.lists(st.booleans(), max_size=300))
def test_places_are_those_that_are_true(found: list[bool]) -> None:
    array = np.array(found, np.bool_)
    assert places(array).tolist() == np.flatnonzero(array).tolist()


@given(LINES, st.booleans())
def test_a_text_has_the_lines_of_its_bytes(lines: list[bytes], ends: bool) -> None:
    data = b"".join(line + b"\n" for line in lines)
    text = text_of(data if ends else data + b"x")
    expected = lines if ends else [*lines, b"x"]
    spans = zip(text.starts.tolist(), text.ends.tolist(), strict=True)
    assert [text.letters[begin:end].tobytes() for begin, end in spans] == expected


@given(LINES.filter(bool), st.data())
def test_some_lines_of_a_text_are_a_text(lines: list[bytes], data: st.DataObject) -> None:
    chosen = sorted(data.draw(st.sets(st.integers(0, len(lines) - 1))))
    text = only(text_of(b"".join(line + b"\n" for line in lines)), np.array(chosen, np.intp))
    spans = zip(text.starts.tolist(), text.ends.tolist(), strict=True)
    assert [text.letters[b:e].tobytes() for b, e in spans] == [lines[n] for n in chosen]


@given(st.binary(min_size=1, max_size=90), st.data())
def test_words_and_reach_are_those_of_the_bytes(data: bytes, draw: st.DataObject) -> None:
    text = text_of(data)
    at = draw.draw(st.integers(0, len(data) - 1))
    padded = text.letters.tobytes()[MARGIN + at :]
    place = np.array([MARGIN + at])
    assert text.words(place).tolist() == [int.from_bytes(padded[:8], "little")]
    distance = padded[:24].find(padded[9:10])
    assert text.reach(place, padded[9], 24).tolist() == [distance]
    nowhere = next(byte for byte in range(256) if byte not in padded[:24])
    assert text.reach(place, nowhere, 24).tolist() == [24]


@given(st.lists(ADDRESSES, max_size=20))
def test_addresses_are_read_as_plain_python_reads_them(written: list[bytes]) -> None:
    text = text_of(b"".join(b" " + line + b"\n" for line in written))
    at, width = begins(text)
    address, plain = numbers.ipv4(text, at + 1, width - 1)
    for line, value, is_plain in zip(written, address.tolist(), plain.tolist(), strict=True):
        expected = None
        if PLAIN_ADDRESS.fullmatch(line) and all(int(part) < 256 for part in line.split(b".")):
            expected = int(ipaddress.IPv4Address(line.decode()))
        assert (value if is_plain else None) == expected


@given(st.lists(st.text(alphabet="0123456789 x:/\x80", max_size=10).map(str.encode), max_size=20))
def test_decimals_are_read_as_plain_python_reads_them(written: list[bytes]) -> None:
    text = text_of(b"".join(line + b"\n" for line in written))
    at, width = begins(text)
    number, plain = numbers.decimals(text, text.ends, width)
    padded = numbers.are_padded(text, text.ends, width)
    for place, line in enumerate(written):
        is_number = re.fullmatch(rb"[0-9]{1,8}", line) is not None
        assert plain[place] == is_number
        assert not is_number or number[place] == int(line)
        assert padded[place] == (len(line) <= 8 and re.fullmatch(rb" *[0-9]+", line) is not None)
    port, plain = numbers.ports(text, at, width)
    for line, value, is_plain in zip(written, port.tolist(), plain.tolist(), strict=True):
        is_port = re.fullmatch(rb"[0-9]{0,5}", line) and int(line or b"0") < 65_536
        assert is_plain == bool(is_port)
        assert not is_port or value == int(line or b"0")


MOMENTS = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 - `timezones` gives the zone
    datetime(2099, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))


@given(st.lists(MOMENTS, min_size=1, max_size=10))
def test_each_form_of_stamp_names_its_moment(moments: list[datetime]) -> None:
    wanted = [micros(moment) for moment in moments]
    arrived = np.array(wanted)
    forms: dict[str, Callable[[Text, Index], tuple[stamps.Moments, Bools]]] = {
        "%Y-%m-%dT%H:%M:%SZ": stamps.iso,
        "%Y-%m-%dT%H:%M:%S.000000-00:00": stamps.iso_long,
        "%b %e %Y %H:%M:%S": stamps.dated,
        "%b %e %H:%M:%S": lambda text, at: stamps.short(text, at, arrived),
    }
    for form, read in forms.items():
        text = text_of("".join(f"{moment:{form}}\n" for moment in moments).encode())
        found, plain = read(text, text.starts)
        assert plain.all()
        assert found.tolist() == wanted


@pytest.mark.parametrize("written", [
    b"2026-02-30T01:02:03Z", b"2026-13-01T01:02:03Z", b"2026-00-01T01:02:03Z",
    b"2026-01-01T24:02:03Z", b"2026-01-01T01:60:03Z", b"2026-01-01T01:02:60Z",
    b"1969-01-01T01:02:03Z", b"2026-01-01T01:02:03z", b"2026-01-01 01:02:03Z",
    b"2x26-01-01T01:02:03Z", b"2026-01-0:T01:02:03Z",
])  # fmt: skip
def test_what_is_no_iso_stamp_is_not_plain(written: bytes) -> None:
    text = text_of(written)
    assert not stamps.iso(text, text.starts)[1].any()


def test_an_offset_is_east_or_west_of_utc() -> None:
    text = text_of(b"2026-01-01T01:02:03.000500+01:30\n2025-12-31T22:32:03.000500-01:00\n")
    found, plain = stamps.iso_long(text, text.starts)
    assert plain.all()
    assert found[0] == found[1] == micros(datetime(2025, 12, 31, 23, 32, 3, 500, UTC))


@pytest.mark.parametrize("written", [
    b"Foo 12 01:02:03", b"jan 12 01:02:03", b"Jan 32 01:02:03", b"Feb 29 01:02:03",
    b"Jan  0 01:02:03", b"Jan 12 1:02:03 ", b"Jan 12 01:02-03",
])  # fmt: skip
def test_what_is_no_short_stamp_is_not_plain(written: bytes) -> None:
    text = text_of(written)
    arrived = np.array([micros(datetime(2026, 1, 12, tzinfo=UTC))])
    assert not stamps.short(text, text.starts, arrived)[1].any()


@given(st.lists(st.sampled_from(KEYS), max_size=10), st.data())
def test_keys_are_found_and_nothing_else(keys: list[bytes], data: st.DataObject) -> None:
    lines = [key + b":" + data.draw(st.sampled_from((b"", b" x", b":"))) for key in keys]
    changed = []
    for line in lines:
        at = data.draw(st.integers(0, len(line) - 1))
        changed.append(line[:at] + data.draw(st.binary(min_size=1, max_size=1)) + line[at + 1 :])
    changed = [line.replace(b"\n", b"?") for line in changed]
    text = text_of(b"".join(line + b"\n" for line in [*lines, *changed]))
    found = Keys(KEYS).find(text, text.starts).tolist()
    expected = [
        KEYS.index(key) + 1 if colon and key in KEYS else 0
        for key, colon, _ in (line.partition(b":") for line in [*lines, *changed])
    ]
    assert found == expected


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), min_size=1))
def test_rows_are_alike_when_their_bytes_are(lines: list[bytes]) -> None:
    text = text_of(b"".join(line + b"\n" for line in lines))
    kinds = alike(part(text, *begins(text)))
    assert kinds.sure.all()
    assert [lines[kinds.first[group]] for group in kinds.group] == lines


def test_of_a_part_that_is_too_wide_only_the_width_tells() -> None:
    text = text_of(b"a" * (MOST + 1) + b"\n" + b"a" * MOST + b"b\n")
    kinds = alike(part(text, *begins(text)))
    assert kinds.group.tolist() == [0, 0]
