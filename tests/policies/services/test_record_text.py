"""Records as people paste them and as CSV: what is taken, and what is said of the rest."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from policies.models import ListRecord
from policies.services import Refused
from policies.services.record_text import (
    MAX_BYTES,
    Drafts,
    clean_note,
    read_bytes,
    read_csv,
    read_expiry,
    read_lines,
    write_csv,
)
from policies.sources.user_list import MAX_RECORDS


def entries(drafts: Drafts) -> list[tuple[str, str]]:
    return [(str(one.span), one.note) for one in drafts.good]


def test_a_paste_has_one_entry_a_line_with_its_note_behind_it() -> None:
    drafts = read_lines(
        "# from the incident\n\n 203.0.113.7 # scanner #1\r\n203.0.113.0-203.0.113.127\n",
        note="INC-7",
    )
    assert entries(drafts) == [("203.0.113.7", "scanner #1"), ("203.0.113.0/25", "INC-7")]
    assert [one.line for one in drafts.good] == [3, 4]
    assert drafts.bad == ()


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("203.0.113.7/24", "write 203.0.113.0/24 for the network, or 203.0.113.7"),
        ("example.net", "host name"),
        ("203.0.113", "incomplete address"),
        ("203.0.113.7 203.0.113.8", "several words"),
        ("198.51.100.0/33", "prefix length"),
        ("203.0.113.7 # " + "x" * 201, "201 characters; it may have 200"),
        ("203.0.113.7 # a\x07b", "cannot be shown"),
    ],
)
def test_a_line_that_cannot_be_taken_is_told_with_its_reason(entry: str, reason: str) -> None:
    (bad,) = read_lines(f"198.51.100.1\n{entry}").bad
    assert bad.line == 2
    assert reason in bad.reason


@pytest.mark.parametrize(
    ("entry", "is_taken"),
    [
        ("10.0.0.0/8", True),
        ("8.0.0.0/7", False),
        ("10.0.0.0-11.0.0.0", False),
        ("2001::/16", True),
        ("2000::/15", False),
    ],
)
def test_the_widest_entry_is_a_slash_8_and_in_ipv6_a_slash_16(entry: str, is_taken: bool) -> None:
    drafts = read_lines(entry)
    assert (len(drafts.good), len(drafts.bad)) == ((1, 0) if is_taken else (0, 1))
    assert is_taken or "the widest entry a list takes" in drafts.bad[0].reason


@pytest.mark.parametrize(
    "text",
    [
        "entry,note,expires\n203.0.113.7,scanner,2026-12-31\n",
        "Expires , NOTE,Entry\n2026-12-31,scanner,203.0.113.7\n",
        "203.0.113.7,scanner,2026-12-31\n",
        "entry;note;expires\r\n203.0.113.7;scanner;2026-12-31\r\n",
        "\n203.0.113.7,scanner,2027-01-01T01:00:00+01:00",
    ],
)
def test_csv_is_read_with_and_without_a_header(text: str) -> None:
    (draft,) = read_csv(text).good
    assert (str(draft.span), draft.note) == ("203.0.113.7", "scanner")
    assert draft.expires_at == datetime(2027, 1, 1, tzinfo=UTC)


def test_a_row_with_too_many_cells_or_a_wrong_date_is_told_by_its_line() -> None:
    bad = read_csv("entry,note\n203.0.113.7,a,b\n203.0.113.8\n").bad
    assert [(one.line, one.reason) for one in bad] == [
        (2, "it has 3 columns; there are entry, note")
    ]
    (bad_date,) = read_csv("entry,expires\n203.0.113.7,31/12/2026\n").bad
    assert "write 2026-12-31 or 2026-12-31T18:00:00Z" in bad_date.reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"entry,colour\n203.0.113.7,red", "the first line has 'entry, colour'"),
        (b"entry,note,note\n", "each once"),
        (b'203.0.113.7,"never closed', "this is no CSV"),
        (b"203.0.113.7,\xe9", "not UTF-8"),
        (b"x" * (MAX_BYTES + 1), "longer than"),
        (b"\n".join([b"203.0.113.7"] * (MAX_RECORDS + 1)), "more than 100,000 entries"),
    ],
    ids=["unknown column", "column twice", "open quote", "no UTF-8", "too long", "too many"],
)
def test_what_is_no_list_at_all_is_refused_whole(data: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        read_bytes(data, is_csv=True)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("", None),
        ("2026-12-31", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-12-31T18:00:00", datetime(2026, 12, 31, 18, tzinfo=UTC)),
        ("2026-12-31T18:00:00+02:00", datetime(2026, 12, 31, 16, tzinfo=UTC)),
    ],
)
def test_a_date_alone_means_its_end_and_no_offset_means_utc(
    text: str, moment: datetime | None
) -> None:
    assert read_expiry(text) == moment


@pytest.mark.parametrize("text", ["soon", "9999-12-31", "31.12.2026", "0001-01-01T00:00+23:59"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no date"):
        read_expiry(text)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200), st.integers(0, 255))
def test_any_note_comes_back_from_csv_as_it_was(text: str, number: int) -> None:
    try:
        note = clean_note(text)
    except ValueError:
        note = "=HYPERLINK(1)"
    record = ListRecord(text=f"203.0.113.{number}", note=note)
    exported = "".join(write_csv([record]))
    assert entries(read_csv(exported)) == [(record.text, note)]


@pytest.mark.parametrize("note", ["=1+1", "+1", "-1", "@x", "'=1", "''", "'plain'"])
def test_no_note_becomes_a_formula_in_a_spreadsheet(note: str) -> None:
    exported = "".join(write_csv([ListRecord(text="203.0.113.7", note=note)]))
    assert exported.splitlines()[1].split(",")[1][0] == "'"
    assert read_csv(exported).good[0].note == note
