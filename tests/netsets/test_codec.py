from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from netsets.cidr import AddressSet, union
from netsets.codec import decode, encode
from tests.netsets.helpers import build, pairs

SAMPLE = AddressSet.of("192.0.2.0/24", "198.51.100.7", "2001:db8::/64", "2001:db8:1::5")


@given(pairs())
def test_decoding_gives_back_what_was_encoded(a: tuple[set[int], set[int]]) -> None:
    held = build(a)
    assert decode(encode(held)) == held
    assert encode(decode(encode(held))) == encode(held)


def test_equal_sets_have_equal_bytes_however_they_were_made() -> None:
    halves = [AddressSet.of("192.0.2.128/25"), AddressSet.of("192.0.2.0-192.0.2.127")]
    assert encode(union(halves)) == encode(AddressSet.of("192.0.2.0/24"))


def test_reads_a_mapped_file_without_copying_it(tmp_path: Path) -> None:
    path = tmp_path / "set"
    path.write_bytes(encode(SAMPLE))
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        held = decode(mapped, verify=False)
        assert held == SAMPLE
        assert not held.v4.flags.owndata
        assert not held.v6.flags.owndata
        assert "2001:db8:1::5" in held


@given(st.data())
def test_any_changed_bit_is_noticed(data: st.DataObject) -> None:
    stored = bytearray(encode(SAMPLE))
    bit = data.draw(st.integers(0, len(stored) * 8 - 1))
    stored[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match="stored set"):
        decode(bytes(stored))


@given(st.integers(0, len(encode(SAMPLE)) - 1))
def test_any_missing_end_is_noticed(length: int) -> None:
    with pytest.raises(ValueError, match="a stored set"):
        decode(encode(SAMPLE)[:length], verify=False)


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="stored set"):
        decode(data)


TOP = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"


@pytest.mark.parametrize(
    ("v4", "v6"),
    [
        (("192.0.2.9", "192.0.2.1"), ()),  # out of order
        (("192.0.2.1", "192.0.2.1"), ()),  # twice
        (("192.0.2.1", "192.0.2.2"), ()),  # touching
        ((), ("2001:db8::9", "2001:db8::1")),
        ((), ("2001:db8::1", "2001:db8::1")),
        ((), ("2001:db8::1", "2001:db8::2")),
        ((), (TOP, "::1")),  # nothing comes after the last address
    ],
)
def test_ranges_out_of_order_are_refused_though_the_checksum_fits(
    v4: tuple[str, ...], v6: tuple[str, ...]
) -> None:
    wrong = AddressSet.empty()
    for entry in (*v4, *v6):
        one = AddressSet.of(entry)
        wrong = AddressSet(np.concatenate((wrong.v4, one.v4)), np.concatenate((wrong.v6, one.v6)))
    with pytest.raises(ValueError, match="out of order"):
        decode(encode(wrong))


def test_reversed_ranges_are_refused() -> None:
    for held in (AddressSet.of("192.0.2.0/24"), AddressSet.of("2001:db8::/64")):
        v6 = held.v6[:, [2, 3, 0, 1]]
        with pytest.raises(ValueError, match="out of order"):
            decode(encode(AddressSet(held.v4[:, ::-1], v6)))
