from __future__ import annotations

import ipaddress

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from netsets import parse
from netsets._entries import Unreadable, read_entry
from netsets.cidr import AddressSet, from_entries
from netsets.parse import parse_text
from netsets.render import FORMATS
from netsets.render.text import render, stream
from tests.netsets.helpers import build, pairs

REFUSED = {
    "v1.2.3.4": "host name",
    "1.2.3.4/33": "prefix length",
    "1.2.3.4/1/x": "prefix length",
    "1.2.3.4/": "prefix length",
    "1.2.3.4/255.255.255.0": "prefix length",
    "2001:db8::/129": "prefix length",
    "2001:db8::/64/64": "prefix length",
    "2001:db8::/a": "prefix length",
    "1.2.3/24": "incomplete address",
    "1.2.3": "incomplete address",
    "16909060": "incomplete address",
    "010.1.1.1": "leading zero",
    "1.2.3.04-1.2.3.9": "leading zero",
    "1.2.3.4/08": "leading zero",
    "2001:db8::/064": "leading zero",
    "1.2.3.4:80": "port",
    "[2001:db8::1]:443": "port",
    "www.example.com": "host name",
    "www.example.com/24": "host name",
    "<html>": "markup",
    "<p>1.2.3.4</p>": "markup",
    "1.2.3.4 1.2.3.5": "several words",
    "1.2.3.0\t1.2.3.255\t24": "several words",
    "1.2.3.9-1.2.3.4": "range",
    "1.2.3.4-2001:db8::1": "range",
    "1.2.3.4-1.2.3.9/24": "not an address",
    "1.2.3.256": "not an address",
    "1.2.3.4.5": "not an address",
    "1.2.3.4;5.6.7.8": "not an address",
    "1.2.3.4#53": "not an address",
    "2001:db8::1::2": "not an address",
    "2001:db8:::1": "not an address",
    ":2001:db8::": "not an address",
    "2001:db8": "not an address",
    "12345::": "not an address",
    "1:2:3:4::5:6:7:8": "not an address",
    "fe80::1%eth0": "not an address",
    "/24": "not an address",
    "-": "not an address",
    "\N{FULLWIDTH DIGIT ONE}.2.3.4": "not an address",
    "1" * 101: "too long",
}


@pytest.mark.parametrize(("token", "reason"), REFUSED.items())
def test_a_junk_token_is_refused_whole_and_its_reason_counted(token: str, reason: str) -> None:
    found = parse_text(f"192.0.2.1\n{token}\n192.0.2.2\n".encode())
    assert found.addresses == AddressSet.of("192.0.2.1-192.0.2.2")
    assert (found.entries, found.rejected) == (2, ((reason, 1),))
    assert len(found.samples) == 1


PLAIN = st.sampled_from(list("0123456789abcdefF.:/- "))
OCTET = st.one_of(st.integers(0, 300).map(str), st.sampled_from(["", "00", "01", "1000", "a"]))
TAIL = st.one_of(st.just(""), st.integers(0, 140).map("/{}".format), st.just("/032"))


def _joined(
    separator: str, parts: st.SearchStrategy[str], least: int, most: int
) -> st.SearchStrategy[str]:
    return st.lists(parts, min_size=least, max_size=most).map(separator.join)


GROUP = st.one_of(st.integers(0, 0x11000).map("{:x}".format), st.sampled_from(["", "0", "0001"]))
QUAD = _joined(".", OCTET, 3, 5)
TOKENS = st.one_of(
    # Two slashes may begin a comment, which only the reader of whole texts knows.
    st.text(PLAIN, max_size=30).filter(lambda text: "//" not in text),
    st.tuples(QUAD, TAIL).map("".join),
    st.tuples(QUAD, QUAD).map("-".join),
    st.tuples(_joined(":", GROUP, 2, 9), TAIL).map("".join),
    st.tuples(st.ip_addresses().map(str), TAIL).map("".join),
    st.tuples(st.ip_addresses(v=6).map(lambda ip: ip.exploded.upper()), TAIL).map("".join),
)


