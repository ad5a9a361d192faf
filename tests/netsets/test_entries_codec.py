from __future__ import annotations

import mmap
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, strategies as st

from netsets.codec import decode, encode
from netsets.entries import Entries
from netsets.entries_codec import decode_entries, decode_ledger, encode_entries, encode_ledger
from netsets.ledger import Ledger, advance
from netsets.parse import parse_text
from netsets.span import Span
from tests.netsets.helpers import listed, rows, some_entries

Row = tuple[int, int, int, int]

SAMPLE = parse_text(
    b"192.0.2.0/24\n198.51.100.7\n198.51.100.0-198.51.100.9\n2001:db8::/64\n2001:db8:1::5\n"
).listed()
STORED = encode_entries(SAMPLE)
PREFIXES = parse_text(b"192.0.2.0/24\n192.0.2.7\n2001:db8::/64\n2001:db8:1::5\n").listed()
WITH_RANGES = parse_text(
    b"192.0.2.0/24\n192.0.2.7\n2001:db8::/64\n2001:db8::1-2001:db8::4\n"
).listed()


def prefixes(chosen: list[tuple[int, int, int]]) -> Entries:
    """Return the prefixes of these numbers and lengths, each on a line of its own."""
    lines = []
    for line, (version, number, length) in enumerate(chosen, 1):
        width = 32 if version == 4 else 128
        host = (1 << (width - length % (width + 1))) - 1
        first = number % (1 << width) & ~host
        lines.append((version, first, first | host, line))
    return listed(lines)


@given(
    st.lists(
        st.tuples(st.sampled_from((4, 6)), st.integers(0, (1 << 128) - 1), st.integers(0, 128))
    )
)
def test_prefixes_of_any_length_come_back(given_rows: list[tuple[int, int, int]]) -> None:
    entries = prefixes(given_rows)
    stored = encode_entries(entries)
    assert decode_entries(stored).entries() == entries
    assert len(stored) <= 32 + 9 * len(entries.v4_first) + 21 * len(entries.v6_first) + 4 + 16


@given(some_entries)
def test_decoding_gives_back_what_was_encoded(given_rows: list[Row]) -> None:
    entries = listed(given_rows)
    stored = decode_entries(encode_entries(entries))
    assert stored.entries() == entries
    assert len(stored) == len(entries)
    assert encode_entries(stored.entries()) == encode_entries(listed(reversed(given_rows)))


@given(some_entries, some_entries)
def test_a_ledger_comes_back_as_it_was(a: list[Row], b: list[Row]) -> None:
    ledger = advance(Ledger.empty(), listed(a), tick=1, forget_before=0)
    ledger = advance(ledger, listed(b), tick=2, forget_before=0)
    entries = encode_entries(listed(b))
    stored = encode_ledger(ledger, entries)
    back = decode_ledger(stored, entries)
    assert encode_ledger(back, entries) == stored
    for version, first, last, _ in rows(listed([*a, *b])):
        span = Span(version, first, last)
        assert back.seen(span) == ledger.seen(span) is not None


def _ledger(*, before: Entries, now: Entries) -> tuple[bytes, bytes]:
    """Return the file of a ledger that has seen two lists, and that of the later one's entries."""
    ledger = advance(Ledger.empty(), before, tick=1, forget_before=0)
    entries = encode_entries(now)
    return encode_ledger(advance(ledger, now, tick=2, forget_before=0), entries), entries


@pytest.mark.parametrize(
    "other",
    [
        parse_text(b"192.0.2.0/24\n192.0.2.7\n2001:db8::/64\n2001:db8:1::6\n").listed(),
        parse_text(b"192.0.2.7\n192.0.2.0/24\n2001:db8::/64\n2001:db8:1::5\n").listed(),
        parse_text(b"192.0.2.0/24\n2001:db8::/64\n2001:db8:1::5\n2001:db8:1::6\n").listed(),
        SAMPLE,
        Entries.empty(),
    ],
    ids=["an address", "the lines", "a family", "more", "none"],
)
def test_a_ledger_is_not_read_beside_other_entries(other: Entries) -> None:
    stored, entries = _ledger(before=SAMPLE, now=PREFIXES)
    assert len(decode_ledger(stored, entries, verify=False)) == 6  # two of them have gone
    with pytest.raises(ValueError, match="a stored ledger of other entries than these"):
        decode_ledger(stored, encode_entries(other), verify=False)


