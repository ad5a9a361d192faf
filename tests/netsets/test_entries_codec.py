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
WITH_RANGES = parse_text(
    b"192.0.2.0/24\n192.0.2.7\n2001:db8::/64\n2001:db8::1-2001:db8::4\n"
).listed()


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
    stored = encode_ledger(ledger)
    assert encode_ledger(decode_ledger(stored)) == stored
    for version, first, last, _ in rows(listed([*a, *b])):
        span = Span(version, first, last)
        assert decode_ledger(stored).seen(span) == ledger.seen(span) is not None


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
    assert len(encode_entries(parse_text(text).listed())) <= len(text)


def test_provenance_of_ipv6_hosts_takes_no_more_room_than_their_list() -> None:
    numbers = np.random.default_rng(5).integers(0, 1 << 16, (20_000, 3)).tolist()
    text = "".join(f"2001:db8:{a:x}:{b:x}::{c:x}\n" for a, b, c in numbers).encode()
    assert len(encode_entries(parse_text(text).listed())) <= len(text)


def test_an_entry_takes_its_columns_and_little_more() -> None:
    hosts = np.arange(100_000, dtype=np.uint32)
    v6 = np.stack([hosts.astype(np.uint64)] * 4, axis=1)
    none4, none6 = np.empty((0, 2), np.uint32), np.empty((0, 4), np.uint64)
    only4 = encode_entries(Entries.of(v4=np.stack((hosts, hosts), axis=1), v6=none6))
    only6 = encode_entries(Entries.of(v4=none4, v6=v6))
    v6[0, 3] += np.uint64(2)  # three addresses are no prefix
    ranges6 = encode_entries(Entries.of(v4=none4, v6=v6))
    assert len(only4) < 12.05 * len(hosts)
    assert len(only6) < 21.05 * len(hosts)
    assert len(ranges6) < 36.05 * len(hosts)


@given(st.data(), st.sampled_from([SAMPLE, WITH_RANGES]))
def test_any_changed_bit_is_noticed(data: st.DataObject, entries: Entries) -> None:
    stored = bytearray(encode_entries(entries))
    bit = data.draw(st.integers(0, len(stored) * 8 - 1))
    stored[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match="stored entries file"):
        decode_entries(bytes(stored))


@given(st.integers(0, len(STORED) - 1))
def test_any_missing_end_is_noticed(length: int) -> None:
    with pytest.raises(ValueError, match="a stored entries file"):
        decode_entries(STORED[:length], verify=False)


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="stored ledger"):
        decode_ledger(data)


def test_the_kinds_of_files_are_told_apart() -> None:
    ledger = encode_ledger(advance(Ledger.empty(), SAMPLE, tick=1, forget_before=0))
    with pytest.raises(ValueError, match="not a stored entries file"):
        decode_entries(ledger)
    with pytest.raises(ValueError, match="not a stored ledger"):
        decode_ledger(STORED)
    with pytest.raises(ValueError, match="not a stored set"):
        decode(STORED)
    with pytest.raises(ValueError, match="not a stored entries file"):
        decode_entries(encode(SAMPLE.addresses()))


def _forged(stored: bytes) -> bytes:
    """Return a file whose checksum fits what somebody has put into it."""
    return stored[:24] + struct.pack("<I", zlib.crc32(stored[32:])) + stored[28:]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("column", ["first", "last", "reach"])
def test_rows_out_of_order_are_refused_though_the_checksum_fits(column: str, version: int) -> None:
    ledger = advance(Ledger.empty(), WITH_RANGES, tick=1, forget_before=0)
    family = ledger.v4 if version == 4 else ledger.v6
    wrong = {"first": family.first[::-1], "last": family.first - 1, "reach": family.reach + 1}
    object.__setattr__(family, column, wrong[column])
    with pytest.raises(ValueError, match="out of order"):
        decode_ledger(encode_ledger(ledger))


@pytest.mark.parametrize("length", [127, 129, 255])
def test_a_length_that_does_not_fit_is_refused_though_the_checksum_fits(length: int) -> None:
    assert STORED[-1] == 128  # of 2001:db8:1::5, the last entry
    with pytest.raises(ValueError, match="out of order"):
        decode_entries(_forged(STORED[:-1] + bytes([length])))
    assert decode_entries(_forged(STORED)).entries() == SAMPLE
