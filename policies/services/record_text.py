"""Records as text: what people paste, and CSV in and out.

    read_bytes(data, *, is_csv) -> Drafts   a file or a body, by one of the next two
    read_lines(text) -> Drafts              one entry a line, `# note` behind it
    read_csv(text) -> Drafts                columns entry, note, expires; a header may name them
    write_csv(records) -> lines             what read_csv reads back as the same

A line that cannot be taken is kept apart with its reason; nothing is guessed at.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Protocol

from netsets.span import Span, shown
from policies.models import ListRecord
from policies.models.record import LONGEST_NOTE
from policies.services.rows import Refused
from policies.sources.user_list import MAX_RECORDS

COLUMNS = ("entry", "note", "expires")
MAX_BYTES = 16 << 20
# As the guard of a policy has them unless it says otherwise.
WIDEST = {4: 8, 6: 16}
_WIDTH = {4: 32, 6: 128}
# A spreadsheet runs a cell that begins so; the quote keeps it from that.
_FORMULA = ("=", "+", "-", "@", "'")


@dataclass(frozen=True, slots=True)
class _Row:
    """One line, taken apart and not yet judged."""

    line: int
    entry: str
    note: str = ""
    expires: str = ""
    fault: str = ""  # why its parts cannot be told apart


class _Reader(Protocol):
    """What csv.reader returns, which has no public type."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to be, held to every rule but those of the list it goes into."""

    text: str  # the one spelling of `span`
    span: Span
    note: str = ""
    expires_at: datetime | None = None
    line: int = 1


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be taken, made fit to be shown, and why."""

    line: int
    text: str
    reason: str

    def __str__(self) -> str:
        """Return it as a person reads it."""
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Drafts:
    """What a text held."""

    good: tuple[Draft, ...]
    bad: tuple[BadLine, ...] = ()


def draft_of(
    *, entry: str, note: str = "", expires_at: datetime | None = None, line: int = 1
) -> Draft:
    """Return one record to be; raises ValueError with the reason where it cannot be one."""
    span = Span.exactly(entry.strip())
    if span.size > 1 << (_WIDTH[span.version] - WIDEST[span.version]):
        raise ValueError(
            f"{span} is wider than /{WIDEST[span.version]}, the widest entry a list takes; "
            f"add its parts, if that is meant"
        )
    return Draft(str(span), span, clean_note(note), expires_at, line)


def clean_note(note: str) -> str:
    """Return a note on one line; raises ValueError."""
    note = " ".join(note.split())
    if len(note) > LONGEST_NOTE:
        raise ValueError(f"the note has {len(note):,} characters; it may have {LONGEST_NOTE}")
    if not note.isprintable():
        raise ValueError("the note holds a character that cannot be shown")
    return note


def read_expiry(text: str) -> datetime | None:
    """Return the moment that ISO 8601 text means, None for an empty one; raises ValueError.

    A date alone means its end. Without an offset it is UTC.
    """
    text = text.strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if len(text) <= len("2026-12-31"):
            moment = datetime.combine(moment.date() + timedelta(days=1), time())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{shown(text)!r} is no date; write 2026-12-31 or 2026-12-31T18:00:00Z"
        ) from error


def read_bytes(data: bytes, *, is_csv: bool) -> Drafts:
    """Read a file or a body; raises Refused."""
    if len(data) > MAX_BYTES:
        raise Refused(f"this is longer than {MAX_BYTES:,} bytes", setting="text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"this is not UTF-8 text: {error.reason}", setting="text") from error
    return read_csv(text) if is_csv else read_lines(text)


def read_lines(text: str, *, note: str = "", expires_at: datetime | None = None) -> Drafts:
    """Read one entry a line; what has no note of its own gets `note`. Raises Refused."""
    lines = enumerate(text.splitlines(), 1)
    parts = ((number, *line.partition("#")) for number, line in lines)
    rows = (
        _Row(number, entry.strip(), own.strip() or note)
        for number, entry, _, own in parts
        if entry.strip()
    )
    return _drafts(rows, expires_at=expires_at)


def read_csv(text: str) -> Drafts:
    """Read CSV: by the names in its first line, or entry, note, expires in this order.

    Raises Refused.
    """
    head = text.partition("\n")[0]
    comma = ";" if ";" in head and "," not in head else ","  # some countries' spreadsheets
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=comma, strict=True)
    try:
        return _drafts(_csv_rows(reader))
    except csv.Error as error:
        reason = f"this is no CSV: {error} in line {reader.line_num}"
        raise Refused(reason, setting="text") from error


def _csv_rows(reader: _Reader) -> Iterator[_Row]:
    names: list[str] = []
    for cells in reader:
        if not any(cells):
            continue
        if not names:
            names = _header(cells)
            if names:
                continue
            names = list(COLUMNS)
        if len(cells) > len(names):
            fault = f"it has {len(cells)} columns; there are {', '.join(names)}"
            yield _Row(reader.line_num, cells[0], fault=fault)
            continue
        row = dict(zip(names, cells, strict=False))
        note, expires = _unquoted(row.get("note", "")), row.get("expires", "")
        yield _Row(reader.line_num, row.get("entry", ""), note, expires)


def _header(cells: list[str]) -> list[str]:
    """Return the names of the columns, none where these cells are no header; raises Refused."""
    names = [cell.strip().lower() for cell in cells]
    if "entry" not in names:
        return []
    if set(names) - set(COLUMNS) or len(set(names)) != len(names):
        has = shown(", ".join(names))
        reason = f"the columns are {', '.join(COLUMNS)}, each once; the first line has {has!r}"
        raise Refused(reason, setting="text")
    return names


def _drafts(rows: Iterable[_Row], *, expires_at: datetime | None = None) -> Drafts:
    good: list[Draft] = []
    bad: list[BadLine] = []
    for row in rows:
        if len(good) + len(bad) >= MAX_RECORDS:
            reason = f"this has more than {MAX_RECORDS:,} entries, all that a list takes"
            raise Refused(reason, setting="text")
        try:
            good.append(_draft(row, expires_at=expires_at))
        except ValueError as error:
            bad.append(BadLine(row.line, shown(row.entry), str(error)))
    return Drafts(tuple(good), tuple(bad))


def _draft(row: _Row, *, expires_at: datetime | None) -> Draft:
    if row.fault:
        raise ValueError(row.fault)
    until = read_expiry(row.expires) or expires_at
    return draft_of(entry=row.entry, note=row.note, expires_at=until, line=row.line)


def write_csv(records: Iterable[ListRecord]) -> Iterator[str]:
    """Yield a header and one line a record."""
    yield _csv_line(COLUMNS)
    for record in records:
        until = record.expires_at
        expires = "" if until is None else until.isoformat().replace("+00:00", "Z")
        yield _csv_line((record.text, _quoted(record.note), expires))


def _csv_line(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue()


def _quoted(note: str) -> str:
    return f"'{note}" if note.startswith(_FORMULA) else note


def _unquoted(note: str) -> str:
    return note[1:] if note.startswith("'") and note[1:].startswith(_FORMULA) else note