def test_a_ledger_is_not_written_beside_entries_that_it_does_not_list() -> None:
    with pytest.raises(ValueError, match="does not belong to these 3 and 2 entries"):
        encode_ledger(Ledger.empty(), STORED)


def test_a_ledger_beside_a_damaged_entries_file_is_refused() -> None:
    stored, entries = _ledger(before=SAMPLE, now=PREFIXES)
    with pytest.raises(ValueError, match="a stored entries file is damaged"):
        decode_ledger(stored, entries[:-1] + b"\0")
    with pytest.raises(ValueError, match="a stored entries file of 2 and 2 rows"):
        decode_ledger(stored, entries[:-1], verify=False)


def test_a_mapped_file_is_searched_without_copying_it(tmp_path: Path) -> None:
    path = tmp_path / "entries"
    path.write_bytes(STORED)
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        index = decode_entries(mapped, verify=False)
        assert index.entries() == SAMPLE
        in_place = np.frombuffer(mapped, np.uint8)
        v4, v6 = index.v4, index.v6
        columns: list[npt.NDArray[Any]] = [v4.first, v4.last[:], v4.reach, v6.first, v6.reach]
        for column in (*columns, *v4.notes, *v6.notes):
            assert np.shares_memory(column, in_place)
            assert column.flags.aligned
            assert not column.flags.writeable


@pytest.mark.parametrize("shape", ["hosts", "networks"])
def test_provenance_takes_no_more_room_than_the_list_itself(shape: str) -> None:
    numbers = np.random.default_rng(5).integers(1 << 24, 224 << 24, 20_000)
    tail = "/24" if shape == "networks" else ""
    octets = (numbers >> 8 << 8 if tail else numbers).astype(">u4").view(np.uint8).reshape(-1, 4)
    text = "".join(f"{a}.{b}.{c}.{d}{tail}\n" for a, b, c, d in octets.tolist()).encode()
    assert _cost(text) <= len(text)


def test_provenance_of_ipv6_hosts_takes_no_more_room_than_their_list() -> None:
    numbers = np.random.default_rng(5).integers(0, 1 << 16, (20_000, 4)).tolist()
    text = "".join(f"2001:db8:{a:x}:{b:x}::{c:x}:{d:x}\n" for a, b, c, d in numbers).encode()
    assert _cost(text) <= len(text)


def _cost(text: bytes) -> int:
    """Return how many bytes the entries of a list and its ledger take."""
    listed = parse_text(text).listed()
    return sum(map(len, _ledger(before=listed, now=listed)))


def test_an_entry_takes_its_columns_and_little_more() -> None:
    hosts = np.arange(100_000, dtype=np.uint32)
    v6 = np.stack([hosts.astype(np.uint64)] * 4, axis=1)
    none4, none6 = np.empty((0, 2), np.uint32), np.empty((0, 4), np.uint64)
    only4 = encode_entries(Entries.of(v4=np.stack((hosts, hosts), axis=1), v6=none6))
    only6 = encode_entries(Entries.of(v4=none4, v6=v6))
    v6[0, 3] += np.uint64(2)  # three addresses are no prefix
    ranges6 = encode_entries(Entries.of(v4=none4, v6=v6))
    last4 = hosts.copy()
    last4[0] += np.uint32(2)
    ranges4 = encode_entries(Entries.of(v4=np.stack((hosts, last4), axis=1), v6=none6))
    assert len(only4) < 9.05 * len(hosts)
    assert len(ranges4) < 12.05 * len(hosts)
    assert len(only6) < 21.05 * len(hosts)
    assert len(ranges6) < 36.05 * len(hosts)


def test_a_ledger_takes_a_since_for_what_is_listed_and_rows_for_what_has_gone() -> None:
    hosts = np.arange(100_000, dtype=np.uint32)
    many = Entries.of(v4=np.stack((hosts, hosts), axis=1), v6=np.empty((0, 4), np.uint64))
    listed_only, _ = _ledger(before=many, now=many)
    gone_only, _ = _ledger(before=many, now=Entries.empty())
    assert len(listed_only) < 4.05 * len(hosts)
    assert len(gone_only) < 13.05 * len(hosts)


@given(st.data(), st.sampled_from([SAMPLE, PREFIXES, WITH_RANGES]))
def test_any_changed_bit_is_noticed(data: st.DataObject, entries: Entries) -> None:
    stored = bytearray(encode_entries(entries))
    bit = data.draw(st.integers(0, len(stored) * 8 - 1))
    stored[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match="stored entries file"):
        decode_entries(bytes(stored))


