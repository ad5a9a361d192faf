from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given, strategies as st

from netsets.cidr import AddressSet
from policies.decoders import decode
from policies.decoders.base import Decoded, DecodeError
from policies.decoders.entry_line import entry_line
from policies.decoders.layouts import LAYOUTS, entry_lines
from policies.sources import layouts
from policies.sources.base import Layout, Retrieved, SourceMisconfigured
from policies.sources.layouts import read_layout
from policies.sources.settings import Settings

DSHIELD = Layout(kind="dshield")
SECOND = Layout(kind="csv", column="2")
NAMED = Layout(kind="csv", column="ip")
PREFIXES = Layout(kind="json", path="$.prefixes[*].cidr")

# Tokens as the wild writes them: addresses, junk, and what ends a line or a quote somewhere.
TOKENS = st.one_of(
    st.ip_addresses().map(str),
    st.text(max_size=20),
    st.sampled_from(["192.0.2.0/24", "# note", "a\nb", "\r", "\x85", "\u2028", '"', ",", "[]"]),
)


def lines(text: str, layout: Layout) -> list[str]:
    return entry_lines(text.encode(), layout).decode().split("\n")


def decoded(text: str, layout: Layout) -> Decoded:
    return decode(Retrieved(format="text", payload=(text.encode(),), server="", layout=layout))


def test_every_layout_of_the_settings_has_its_reader() -> None:
    assert tuple(LAYOUTS) == layouts.LAYOUTS


def test_lines_are_handed_on_as_they_are() -> None:
    text = b"# note\n192.0.2.1\n"
    assert entry_lines(text, Layout()) is text


# Row 6 of the failures: DShield's columns taken as two hosts.


def test_dshield_columns_are_one_prefix_and_never_two_hosts() -> None:
    text = (
        "# DShield.org Recommended Block List\n"
        "Start\tEnd\tNetmask\tAttacks\tName\n"
        "192.0.2.0\t192.0.2.255\t24\t2222\tEXAMPLE\tXX\tabuse@example.net\n"
        "\n"
        "198.51.100.0 198.51.100.255 24\n"
    )
    assert lines(text, DSHIELD) == ["", "", "192.0.2.0/24", "", "198.51.100.0/24", ""]
    found = decoded(text, DSHIELD)
    assert found.addresses == AddressSet.of("192.0.2.0/24", "198.51.100.0/24")
    assert (found.entries, found.skipped) == (2, ())


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("192.0.2.0\t192.0.2.127\t24", "192.0.2.0-192.0.2.127"),  # they disagree: the range
        ("192.0.2.1\t192.0.2.254\t24", "192.0.2.1-192.0.2.254"),
        ("192.0.2.0\t192.0.2.9", "192.0.2.0-192.0.2.9"),
        ("192.0.2.0\t192.0.2.9\tXX", "192.0.2.0-192.0.2.9"),
        ("2001:db8::\t2001:db8::ffff\t112", "2001:db8::/112"),
        ("192.0.2.0\t192.0.2.255\t²", "192.0.2.0-192.0.2.255"),
    ],
)
def test_a_dshield_line_is_a_prefix_where_its_columns_agree_and_a_range_else(
    line: str, entry: str
) -> None:
    assert lines(line, DSHIELD) == [entry]


@pytest.mark.parametrize("line", ["192.0.2.1", "192.0.2.9\t192.0.2.1\t24", "a\tb\tc"])
def test_a_broken_dshield_line_is_a_reject_and_blocks_nobody(line: str) -> None:
    found = decoded(f"{line}\n198.51.100.0\t198.51.100.255\t24\n", DSHIELD)
    assert found.addresses == AddressSet.of("198.51.100.0/24")
    assert sum(count for _, count in found.skipped) == 1


def test_a_csv_column_is_found_by_its_number_or_by_its_name() -> None:
    text = '# made today\nname,ip\n"a, b",192.0.2.1\nc,"192.0.2.2"\n'
    assert lines(text, NAMED) == ["", "", "192.0.2.1", "192.0.2.2"]
    assert lines(text, SECOND) == ["", "ip", "192.0.2.1", "192.0.2.2"]
    tabs = Layout(kind="csv", column="2", separator="\t")
    assert lines("a\t192.0.2.1", tabs) == ["192.0.2.1"]


def test_a_csv_row_of_several_lines_does_not_move_the_lines_behind_it() -> None:
    text = 'name,ip\n"two\nlines",192.0.2.1\n# note\nb,192.0.2.2\r\n'
    assert lines(text, NAMED) == ["", "192.0.2.1", "", "", "192.0.2.2"]


def test_a_csv_row_without_the_column_is_a_reject() -> None:
    found = decoded("a,192.0.2.1\n192.0.2.2\n", SECOND)
    assert found.addresses == AddressSet.of("192.0.2.1")
    assert found.skipped == (("several words", 1),)
    assert found.samples == ("? 1 columns: 192.0.2.2",)


# Row 6 of the failures: two lines glued.