@given(st.lists(TOKENS, max_size=30))
@example(["::", ":", ":::", "1::", "::1", ":1", "1:", "/", "::/", "::/0", ".", "...", "0.0.0.0/0"])
@example(["1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::"])
@example(["255.255.255.255", "1.2.3.4-1.2.3.4", "1.2.3.4-1.2.3.3", "1.2.3.4.1.2.3.4"])
def test_the_fast_and_the_exact_reader_agree(tokens: list[str]) -> None:
    entries, reasons = [], []
    for token in filter(None, (" ".join(token.split(" ")).strip() for token in tokens)):
        try:
            entries.append(read_entry(token))
        except Unreadable as refused:
            reasons.append(refused.reason)
    found = parse_text("\n".join(tokens).encode())
    assert found.addresses == from_entries(entries)
    assert found.entries == len(entries)
    assert found.host_bits_cleared == sum(entry.host_bits for entry in entries)
    assert dict(found.rejected) == {reason: reasons.count(reason) for reason in reasons}


@given(pairs())
def test_parsing_what_was_rendered_gives_back_the_set(a: tuple[set[int], set[int]]) -> None:
    held = build(a)
    found = parse_text(render(held.prefixes()))
    assert found.addresses == held
    assert (found.entries, found.host_bits_cleared, found.rejected) == (
        len(held.prefixes()),
        0,
        (),
    )


@given(st.binary(max_size=400))
@example(b"\n")
@example(b"\r")
@example(b"\x00\n\xff")
def test_no_bytes_make_it_raise(data: bytes) -> None:
    found = parse_text(data)
    assert found.entries + sum(count for _, count in found.rejected) <= data.count(b"\n") + 1
    assert all(sample.isascii() and sample.isprintable() for sample in found.samples)


@given(
    st.lists(
        st.sampled_from(
            [
                b"192.0.2.1",
                b"2001:db8::1",
                b"x",
                b" ",
                b"#",
                b";",
                b"//",
                b"\t",
                b"\r\n",
                b"\n",
                b"-",
                b"/",
                b".",
                b":",
                b"9",
            ]
        ),
        max_size=60,
    )
)
def test_no_arrangement_of_list_parts_makes_it_raise(parts: list[bytes]) -> None:
    parse_text(b"".join(parts))


def test_comments_blank_lines_and_line_ends_of_all_kinds_say_nothing() -> None:
    text = (
        b"\xef\xbb\xbf# head\r\n; also\n// also\n   # indented\n\n \t \n"
        b"192.0.2.1\r\n  192.0.2.2\t# note\n192.0.2.3 ; SBL1\n192.0.2.4 // x # y\n"
        b"192.0.2.8 - 192.0.2.11\n2001:db8::1  # six"
    )
    found = parse_text(text)
    assert found.addresses == AddressSet.of("192.0.2.1-192.0.2.4", "192.0.2.8/30", "2001:db8::1")
    assert (found.entries, found.rejected, found.samples) == (6, (), ())


def test_host_bits_are_cleared_and_counted_in_every_reader() -> None:
    found = parse_text(b"192.0.2.1/24\n2001:db8::1/64\n2001:db8:1::192.0.2.1/64\n192.0.2.0/24\n")
    assert found.host_bits_cleared == 3
    assert found.addresses == AddressSet.of("192.0.2.0/24", "2001:db8::/63", "2001:db8:1::/64") - (
        AddressSet.of("2001:db8:0:1::/64")
    )


def test_ranges_become_prefixes() -> None:
    found = parse_text(b"192.0.2.4-192.0.2.9\n2001:db8::-2001:db8::3\n192.0.2.0-192.0.2.0\n")
    assert render(found.addresses.prefixes()) == (
        b"192.0.2.0\n192.0.2.4/30\n192.0.2.8/31\n2001:db8::/126\n"
    )


def test_reasons_come_most_frequent_first_with_a_few_samples() -> None:
    junk = [f"host{n}.example" for n in range(12)] + ["010.1.1.1", "1.2.3"]
    found = parse_text("\n".join(junk).encode())
    assert found.rejected == (("host name", 12), ("incomplete address", 1), ("leading zero", 1))
    assert found.samples == tuple(junk[:10])


