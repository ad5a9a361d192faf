"""Write down who changed what, when and from where."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction

from policies.chain import START
from policies.models import Change
from policies.models.change import LONGEST_ACTOR, LONGEST_SUBJECT
from policies.origin import current_origin

# Of nothing else here; any number will do, if it stays.
_LOCK = 0x7C5_C4A1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Differs:
    """What was done to one subject; values that are alike on both sides are not kept."""

    subject: str
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)


def record_change(
    *,
    actor: str,
    verb: str,
    subject: str,
    now: datetime,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> Change:
    """Record that `actor` did `verb` to `subject`; only what differs is kept.

    Callers mask secrets before they hand values in. Where it comes from is what the edge said
    (`policies.origin`). The row hangs on the newest one, so writers take turns until they commit.
    """
    one = Differs(subject, before or {}, after or {})
    return record_changes(actor=actor, verb=verb, changes=[one], now=now)[0]


def record_changes(
    *, actor: str, verb: str, changes: Iterable[Differs], now: datetime
) -> list[Change]:
    """Record that `actor` did `verb` to many subjects at once, a row each; see `record_change`."""
    rows = [_row(one, actor=actor, verb=verb, now=now) for one in changes]
    with transaction.atomic():
        _take_turn()
        newest = Change.objects.order_by("-id").values_list("digest", flat=True).first()
        digest = newest or START
        for row in rows:
            digest = row.digest = row.digest_after(digest)
            row.save(force_insert=True)
    for row in rows:
        log.info("change id=%d digest=%s", row.pk, row.digest)
    return rows


def _row(one: Differs, *, actor: str, verb: str, now: datetime) -> Change:
    detail = {
        name: [_plain(one.before.get(name)), _plain(one.after.get(name))]
        for name in sorted({*one.before, *one.after})
        if one.before.get(name) != one.after.get(name)
    }
    origin = current_origin()
    return Change(
        at=now, actor=_text(actor, LONGEST_ACTOR), channel=_text(origin.channel),
        origin=_text(origin.address), verb=verb, subject=_text(one.subject, LONGEST_SUBJECT),
        detail=detail,
    )  # fmt: skip


def record_export(*, actor: str, subject: str, form: str, now: datetime) -> Change:
    """Record that somebody took `subject`, such as "changes", away as a file."""
    return record_change(actor=actor, verb="export", subject=subject, now=now, after={"form": form})


def _take_turn() -> None:
    """Wait until no other transaction is writing a change.

    With SQLite the transaction itself sees to it: it begins by taking the lock to write.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _text(text: str, most: int | None = None) -> str:
    # PostgreSQL holds no NUL, which a name that somebody typed may have.
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:most]


def _plain(value: object) -> object:
    """Return `value` as JSON can hold it."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _text(str(value))
