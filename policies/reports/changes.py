"""The record of changes as it is given away, and whether it is whole."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from policies.chain import START
from policies.models import Change

COLUMNS = ("id", "at", "actor", "channel", "origin", "verb", "subject", "detail", "digest")
FORMS = ("csv", "jsonl")
_AT_ONCE = 2000
VERIFIED_AT_ONCE = 200_000  # rows that a page or an answer looks at: some seconds
# A program for tables takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of the record: how many rows hang together, and where they do not."""

    rows: int
    last_id: int | None
    last_digest: str  # "" where there is no row
    broken: int | None = None  # the first row that does not follow from the one before
    reason: str = ""
    is_partial: bool = False  # older rows were not looked at

    @property
    def is_whole(self) -> bool:
        """Whether every row follows from the one before."""
        return self.broken is None

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        if not self.is_whole:
            return f"The record is not whole after {self.rows:,} changes: {self.reason}."
        if self.last_id is None:
            return "Nothing was recorded yet."
        begin = f"The newest {self.rows:,}" if self.is_partial else f"{self.rows:,}"
        older = " 'tsadmin audit --verify' looks at the older ones too." if self.is_partial else ""
        return (
            f"{begin} changes hang together. The last one is {self.last_id}, with the digest "
            f"{self.last_digest}.{older}"
        )


def verify_changes(*, newest: int | None = None) -> Verified:
    """Work out the digest of every row anew, the oldest first, until one differs.

    With `newest` only so many are looked at, from the digest that stands before them on: what a
    page has the time for.

    What was cut off at the end cannot be missed from inside: compare `last_digest` with one that
    was written down elsewhere, such as in the log of the process that wrote the row.
    """
    before, rows, last = START, 0, None
    changes = Change.objects.order_by("id")
    older = None if newest is None else changes.reverse()[newest : newest + 1].first()
    if older is not None:
        before, changes = older.digest, changes.filter(pk__gt=older.pk)
    is_partial = older is not None
    for change in changes.iterator(_AT_ONCE):
        wanted = change.digest_after(before)
        if change.digest != wanted:
            why = (
                f"change {change.pk} was altered, or one was removed or put in before it: its "
                f"digest is to be {wanted} and is {change.digest}"
            )
            digest = "" if last is None else before
            return Verified(rows, last, digest, change.pk, why, is_partial)
        before, rows, last = change.digest, rows + 1, change.pk
    return Verified(rows, last, "" if last is None else before, is_partial=is_partial)


def holds_digest(digest: str) -> bool:
    """Tell whether the record has a row with this digest."""
    return Change.objects.filter(digest=digest).exists()


def lines_of(changes: QuerySet[Change], *, form: str) -> Iterator[str]:
    """Yield changes as lines of "csv", with a head, or of "jsonl", the oldest first."""
    rows = changes.order_by("id").iterator(_AT_ONCE)
    if form == "jsonl":
        return (f"{json.dumps(as_json(change))}\n" for change in rows)
    return _csv(rows)


def as_json(change: Change) -> dict[str, Any]:
    """Return a change as programs read it."""
    return {**_texts(change), "detail": change.detail}


def _texts(change: Change) -> dict[str, Any]:
    told = {name: getattr(change, name) for name in COLUMNS if name != "detail"}
    return {**told, "at": change.at.isoformat()}


def _csv(rows: Iterator[Change]) -> Iterator[str]:
    class Line:
        """Gives each line back instead of keeping it."""

        @staticmethod
        def write(text: str) -> str:
            return text

    writer: Any = csv.writer(Line())
    yield writer.writerow(COLUMNS)
    for change in rows:
        told = {**_texts(change), "detail": json.dumps(change.detail)}
        yield writer.writerow([_cell(told[name]) for name in COLUMNS])


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
