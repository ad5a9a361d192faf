"""Make the lists that people keep here, and write their records.

    create_user_list(*, name, type, actor, now) -> Source
    add_record(*, source, entry, note="", expires_at=None, actor, now) -> ListRecord
    add_records(*, source, drafts, skip_bad=False, actor, now) -> Written
    replace_records(*, source, drafts, skip_bad=False, actor, now) -> Written
    change_record(*, record, changes, actor, now) -> ListRecord
    remove_records(*, source, records, actor, now) -> int
    export_csv(*, source, now) -> lines
    expire_records(*, now) -> int

Drafts come from `record_text`: `read_bytes`, `read_lines` or `read_csv`. Everything raises
Refused, and LinesRefused where single lines are to blame; then nothing was changed. After a write
the list and its policies are left due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import IntegrityError, transaction

from policies.models import ListRecord, Policy, Source
from policies.models.record import ListRecordQuerySet, sortable
from policies.services.changes import record_change
from policies.services.manage_sources import create_source
from policies.services.record_text import BadLine, Draft, Drafts, clean_note, draft_of, write_csv
from policies.services.rows import Refused
from policies.services.user_list_rules import is_user_list
from policies.sources.user_list import KIND, MAX_RECORDS

EXPIRY = "expiry"  # who removes what has expired, in the record of changes
NAMED = 5  # entries that a Change row or a message names; the rest is counted
_BATCH = 2_000
_NAMEABLE = 500
_CHANGEABLE = ("note", "expires_at")


class LinesRefused(Refused):
    """Lines that cannot be taken; `bad` has each with its reason. Nothing was changed."""

    def __init__(self, bad: Sequence[BadLine]) -> None:
        """Name the first few in the message."""
        more = f"; and {len(bad) - NAMED:,} more" if len(bad) > NAMED else ""
        super().__init__(f"{'; '.join(map(str, bad[:NAMED]))}{more}", setting="text")
        self.bad = tuple(bad)


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did."""

    added: int
    removed: int = 0
    changed: int = 0
    bad: tuple[BadLine, ...] = ()  # lines that were left out, as asked


def create_user_list(*, name: str, type: str, actor: str, now: datetime) -> Source:  # noqa: A002
    """Make an empty list to block or to allow; a policy takes it like any other source."""
    return create_source(name=name, kind=KIND, settings={"type": type}, actor=actor, now=now)


def add_record(
    *,
    source: Source,
    entry: str,
    note: str = "",
    expires_at: datetime | None = None,
    actor: str,
    now: datetime,
) -> ListRecord:
    """Add one record."""
    try:
        draft = draft_of(entry=entry, note=note, expires_at=expires_at)
    except ValueError as error:
        raise Refused(str(error), setting="text") from error
    try:
        add_records(source=source, drafts=Drafts((draft,)), actor=actor, now=now)
    except LinesRefused as error:
        raise Refused(error.bad[0].reason, setting="text") from error
    return ListRecord.objects.select_related("source").get(source=source, text=draft.text)


def add_records(
    *, source: Source, drafts: Drafts, skip_bad: bool = False, actor: str, now: datetime
) -> Written:
    """Add records, all or none; with `skip_bad` all that can be taken."""
    with transaction.atomic():
        _take_hold(source, now=now)
        held = _texts_held(source, [one.text for one in drafts.good])
        good, bad = _fitting(drafts, held=held, now=now)
        if bad and not skip_bad:
            raise LinesRefused(bad)
        _refuse_too_many(source, source.records.count() + len(good))
        if good:
            _insert(source, good, actor=actor, now=now)
            after = {"records added": _named([one.text for one in good])}
            _record(source, verb="add", actor=actor, now=now, after=after)
    return Written(len(good), bad=bad)


