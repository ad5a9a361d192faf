"""Lists in each encoding, served by a real BIND."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from netsets import cidr
from netsets.cidr import AddressSet
from policies.decoders import decode
from policies.sources.base import Deadline, EmptyList
from policies.sources.dns_errors import Looping, NoSuchName, PartMissing, Refused
from policies.sources.dns_list import DnsListSource
from tests.fakes.bind import Bind, BindMissing, write_zone

ORIGIN = "threatstop.example"
FULL = 4000  # A records at one name


def addresses_of(seed: int, size: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).integers(1 << 24, 224 << 24, size * 2, np.uint32)
    return np.unique(drawn)[:size]


def hosts4(label: str, addresses: np.ndarray) -> Iterator[str]:
    for octets in addresses.astype(">u4").view(np.uint8).reshape(-1, 4).tolist():
        yield f"{label} A {'.'.join(map(str, octets))}"


def hosts6(label: str, numbers: Sequence[int]) -> Iterator[str]:
    return (f"{label} AAAA 2001:db8::{number:x}" for number in numbers)


LONG = addresses_of(seed=1, size=2 * FULL + 77)

RECORDS = [
    *hosts4("basic", LONG[:FULL]),
    *hosts4("basic1", LONG[FULL : 2 * FULL]),
    *hosts4("basic2", LONG[2 * FULL :]),
    *hosts4("basic4", addresses_of(seed=2, size=3)),  # behind a gap
    *hosts6("six", range(1, 2001)),
    *hosts6("six1", range(2001, 2501)),
    "both A 192.0.2.1",
    "both AAAA 2001:db8::1",
    "apl APL 1:192.0.2.0/24 !1:192.0.2.128/26 2:2001:db8::/32",
    "apl APL 1:198.51.100.0/24",
    "apl1 APL 1:203.0.113.0/24 !1:198.51.100.7/32",
    'txt TXT "192.0.2.0/24 198.51.100.1" "203.0.113.1-203.0.113.2,2001:db8::/48"',
    'txt1 TXT "198.51.100.2"',
    "parts PTR part-a",
    "parts PTR part-b",
    "part-a APL 1:192.0.2.0/25",
    *hosts4("part-b", addresses_of(seed=3, size=10)),
    "alias CNAME both",
    "circle CNAME circle-a",
    "circle-a CNAME circle",
    "ring PTR ring-a",
    "ring-a PTR ring",
    "broken PTR part-a",
    "broken PTR part-z",
    "nothing HINFO a b",
]

EXPECTED = {
    "basic": cidr.from_addresses4(LONG),
    "six": AddressSet.of("2001:db8::1-2001:db8::9c4"),
    "both": AddressSet.of("192.0.2.1", "2001:db8::1"),
    "apl": AddressSet.of(
        *("192.0.2.0/25", "192.0.2.192/26", "2001:db8::/32", "203.0.113.0/24"),
        *("198.51.100.0-198.51.100.6", "198.51.100.8-198.51.100.255"),
    ),
    "txt": AddressSet.of(
        *("192.0.2.0/24", "198.51.100.1", "198.51.100.2", "203.0.113.1", "203.0.113.2"),
        "2001:db8::/48",
    ),
    "parts": AddressSet.of("192.0.2.0/25") | cidr.from_addresses4(addresses_of(seed=3, size=10)),
    "alias": AddressSet.of("192.0.2.1", "2001:db8::1"),
}
ENCODING = {"basic": "a", "six": "a", "both": "a", "apl": "apl", "txt": "txt", "parts": "ptr"}


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    zone = write_zone(tmp_path_factory.mktemp("bind") / "zone", RECORDS)
    try:
        bind = Bind({ORIGIN: zone})
    except BindMissing as error:
        pytest.skip(str(error))
    with bind:
        yield bind


def retrieved(bind: Bind, name: str, encoding: str = "auto") -> AddressSet:
    settings = {"name": name, "servers": [bind.server], "encoding": encoding}
    source = DnsListSource.from_settings(settings)
    return decode(source.retrieve(known=None, deadline=Deadline.after(20))).addresses


@pytest.mark.parametrize("label", EXPECTED)
def test_finds_out_how_a_list_is_encoded_and_takes_it_whole(bind: Bind, label: str) -> None:
    assert retrieved(bind, f"{label}.{ORIGIN}") == EXPECTED[label]


@pytest.mark.parametrize("label", ENCODING)
def test_takes_a_list_whole_in_the_encoding_that_is_set(bind: Bind, label: str) -> None:
    assert retrieved(bind, f"{label}.{ORIGIN}", ENCODING[label]) == EXPECTED[label]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (f"missing.{ORIGIN}", NoSuchName),
        (f"nothing.{ORIGIN}", EmptyList),
        (f"broken.{ORIGIN}", PartMissing),
        (f"ring.{ORIGIN}", Looping),
        (f"circle.{ORIGIN}", Looping),
        ("basic.other.example", Refused),
    ],
)
def test_refuses_what_is_no_whole_list(bind: Bind, name: str, fault: type[Exception]) -> None:
    with pytest.raises(fault, match=f"^block or allow list {name} could not be fetched"):
        retrieved(bind, name)


def test_bind_is_gone_when_its_block_ends(tmp_path: Path) -> None:
    zone = write_zone(tmp_path / "zone", ["basic A 192.0.2.1"])
    try:
        bind = Bind({ORIGIN: zone})
    except BindMissing as error:
        pytest.skip(str(error))
    with bind:
        assert retrieved(bind, f"basic.{ORIGIN}")
    with pytest.raises(Exception, match="Connection refused"):
        retrieved(bind, f"basic.{ORIGIN}")
