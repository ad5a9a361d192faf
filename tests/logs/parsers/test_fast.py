"""The fast way and the reference agree, event by event, on whatever comes."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, strategies as st

from logs.parsers.base import Arrival
from tests.fakes import firewall_lines
from tests.logs.parsers import samples
from tests.logs.parsers.agreement import assert_agrees
from tests.logs.parsers.lines import CAME, arrival

PLAIN = [
    *firewall_lines.firepower(40, seed=2),
    *firewall_lines.netfilter(40, seed=2),
    samples.FTD_BLOCK, samples.FTD_MONITOR, samples.KERNEL_TCP,
]  # fmt: skip
OTHERS = [line for line in vars(samples).values() if isinstance(line, bytes)]
# What somebody who writes URLs, names of rules or prefixes would put there.
PIECES = [
    b", SrcIP: 203.0.113.9", b",DstIP:203.0.113.9", b", SrcPort: 1", b", Protocol: udp",
    b", AccessControlRuleReason: IP Block", b", SecIntMatchingIP: Source", b", URL: http://a",
    b", IPReputationSICategory: other", b", AccessControlRuleName: x", b", User: y", b", ", b",",
    b": ", b" SRC=203.0.113.9 DST=203.0.113.8 LEN=1 ", b" IN= OUT=", b"IN=", b" PROTO=UDP",
    b" SPT=1 DPT=2", b"[", b"]", b"[ 1.000000] ", b" kernel: ", b"%FTD-1-430002: ", b"%", b"<113>",
    b" UTC", b"Mar  1 01:02:36 ", b"2026-03-01T01:02:36Z ", b"\r", b"\0", b"\xff", b"  ", b" ",
    b"0", b"9", b"256", b"65536", b".", b":", b"=", b" PROTO=",
]  # fmt: skip
ENDS = [b"", b"", b" PROTO=", b"IN=", b" PROTO=U", b" PROTO=UDP SPT=1", b" LEN="]


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """Return a line with some bytes put in, taken out or exchanged."""
    line = draw(st.sampled_from(PLAIN + OTHERS))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(line)))
        taken = draw(st.sampled_from((0, 0, 1, 2, 9)))
        put = draw(st.sampled_from([*PIECES, b""]) | st.binary(max_size=3))
        line = line[:at] + put + line[at + taken :]
    return line.replace(b"\n", b"") + draw(st.sampled_from(ENDS))


arrivals = st.builds(
    lambda hours, east: arrival(CAME + timedelta(hours=hours), hours_east=east),
    st.sampled_from((0, 0, 6500, 6490, -170, 5)),
    st.sampled_from((0, 0, 1, -5)),
)


@given(st.lists(changed(), max_size=12), arrivals)
def test_agrees_on_plain_and_on_changed_lines(lines: list[bytes], came: Arrival) -> None:
    assert_agrees(lines, came)


def test_what_follows_in_the_next_line_is_not_of_this_one() -> None:
    bare = samples.KERNEL_TCP.partition(b" PROTO=")[0]
    ends = bare + b" PROTO=", bare + b" PROTO=UDP"
    following = b"x SPT=5 DPT=6 ", b"x ", b" SPT=5 DPT=6 ", b" PROTO="
    for end in ends:
        assert_agrees([end])
        for one in following:
            assert_agrees([end, one])


@given(
    st.sampled_from((samples.FTD_BLOCK, samples.KERNEL_TCP)),
    st.lists(st.sampled_from((b"<", b">", b"1", b"9", b"/", b":", b"\xff", b" ")), max_size=6),
)
def test_only_digits_between_brackets_are_a_priority(line: bytes, letters: list[bytes]) -> None:
    bare = line.partition(b">")[2]
    assert_agrees([b"<" + b"".join(letters) + bare, b"".join(letters) + bare, line])


@given(st.sampled_from(PLAIN), st.sampled_from(PIECES), st.data())
def test_what_stands_anywhere_in_a_line_changes_no_other_line(
    line: bytes, piece: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(line)))
    assert_agrees([line, line[:at] + piece + line[at:], line])