def replace_records(
    *, source: Source, drafts: Drafts, skip_bad: bool = False, actor: str, now: datetime
) -> Written:
    """Make the records of a list exactly these; one that stays keeps who added it and when."""
    with transaction.atomic():
        _take_hold(source, now=now)
        held = {
            text: (note, expires_at)
            for text, note, expires_at in source.records.values_list("text", *_CHANGEABLE)
        }
        good, bad = _fitting(drafts, held=set(), now=now)
        if bad and not skip_bad:
            raise LinesRefused(bad)
        gone = sorted(held.keys() - {one.text for one in good})
        new = [one for one in good if one.text not in held]
        other = [
            one for one in good if one.text in held and held[one.text] != (one.note, one.expires_at)
        ]
        _delete(source, gone)
        _insert(source, [*new, *other], actor=actor, now=now, over=True)
        if gone or new or other:
            _record(
                source, verb="replace", actor=actor, now=now,
                before={"records removed": _named(gone)},
                after={
                    "records added": _named([one.text for one in new]),
                    "records changed": _named([one.text for one in other]),
                },
            )  # fmt: skip
    return Written(len(new), removed=len(gone), changed=len(other), bad=bad)


def change_record(
    *, record: ListRecord, changes: Mapping[str, object], actor: str, now: datetime
) -> ListRecord:
    """Change a record's note or when it expires."""
    before = {name: getattr(record, name) for name in _CHANGEABLE}
    for name, value in changes.items():
        if name not in _CHANGEABLE:
            raise Refused(f"{name} cannot be changed; remove the record, add another", setting=name)
        setattr(record, name, _checked(name, value, now=now))
    after = {name: getattr(record, name) for name in _CHANGEABLE}
    if after == before:
        return record
    with transaction.atomic():
        kept = ListRecord.objects.filter(pk=record.pk).update(**after)
        if not kept:
            raise Refused(f"{record} is no longer in the list: it was removed, or it expired")
        _record(
            record.source, verb="change", actor=actor, now=now,
            before={f"{record} {name}": value for name, value in before.items()},
            after={f"{record} {name}": value for name, value in after.items()},
        )  # fmt: skip
    return record


def remove_records(
    *, source: Source, records: ListRecordQuerySet, actor: str, now: datetime
) -> int:
    """Remove those of `records` that are in the list; return how many."""
    return _take_out(source, records, verb="remove", what="records removed", actor=actor, now=now)


def expire_records(*, now: datetime) -> int:
    """Remove the records whose time is over, from every list; return how many."""
    expired = ListRecord.objects.expired(now=now)
    lists = Source.objects.filter(pk__in=expired.values("source"))
    return sum(_expire(source, now=now) for source in lists.order_by("id"))


def export_csv(*, source: Source, now: datetime) -> Iterator[str]:
    """Yield the records in force as CSV, line by line, in the order in which they were added."""
    records = ListRecord.objects.filter(source=source).unexpired(now=now).order_by("id")
    return write_csv(records.iterator(chunk_size=_BATCH))


def file_name(source: Source) -> str:
    """Return what an export of the list is called as a file."""
    plain = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in source.name)
    return f"{plain}.csv"


def _expire(source: Source, *, now: datetime) -> int:
    expired = ListRecord.objects.expired(now=now)
    return _take_out(source, expired, verb="expire", what="records expired", actor=EXPIRY, now=now)


def _take_out(
    source: Source, records: ListRecordQuerySet, *, verb: str, what: str, actor: str, now: datetime
) -> int:
    with transaction.atomic():
        gone = list(records.filter(source=source).order_by("id").values_list("text", flat=True))
        if gone:
            _delete(source, gone)
            _record(source, verb=verb, actor=actor, now=now, before={what: _named(gone)})
    return len(gone)


def _take_hold(source: Source, *, now: datetime) -> None:
    """Let whoever writes to the list next wait for this transaction; take out what expired."""
    if not is_user_list(source):
        raise Refused(f"{source.name} is no list that is kept here", setting="source")
    Source.objects.select_for_update().get(pk=source.pk)
    _expire(source, now=now)