def test_samples_are_short_and_plain() -> None:
    found = parse_text(b"\x00\x1b[31m\n" + b"x" * 1000 + b"\n\xff\n")
    assert found.samples == ("\\x00\\x1b[31m", "x" * 57 + "...", "\\xff")


@pytest.mark.parametrize("length", range(1, 40))
def test_a_list_may_be_cut_into_chunks_anywhere(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b"192.0.2.1\n2001:db8::1 # six\nwww.example.com\n192.0.2.9/30\n\n198.51.100.7"
    whole = parse_text(text)
    monkeypatch.setattr(parse, "CHUNK", length)
    cut = parse_text(text)
    assert cut.addresses == whole.addresses
    assert (cut.entries, cut.rejected, cut.samples) == (4, whole.rejected, whole.samples)


def test_the_slow_reader_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "MAX_ODD", 3)
    text = b"192.0.2.1\n" + b"host.example\n" * 20 + b"2001:db8::1\n"
    found = parse_text(text)
    assert found.addresses == AddressSet.of("192.0.2.1", "2001:db8::1")
    assert found.rejected == (("beyond the limit of unusual entries", 17), ("host name", 3))
    assert len(found.samples) == 10
    found = parse_text(b"host.example\n" * 5)
    assert found.rejected == (("host name", 3), ("beyond the limit of unusual entries", 2))


def test_a_long_run_of_spaces_costs_no_more_than_its_length() -> None:
    found = parse_text(b"192.0.2.1" + b" " * 2_000_000 + b"x\n" + b"# " + b" " * 2_000_000)
    assert found.rejected == (("several words", 1),)


@given(st.lists(st.ip_addresses(v=6)), st.integers(0, 128))
def test_ipv6_is_written_as_the_standard_library_writes_it(
    addresses: list[ipaddress.IPv6Address], length: int
) -> None:
    kept = {ip for ip in addresses if ip.ipv4_mapped is None}
    networks = sorted({ipaddress.IPv6Network((int(ip), length), strict=False) for ip in kept})
    held = AddressSet.of(*map(str, networks))
    lines = render(held.prefixes()).decode().split()
    assert lines == [
        str(net).removesuffix("/128") for net in ipaddress.collapse_addresses(networks)
    ]


def test_every_pattern_of_zero_groups_is_written_as_the_standard_library_writes_it() -> None:
    patterns = [
        ipaddress.IPv6Address(sum(0xA << 16 * k for k in range(8) if n >> k & 1))
        for n in range(256)
    ]
    every = sorted(ip for ip in patterns if ip.ipv4_mapped is None)
    held = AddressSet.of(*map(str, every))
    assert render(held.prefixes()).decode().split() == [
        str(net).removesuffix("/128")
        for net in ipaddress.collapse_addresses(map(ipaddress.IPv6Network, every))
    ]


def test_text_is_ascii_with_ipv4_first_and_a_newline_after_every_line() -> None:
    held = AddressSet.of("2001:db8::/32", "192.0.2.0/24", "198.51.100.1", "0.0.0.0/1", "3fff::")
    assert FORMATS["text"](held.prefixes()) == (
        b"0.0.0.0/1\n192.0.2.0/24\n198.51.100.1\n2001:db8::/32\n3fff::\n"
    )
    assert render(AddressSet.empty().prefixes()) == b""


def test_many_blocks_of_lines_are_one_text() -> None:
    rng = np.random.default_rng(7)
    lines = [
        f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
        for n in sorted(set((rng.integers(0, 2**31, 40_000) * 2).tolist()))
    ]
    text = ("\n".join(lines) + "\n").encode()
    prefixes = parse_text(text).addresses.prefixes()
    assert render(prefixes) == text
    parts = list(stream(prefixes))
    assert b"".join(parts) == text
    assert len(parts) > 1
    assert all(part.endswith(b"\n") for part in parts)
