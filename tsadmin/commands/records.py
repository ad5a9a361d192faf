"""records create, list, add, remove, import, export: the lists that are kept here."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import typer
from django.db.models import Q, QuerySet

from netsets.span import Span
from policies import services
from policies.models import ListRecord, Source
from policies.models.record import ListRecordQuerySet
from policies.services.record_text import (
    MAX_BYTES,
    BadLine,
    Draft,
    Drafts,
    draft_of,
    read_bytes,
    read_expiry,
)
from policies.sources.user_list import KIND
from policies.tasks import nudge
from tsadmin.commands.finding import find_list
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_hint, print_json, print_line, print_table
from tsadmin.site import actor
from tsadmin.words import counted

LISTS = ("List", "For", "Records", "State", "Policies")
COLUMNS = ("Entry", "Note", "Added by", "Added", "Expires")
_NAMED = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """Entries that stood on the command line, and what holds for all of them."""

    entries: Sequence[str]
    note: str
    expires: str
    skip_bad: bool

    def drafts(self) -> Drafts:
        """Return the records to be; the line of each is its place, from 1. Raises Misused."""
        try:
            expires_at = read_expiry(self.expires)
        except ValueError as error:
            raise Misused(f"--expires {error}") from error
        good: list[Draft] = []
        bad: list[BadLine] = []
        for place, entry in enumerate(self.entries, 1):
            try:
                good.append(
                    draft_of(entry=entry, note=self.note, expires_at=expires_at, line=place)
                )
            except ValueError as error:
                bad.append(BadLine(place, entry, str(error)))
        return Drafts(tuple(good), tuple(bad))


def create_list(*, name: str, type: str, now: datetime, as_json: bool) -> None:  # noqa: A002
    """Make an empty list."""
    source = services.create_user_list(name=name, type=type, actor=actor(), now=now)
    if as_json:
        print_json({"id": source.pk, "name": source.name, "for": type})
        return
    print_line(f"Made {source.name}, a list to {type}.", tone="success")
    quoted = shlex.quote(source.name)
    print_hint(
        f"Add to it: tsadmin records add {quoted} ENTRY. Let a policy take it, too: "
        f"tsadmin policy configure POLICY --{type} {quoted}"
    )


def list_lists(*, as_json: bool) -> None:
    """Print the lists that are kept here."""
    lists = [_list_json(one) for one in _lists().order_by("name", "id")]
    if as_json:
        print_json({"lists": lists})
    elif lists:
        print_table(LISTS, [[str(value) for value in list(one.values())[1:]] for one in lists])
    else:
        print_hint("No list is kept here yet. See 'tsadmin records create --help'.")


def list_records(*, name: str, search: str | None, most: int, as_json: bool) -> None:
    """Print the records of a list by address, the first `most` of those that are searched for."""
    source = find_list(name)
    found = _searched(ListRecord.objects.filter(source=source), search)
    total, rows = found.count(), list(found.order_by("family", "first", "last", "id")[:most])
    if as_json:
        print_json({"list": source.name, "total": total, "records": [_json(row) for row in rows]})
        return
    if rows:
        print_table(COLUMNS, [_row(row) for row in rows])
    if total > len(rows):
        print_hint(f"{len(rows):,} of {total:,} are shown; --most shows more, export shows all.")
    elif not rows:
        print_hint(f"{source.name} holds no {'such ' if search else ''}record.")


def add_records(*, name: str, wanted: Wanted, now: datetime, as_json: bool) -> None:
    """Add the entries of the command line."""
    source = find_list(name)
    written = services.add_records(
        source=source, drafts=wanted.drafts(), skip_bad=wanted.skip_bad, actor=actor(), now=now
    )
    _say(source, written, as_json=as_json)


def remove_records(*, name: str, entries: Sequence[str], now: datetime, as_json: bool) -> None:
    """Remove the entries of the command line, however they are spelt."""
    source = find_list(name)
    texts = {_spelt(entry) for entry in entries}
    records = ListRecord.objects.filter(source=source, text__in=texts)
    missing = sorted(texts - set(records.values_list("text", flat=True)))
    if missing:
        held = f"{', '.join(missing[:_NAMED])} {'is' if len(missing) == 1 else 'are'} not"
        raise Refused(f"{held} in {source.name} as an entry of its own; nothing was removed")
    removed = services.remove_records(source=source, records=records, actor=actor(), now=now)
    _say(source, services.Written(0, removed=removed), as_json=as_json)


def import_file(
    *,
    name: str,
    file: Path,
    is_csv: bool,
    replace: bool,
    skip_bad: bool,
    now: datetime,
    as_json: bool,
) -> None:
    """Add the records of a file, or make the list exactly these."""
    source = find_list(name)
    write = services.replace_records if replace else services.add_records
    written = write(
        source=source,
        drafts=read_bytes(_content(file), is_csv=is_csv),
        skip_bad=skip_bad,
        actor=actor(),
        now=now,
    )
    _say(source, written, as_json=as_json)


def export_records(*, name: str, now: datetime, as_json: bool) -> None:
    """Print every record in force as CSV."""
    source = find_list(name)
    form = "json" if as_json else "csv"
    services.record_export(actor=actor(), subject=f"source {source.name}", form=form, now=now)
    if as_json:
        records = ListRecord.objects.filter(source=source).unexpired(now=now).order_by("id")
        print_json({"list": source.name, "records": [_json(row) for row in records]})
        return
    for line in services.export_csv(source=source, now=now):
        typer.echo(line.removesuffix("\r\n"))


def _lists() -> QuerySet[Source]:
    return Source.objects.filter(kind=KIND)


def _list_json(source: Source) -> dict[str, object]:
    return {
        "id": source.pk,
        "name": source.name,
        "for": source.settings["type"],
        "records": source.records.count(),
        "state": source.state,
        "policies": source.policies.count(),
    }


def _searched(records: ListRecordQuerySet, search: str | None) -> ListRecordQuerySet:
    if search is None:
        return records
    try:
        return records.touching(Span.exactly(search))
    except ValueError:
        return records.filter(Q(text__icontains=search) | Q(note__icontains=search))


def _spelt(entry: str) -> str:
    try:
        return str(Span.exactly(entry))
    except ValueError as error:
        raise Refused(f"{error}; nothing was removed") from error


def _content(file: Path) -> bytes:
    """Return what a file holds, a little more than its bound at most; raises Refused."""
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror or error}") from error


def _say(source: Source, written: services.Written, *, as_json: bool) -> None:
    """Print what was done, and let workers begin."""
    nudge()
    if as_json:
        left_out = [asdict(bad) for bad in written.bad]
        numbers = {"added": written.added, "changed": written.changed, "removed": written.removed}
        print_json({"list": source.name, **numbers, "left_out": left_out})
        return
    for bad in written.bad:
        print_hint(f"Left out, {bad}")
    done = [
        f"{verb} {counted(number, 'record', 'records')}"
        for verb, number in (
            ("added", written.added),
            ("changed", written.changed),
            ("removed", written.removed),
        )
        if number
    ]
    text = ", ".join(done) or "nothing to do"
    print_line(f"{source.name}: {text}.", tone="success" if done else "neutral")


def _row(record: ListRecord) -> tuple[str, ...]:
    until = record.expires_at
    return (
        record.text,
        record.note,
        record.added_by,
        f"{record.added_at:%Y-%m-%d %H:%M}",
        f"{until:%Y-%m-%d %H:%M}" if until else "never",
    )


def _json(record: ListRecord) -> dict[str, object]:
    return {
        "id": record.pk,
        "entry": record.text,
        "note": record.note,
        "added_by": record.added_by,
        "added_at": record.added_at,
        "expires_at": record.expires_at,
    }