@given(st.data(), st.sampled_from([SAMPLE, PREFIXES, WITH_RANGES]))
def test_any_changed_bit_of_a_ledger_is_noticed(data: st.DataObject, now: Entries) -> None:
    whole, entries = _ledger(before=SAMPLE, now=now)
    stored = bytearray(whole)
    bit = data.draw(st.integers(0, len(stored) * 8 - 1))
    stored[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match="stored ledger"):
        decode_ledger(bytes(stored), entries)
    with pytest.raises(ValueError, match="stored ledger"):
        decode_ledger(whole[: bit // 8], entries, verify=False)


@pytest.mark.parametrize("now", [SAMPLE, PREFIXES, WITH_RANGES])
def test_each_changed_bit_of_a_ledger_is_noticed(now: Entries) -> None:
    whole, entries = _ledger(before=SAMPLE, now=now)
    for bit in range(len(whole) * 8):
        stored = bytearray(whole)
        stored[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match="stored ledger"):
            decode_ledger(bytes(stored), entries)


@given(st.integers(0, len(STORED) - 1))
def test_any_missing_end_is_noticed(length: int) -> None:
    with pytest.raises(ValueError, match="a stored entries file"):
        decode_entries(STORED[:length], verify=False)


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="stored ledger"):
        decode_ledger(data, STORED)


def test_the_kinds_of_files_are_told_apart() -> None:
    ledger, _ = _ledger(before=SAMPLE, now=SAMPLE)
    with pytest.raises(ValueError, match="not a stored entries file"):
        decode_entries(ledger)
    with pytest.raises(ValueError, match="not a stored entries file"):
        decode_ledger(ledger, ledger)
    with pytest.raises(ValueError, match="not a stored ledger"):
        decode_ledger(STORED, STORED)
    with pytest.raises(ValueError, match="not a stored set"):
        decode(STORED)
    with pytest.raises(ValueError, match="not a stored entries file"):
        decode_entries(encode(SAMPLE.addresses()))


def test_files_of_an_earlier_form_are_refused() -> None:
    ledger, entries = _ledger(before=SAMPLE, now=SAMPLE)
    with pytest.raises(ValueError, match="not a stored entries file"):
        decode_entries(b"netsent1" + entries[8:])
    with pytest.raises(ValueError, match="not a stored ledger"):
        decode_ledger(b"netsled1" + ledger[8:], entries)


def _forged(stored: bytes) -> bytes:
    """Return a file whose checksum fits what somebody has put into it."""
    return stored[:24] + struct.pack("<I", zlib.crc32(stored[32:])) + stored[28:]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("column", ["first", "last", "reach"])
def test_rows_out_of_order_are_refused_though_the_checksum_fits(column: str, version: int) -> None:
    ledger = advance(Ledger.empty(), WITH_RANGES, tick=1, forget_before=0)
    ledger = advance(ledger, Entries.empty(), tick=2, forget_before=0)
    family = ledger.gone4 if version == 4 else ledger.gone6
    wrong = {"first": family.first[::-1], "last": family.first - 1, "reach": family.reach + 1}
    object.__setattr__(family, column, wrong[column])
    entries = encode_entries(Entries.empty())
    with pytest.raises(ValueError, match="a stored ledger is damaged: its rows are out of order"):
        decode_ledger(encode_ledger(ledger, entries), entries)


@pytest.mark.parametrize(
    ("version", "length"), [(4, 31), (4, 33), (4, 255), (6, 127), (6, 129), (6, 255)]
)
def test_a_length_that_does_not_fit_is_refused_though_the_checksum_fits(
    version: int, length: int
) -> None:
    lines = {4: b"192.0.2.0/24\n192.0.2.7\n", 6: b"2001:db8::/64\n2001:db8:1::5\n"}
    entries = parse_text(lines[version]).listed()
    stored = encode_entries(entries)
    assert stored[-1] == (32 if version == 4 else 128)  # of the last entry
    forged = _forged(stored[:-1] + bytes([length]))
    with pytest.raises(ValueError, match="out of order"):
        decode_entries(forged)
    assert len(decode_entries(forged, verify=False).covering(entries.page(0, 1)[0].span)) == 1
    assert decode_entries(_forged(stored)).entries() == entries