def test_two_addresses_in_one_cell_are_a_reject_and_not_an_address() -> None:
    found = decoded('x,"192.0.2.1\n192.0.2.2"\ny,192.0.2.3\n', SECOND)
    assert found.addresses == AddressSet.of("192.0.2.3")
    assert found.skipped == (("several words", 1),)


@pytest.mark.parametrize(
    ("text", "layout", "reason"),
    [
        ("a,b\nc,192.0.2.1\n", NAMED, r"^the text: the header has no column 'ip'; it has 'a', 'b'"),
        ('a,"b" c\n', SECOND, r"^the text: line 1: no CSV"),
        ('a,"b\n', SECOND, r"^the text: line 1: no CSV"),
        ("not json", PREFIXES, r"^the text: no JSON"),
        ("{}\nnot json", PREFIXES, r"^the text: neither JSON nor .* \(line 2"),
        ("[" * 100_000, PREFIXES, r"^the text: the JSON is nested too deeply"),
        ("{}", PREFIXES, r"^the text holds no usable entry"),
        ('{"prefixes": [{"cidr": 7}]}', PREFIXES, r"^the text holds no usable entry"),
    ],
)
def test_a_text_that_has_not_its_layout_is_refused_whole(
    text: str, layout: Layout, reason: str
) -> None:
    with pytest.raises(DecodeError, match=reason):
        decoded(text, layout)


def test_json_values_are_numbered_in_the_order_of_the_document() -> None:
    document = {"prefixes": [{"cidr": "192.0.2.0/24"}, {"other": 1}, {"cidr": "2001:db8::/32"}]}
    assert lines(json.dumps(document), PREFIXES) == ["192.0.2.0/24", "2001:db8::/32"]


def test_ndjson_is_read_a_document_a_line() -> None:
    text = '{"cidr":"192.0.2.0/24","id":"X1"}\n{"cidr":"198.51.100.0/24"}\n{"type":"metadata"}\n'
    found = decoded(text, Layout(kind="json", path="$.cidr"))
    assert found.addresses == AddressSet.of("192.0.2.0/24", "198.51.100.0/24")
    assert (found.entries, found.skipped) == (2, ())


# Row 19 of the failures: memory that grows with what comes.


def test_json_beyond_the_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    every = Layout(kind="json", path="$[*]")
    with pytest.raises(DecodeError, match=r"has 16,777,217 bytes, and more than 16,777,216"):
        entry_lines(b" " * ((16 << 20) + 1), every)
    monkeypatch.setattr("policies.decoders.json_values.MAX_VALUES", 2)
    assert len(lines('["192.0.2.1", "192.0.2.2"]', every)) == 2
    with pytest.raises(DecodeError, match=r"leads to more than 2 values"):
        lines("[1, 2, 3]", every)


def test_a_json_value_that_is_no_text_is_a_reject() -> None:
    found = decoded('["192.0.2.1", 3221225986]', Layout(kind="json", path="$[*]"))
    assert found.addresses == AddressSet.of("192.0.2.1")
    assert found.samples == ("? a int, not a text",)


# A line that begins with # is a comment even inside of quotes.
CELLS = TOKENS.filter(lambda cell: "\n#" not in cell and "\r#" not in cell)


@given(st.lists(st.lists(CELLS, min_size=1, max_size=3), max_size=6))
def test_whatever_a_csv_holds_each_row_comes_out_on_the_line_where_it_begins(
    rows: list[list[str]],
) -> None:
    text, expected = "", {}
    for row in rows:
        stream = io.StringIO(newline="")
        csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(row)
        expected[len(list(io.StringIO(text, newline="")))] = entry_line(row[0])
        text += stream.getvalue()
    found = dict(enumerate(lines(text, Layout(kind="csv", column="1"))))
    assert {line: entry for line, entry in found.items() if entry} == {
        line: entry for line, entry in expected.items() if entry
    }


@given(st.text(max_size=300), st.sampled_from([DSHIELD, SECOND, NAMED, PREFIXES, Layout()]))
def test_whatever_comes_is_read_or_refused_and_nothing_else(text: str, layout: Layout) -> None:
    try:
        found = decoded(text, layout)
    except DecodeError:
        return
    assert found.entries


@given(st.lists(TOKENS, max_size=8))
def test_a_layout_never_makes_two_entries_of_one(tokens: list[str]) -> None:
    document = json.dumps(tokens)
    made = lines(document, Layout(kind="json", path="$[*]"))
    assert len(made) == max(1, len(tokens))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"layout": "xml"}, "layout"),
        ({"layout": "csv"}, "column"),
        ({"layout": "csv", "column": "0"}, "column"),
        ({"layout": "csv", "column": "1", "separator": "ab"}, "separator"),
        ({"layout": "csv", "column": "1", "separator": "1"}, "separator"),
        ({"layout": "json"}, "path"),
        ({"layout": "json", "path": "prefixes"}, "path"),
        ({"layout": "json", "path": "$" + ".a" * 200}, "path"),
    ],
)
def test_a_layout_that_cannot_work_is_refused_by_name(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(SourceMisconfigured, match=rf"^{named}\b"):
        read_layout(Settings(wrong))
