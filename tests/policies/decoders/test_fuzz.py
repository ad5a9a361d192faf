"""R5: whatever bytes come, a decoder returns a list or a `DecodeError`, both of bounded size."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, strategies as st

from policies.decoders import DECODERS, decode
from policies.decoders.base import Decoded, DecodeError
from policies.sources.base import Layout, Retrieved
from policies.sources.zone_records import Item, Kind, ZoneRecords

LAYOUTS = [
    Layout(), Layout("dshield"), Layout("csv", column="2"), Layout("csv", column="address"),
    Layout("csv", column="1", separator="\t"), Layout("json", path="$[*]"),
    Layout("json", path="$..address"), Layout("json", path="$[?@.address]['address']"),
]  # fmt: skip
MOST_SAMPLES, LONGEST_SAMPLE, LONGEST_ERROR = 20, 100, 2000

# Parts that mean something to one of the layouts, so that more than the first check is reached.
PARTS = st.sampled_from(
    [b"5.6.7.8", b"5.6.7.0/24", b"2a00:1450::1", b"-", b"/", b",", b"\t", b"\n", b"\r\n", b'"',
     b"[", b"]", b"{", b"}", b":", b'"address"', b"address", b"\\ud800", b"\\u0000", b"\0", b"\xff",
     b"#", b"9" * 5000, b"[" * 3000, b" ", b"24", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8",
     b"::", "\u0663".encode(), b"1e999", b"NaN", b"null", b"Start\tEnd\tNetmask\n"]
)  # fmt: skip
MIXED = st.lists(PARTS | st.binary(max_size=8), max_size=30).map(b"".join)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats()
    | st.text(st.characters(codec=None), max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["address", "a"]), inner, max_size=2),
    max_leaves=20,
).map(lambda value: json.dumps(value).encode())  # fmt: skip
GOOD_ZONE = ZoneRecords.of(
    "list.example",
    [Item(Kind.ADDRESS, 4, 84_281_096, 32), Item(Kind.BLOCKED, 6, 1 << 100, 28),
     Item(Kind.TOKEN, text="5.6.7.8"), Item(Kind.SKIPPED, text="MX record")],
    frozenset({"ns.list.example."}),
).encode()  # fmt: skip


def is_bounded(retrieved: Retrieved) -> None:
    """Decode; what comes of it must fit every database, log and page."""
    try:
        decoded = decode(retrieved)
    except DecodeError as error:
        is_storable(str(error), longest=LONGEST_ERROR)
        return
    assert isinstance(decoded, Decoded)
    assert decoded.addresses
    assert len(decoded.samples) <= MOST_SAMPLES
    for sample in decoded.samples:
        is_storable(sample, longest=LONGEST_SAMPLE)
    for reason, count in decoded.skipped:
        is_storable(reason, longest=LONGEST_SAMPLE)
        assert count > 0
    assert 0 <= decoded.rejected <= sum(count for _, count in decoded.skipped)
    # Somewhere in the bytes there was something for each entry.
    assert decoded.entries <= sum(map(len, retrieved.payload))


def is_storable(text: str, *, longest: int) -> None:
    """PostgreSQL takes no NUL, and nobody takes half a character."""
    assert 0 < len(text) <= longest
    assert "\0" not in text
    text.encode()


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@given(st.lists(MIXED | st.binary(max_size=200) | DOCUMENTS, max_size=3))
@example([b'["\\ud800", "5.6.7.8"]'])
@example([b'["\\u0000"]', b'{"address": "5.6.7.8"}'])
@example([b"[" * 100_000])
@example([b'[{"address":' * 2000])
@example([b"1" * 10_000])
@example([b"5.6.7.8," * 50_000])
@example([b'"' + b"5.6.7.8\n" * 1000])
@example([b"x,\0\n" * 3])
def test_whatever_text_comes(layout: Layout, payload: list[bytes]) -> None:
    is_bounded(Retrieved("text", tuple(payload), "192.0.2.53#80", layout=layout))


@pytest.mark.parametrize("take", ["zone-block", "zone-allow"])
@given(st.data())
def test_whatever_a_kept_zone_became(take: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(GOOD_ZONE)))
    more = data.draw(st.binary(max_size=20))
    cut = data.draw(st.integers(0, 20))
    spoilt = GOOD_ZONE[:at] + more + GOOD_ZONE[at + cut :]
    is_bounded(Retrieved(take, (spoilt,), "192.0.2.53#53"))


@pytest.mark.parametrize("format_", [*DECODERS, "", "another"])
@given(st.lists(st.binary(max_size=300), max_size=3))
def test_whatever_bytes_come_for_whatever_format(format_: str, payload: list[bytes]) -> None:
    is_bounded(Retrieved(format_, tuple(payload), "192.0.2.53#53"))
