"""The heads of lines, in the shapes that firewalls really send."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from logs.receiver.header import parse

FTD = b"%FTD-1-430002: AccessControlRuleAction: Block, SrcIP: 192.0.2.7, DstIP: 198.51.100.9"
ASA = b"%ASA-4-106023: Deny tcp src outside:192.0.2.7/1 dst inside:198.51.100.9/25"
ISO = b"2026-03-01T01:02:36Z"
BSD = b"Mar  1 01:02:36"
YEAR = b"Mar 01 2026 01:02:36"

# head, tag; priority, time, host
SHAPES: dict[str, tuple[bytes, bytes, int | None, bytes, str]] = {
    "nothing": (b"", FTD, None, b"", ""),
    "iso-host-two-spaces": (ISO + b" fw-a  ", FTD, None, ISO, "fw-a"),
    "pri-year-host-colon": (b"<166>" + YEAR + b" fw-a : ", ASA, 166, YEAR, "fw-a"),
    "iso-three-spaces": (ISO + b"   ", FTD, None, ISO, ""),
    "pri-iso-host-colon": (b"<166>" + ISO + b" fw-a : ", ASA, 166, ISO, "fw-a"),
    "year-host-two-spaces": (YEAR + b" fw-a  ", FTD, None, YEAR, "fw-a"),
    "pri-only": (b"<113>", FTD, 113, b"", ""),
    "pri-year-colon": (b"<166>" + YEAR + b": ", ASA, 166, YEAR, ""),
    "bsd-host-colon": (BSD + b" fw-a: ", ASA, None, BSD, "fw-a"),
    "pri-bsd-host-colon": (b"<113>" + BSD + b" fw-a: ", ASA, 113, BSD, "fw-a"),
    "iso-host-colon": (ISO + b" fw-a : ", FTD, None, ISO, "fw-a"),
    "pri-iso-three-spaces": (b"<113>" + ISO + b"   ", FTD, 113, ISO, ""),
    "pri-colon-bsd-utc": (b"<166>:" + BSD + b" UTC: ", ASA, 166, BSD, ""),
    "bsd-utc-host-colon": (BSD + b" UTC fw-a : ", b"%FTD-4-106023: Deny", None, BSD, "fw-a"),
    "iso-host-alerts": (ISO + b" fw-a Alerts ", b"%NGIPS-0-430003: a", None, ISO, "fw-a"),
    "bsd-host-process": (b"<113>" + BSD + b" fw-a ftd[1234]: ", b"x", 113, BSD, "fw-a"),
    "pri-host": (b"<166>fw-a ", ASA, 166, b"", "fw-a"),
    "sfims": (b"<113>" + BSD + b" fmc-a SFIMS: ", b"Protocol: TCP", 113, BSD, "fmc-a"),
    "ios-numbered": (b"<189>32: *" + BSD + b": ", b"%SYS-5-CONFIG_I: x", 189, BSD, ""),
    "ios-host-numbered": (b"<189>32: ." + BSD + b" UTC: ", b"%SYS-5-A: x", 189, BSD, ""),
    "ios-named": (b"<189>32: fw-a: *" + BSD + b": ", b"%SYS-5-A: x", 189, BSD, "fw-a"),
    "kernel": (
        b"<4>" + BSD + b" gw-a kernel: [ 1806.463962] ",
        b"ThreatSTOP-TSblock IN= OUT=eth0 SRC=192.0.2.7", 4, BSD, "gw-a",
    ),
    "rfc5424": (
        b"<113>1 2026-03-01T01:02:36.123456+01:00 fw-a.example app 12 ID47 ", b"- hello",
        113, b"2026-03-01T01:02:36.123456+01:00", "fw-a.example",
    ),
    "rfc5424-nil": (b"<13>1 - - - - - ", b"- hello", 13, b"", ""),
    "iso-fraction": (
        b"<113>2026-03-01T01:02:36.123Z fw-a ", FTD, 113, b"2026-03-01T01:02:36.123Z", "fw-a",
    ),
    "fortigate": (b"<189>", b'date=2026-03-01 time=01:02:36 devname="fw-a"', 189, b"", ""),
    "pan-os": (BSD + b" PA-220 ", b"1,2026/03/01 01:02:36,0128,TRAFFIC,drop", None, BSD, "PA-220"),
    "ipv6-host": (b"<113>" + ISO + b" 2001:db8::7 : ", ASA, 113, ISO, "2001:db8::7"),
    "ipv4-host": (b"<113>" + BSD + b" 192.0.2.7 ", ASA, 113, BSD, "192.0.2.7"),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_a_head_says_priority_time_and_host(name: str) -> None:
    head, tag, priority, stamp, host = SHAPES[name]
    found = parse(head + tag + b"\n")
    assert (found.priority, found.stamp, found.host) == (priority, stamp.decode(), host)
    assert found.is_rfc5424 is name.startswith("rfc5424")


@pytest.mark.parametrize(
    "tag",
    [
        b"%FTD--6-852002: a",
        b"%FTD<Up>-4-313005: a",
        b"%FTD-session-5-305013: a",
        b"%ASA-3-430005 Message: a",
        b"SFIMS: [Primary Detection Engine (x)][policy] Connection Type: Start",
    ],
)
@pytest.mark.parametrize("head", [b"", b"<133>", b"<133>:: ", b"<133>" + ISO + b"   "])
def test_an_odd_tag_is_not_taken_for_a_host(head: bytes, tag: bytes) -> None:
    assert parse(head + tag).host == ""


@pytest.mark.parametrize("line", [b"<192>a b", b"<999>a", b"<>a", b"<-1>a", b"<1", b"< 13>a", b""])
def test_a_priority_that_is_none_is_none(line: bytes) -> None:
    assert parse(line).priority is None


def test_a_line_is_called_by_its_host_its_first_label_and_its_device() -> None:
    uuid = "1C8FF662-08F2-11E4-85C5-B2F2D9E3C2DA"
    line = b"<113>" + ISO + b" FW-A.example.net  %FTD-1-430002: DeviceUUID: " + uuid.encode()
    assert parse(line).names == {"fw-a.example.net", "fw-a", uuid.lower()}


@given(line=st.one_of(st.binary(max_size=600), st.text(max_size=300).map(str.encode)))
def test_any_line_has_a_head_or_none_and_never_raises(line: bytes) -> None:
    assert 0 <= parse(line).body_at <= len(line)


@given(
    parts=st.lists(
        st.sampled_from(
            [b"<13>", b"<166>", b"1 ", b": ", b" ", b"  ", BSD, ISO, YEAR, b"fw-a", b"%ASA-4-1",
             b"*", b" : ", b" UTC", b"DeviceUUID: ", b"32: ", b"\xff", b"-", b"kernel:"],
        ),
        max_size=10,
    )
)  # fmt: skip
def test_any_order_of_what_heads_are_made_of_is_read_and_never_raises(parts: list[bytes]) -> None:
    line = b"".join(parts)
    assert 0 <= parse(line).body_at <= len(line)
