"""Lines of a zone as bytes: the quick way agrees with dnspython, and no line is more than one."""

from __future__ import annotations

import ipaddress

import dns.rdata
import dns.zone
import pytest
from hypothesis import given, strategies as st

from fleet.primary.base import PrimaryRefused, ZoneContent
from fleet.primary.records import Zone, _plain_apl, changed_lines, zone_file
from fleet.protocol.values import rdata
from tests.fleet.primary.console import DOMAIN, POLICY

ZONE = Zone(POLICY, domain=DOMAIN)

prefixes = st.builds(
    "{}:{}/{}".format,
    st.sampled_from(["1", "2", "!1", "3", ""]),
    st.ip_addresses() | st.sampled_from(["10.0.0", "::ffff:192.0.2.1", "fe80::1%lo", ""]),
    st.integers(-1, 130) | st.sampled_from(["", "08", "+8", "8_0", "/8"]),
)
labels = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?", fullmatch=True)
texts = st.text(st.characters(codec="utf-8"), max_size=300)


@given(items=st.lists(prefixes, max_size=4), apart=st.sampled_from([" ", "  ", "\t"]))
def test_prefixes_are_read_as_dnspython_reads_them(items: list[str], apart: str) -> None:
    text = apart.join(items)
    found = _plain_apl(text)
    if found is not None:
        assert found == dns.rdata.from_text("IN", "APL", text).to_wire()


@given(address=st.ip_addresses())
def test_a_plain_prefix_takes_the_quick_way(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    family = {4: 1, 6: 2}[address.version]
    assert _plain_apl(f"{family}:{address}/{address.max_prefixlen}") is not None


@given(values=st.dictionaries(labels, texts, max_size=5))
def test_any_text_stays_one_record(values: dict[str, str]) -> None:
    lines = sorted(f"{name}\tTXT\t{rdata(text)}\n" for name, text in values.items())
    body = "".join(lines).encode()
    assert len(ZONE.records(body.splitlines())) == len(values)
    file = zone_file(DOMAIN, serial=1, body=body).decode()
    read = dns.zone.from_text(file, origin=POLICY, relativize=True)
    found = [name for name, _ in read.iterate_rdatasets("TXT")]
    assert len(found) == len(values)


@pytest.mark.parametrize(
    "line",
    [
        b"$INCLUDE\tTXT\t/etc/passwd",
        b"a\tTXT\t(x",
        b'a\tTXT\t"x',
        b"a\tTXT\tx ; y",
        b"\tTXT\tx",
        b"a TXT x",
        b"a\tTXT\tx\n\n",
    ],
)
def test_a_line_that_a_server_would_read_otherwise_is_refused(line: bytes) -> None:
    with pytest.raises(PrimaryRefused):
        zone_file(DOMAIN, serial=1, body=line + b"\n")


@pytest.mark.parametrize(
    "line", [b"a", b"a\tNONE\tx", b"a\tA\t192.0.2", b"a..b\tTXT\tx", b"\xe4\tTXT\tx"]
)
def test_a_line_that_is_no_record_is_refused_with_the_zone(line: bytes) -> None:
    with pytest.raises(PrimaryRefused, match=POLICY):
        ZONE.records([line])


def test_only_what_differs_changes() -> None:
    held, wanted = b"a\tTXT\tx\nb\tTXT\tx\n", b"b\tTXT\tx\nc\tTXT\tx\n"
    changed = changed_lines(held, ZoneContent(POLICY, 2, wanted))
    assert changed == ([b"a\tTXT\tx"], [b"c\tTXT\tx"])