def _texts_held(source: Source, texts: Sequence[str]) -> set[str]:
    """Return those of `texts` that are in the list."""
    found: set[str] = set()
    for part in _parts(texts):
        found.update(source.records.filter(text__in=part).values_list("text", flat=True))
    return found


def _parts(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the texts in parts: a database bounds how much one statement may name."""
    return (texts[start : start + _NAMEABLE] for start in range(0, len(texts), _NAMEABLE))


def _fitting(
    drafts: Drafts, *, held: set[str], now: datetime
) -> tuple[list[Draft], tuple[BadLine, ...]]:
    """Tell the drafts that fit into a list that holds `held` from those that do not."""
    good: dict[str, Draft] = {}
    bad = list(drafts.bad)
    for draft in drafts.good:
        if reason := _why_not(draft, held=held, twin=good.get(draft.text), now=now):
            bad.append(BadLine(draft.line, draft.text, reason))
        else:
            good[draft.text] = draft
    return list(good.values()), tuple(sorted(bad, key=lambda one: one.line))


def _why_not(draft: Draft, *, held: set[str], twin: Draft | None, now: datetime) -> str:
    text = draft.text
    if text in held:
        return f"{text} is in the list already"
    if twin is not None:
        return f"{text} stands in line {twin.line} already"
    if draft.expires_at is not None and draft.expires_at <= now:
        return f"{text} would have expired on {draft.expires_at:%Y-%m-%d %H:%M} UTC"
    return ""


def _refuse_too_many(source: Source, number: int) -> None:
    if number > MAX_RECORDS:
        raise Refused(
            f"{source.name} would hold {number:,} records; a list takes {MAX_RECORDS:,}. "
            f"Make a second list: a policy takes many.",
            setting="text",
        )


def _insert(
    source: Source, drafts: Iterable[Draft], *, actor: str, now: datetime, over: bool = False
) -> None:
    """Insert records; with `over` one that is there gets the new note and end, and no more."""
    rows = (
        ListRecord(
            source=source,
            text=one.text,
            family=one.span.version,
            first=sortable(one.span.first),
            last=sortable(one.span.last),
            note=one.note,
            added_by=actor[:150],
            added_at=now,
            expires_at=one.expires_at,
        )
        for one in drafts
    )
    options: dict[str, Any] = {}
    if over:
        options = {
            "update_conflicts": True,
            "unique_fields": ("source", "text"),
            "update_fields": _CHANGEABLE,
        }
    try:
        with transaction.atomic():
            while batch := list(islice(rows, _BATCH)):
                ListRecord.objects.bulk_create(batch, **options)
    except IntegrityError as error:
        raise Refused(f"{source.name} was just changed by somebody else; look again") from error


def _delete(source: Source, texts: Sequence[str]) -> None:
    for part in _parts(texts):
        source.records.filter(text__in=part).delete()


def _checked(name: str, value: object, *, now: datetime) -> object:
    """Return a changed value fit to be kept; raises Refused."""
    if name == "note":
        try:
            return clean_note(str(value))
        except ValueError as error:
            raise Refused(str(error), setting="note") from error
    if isinstance(value, datetime) and value <= now:
        raise Refused("it would have expired already; remove it instead", setting="expires_at")
    return value


def _named(texts: Sequence[str]) -> str:
    """Return how many there are and the first few, for the record of changes."""
    if not texts:
        return ""
    more = ", …" if len(texts) > NAMED else ""
    return f"{len(texts):,}: {', '.join(texts[:NAMED])}{more}"


def _record(
    source: Source,
    *,
    verb: str,
    actor: str,
    now: datetime,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Write down the change, and leave the list and its policies due."""
    record_change(
        actor=actor[:150], verb=verb, subject=f"source {source.name}"[:200], now=now,
        before=before, after=after,
    )  # fmt: skip
    Source.objects.filter(pk=source.pk).update(due_at=now)
    Policy.objects.filter(sources=source).update(due_at=now)
