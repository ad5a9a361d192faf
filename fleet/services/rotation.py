"""New device keys for many entries at once.

rotate_keys(*, entries, actor, now) -> Rotated
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet

from fleet.models import Entry, EntryKey
from fleet.protocol.keys import MAX_GENERATION, key_text, new_key
from fleet.services.entry_keys import ROTATION_HOURS, valid_keys
from fleet.services.portal_state import make_due, mark_configuration_due
from policies.services import Differs, record_changes

_AT_ONCE = 500  # rows a query


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many entries got another key, and why the others did not."""

    made: int
    never_linked: int  # nobody would be shown the new key, and no device would find it
    under_way: int  # to the device, or no key is left to be made


def rotate_keys(*, entries: QuerySet[Entry], actor: str, now: datetime) -> Rotated:
    """Make another key for each entry whose device is linked, all or none.

    The device takes it over by itself; the old one stays good for ROTATION_HOURS.
    """
    chosen = entries.order_by().values("pk")
    with transaction.atomic():
        list(Entry.objects.select_for_update().filter(pk__in=chosen).only("pk").order_by("pk"))
        found = list(_read(chosen, now=now))
        linked = [one for one in found if one.is_linked]
        free = [one for one in linked if one.good < 2 and one.newest < MAX_GENERATION]
        _write(free, now=now)
        told = [
            Differs(f"entry {one.entry.nickname}", {}, {"generation": one.newest + 1,
                    "hours": ROTATION_HOURS})
            for one in free
        ]  # fmt: skip
        record_changes(actor=actor, verb="rotate key", changes=told, now=now)
    return Rotated(len(free), len(found) - len(linked), len(linked) - len(free))


@dataclass(frozen=True, slots=True)
class _Keyed:
    entry: Entry
    is_linked: bool
    good: int
    newest: int  # generation; 0 for none


def _read(chosen: QuerySet[Entry, Any], *, now: datetime) -> Iterator[_Keyed]:
    good = Count("keys", filter=Q(keys__retires_at=None) | Q(keys__retires_at__gt=now))
    rows = Entry.objects.filter(pk__in=chosen).only("nickname").order_by("pk")
    for row in rows.annotate(good=good, newest=Max("keys__generation"), linked=Max("status__id")):
        yield _Keyed(row, row.linked is not None, row.good, row.newest or 0)


def _write(rows: Sequence[_Keyed], *, now: datetime) -> None:
    until = now + timedelta(hours=ROTATION_HOURS)
    for first in range(0, len(rows), _AT_ONCE):
        some = rows[first : first + _AT_ONCE]
        pks = [one.entry.pk for one in some]
        held = valid_keys(now=now).filter(entry__in=pks)
        held.filter(Q(retires_at=None) | Q(retires_at__gt=until)).order_by().update(
            retires_at=until
        )
        EntryKey.objects.bulk_create(_made(one, now=now) for one in some)
        make_due(Entry.objects.filter(pk__in=pks), now=now)
    if rows:
        mark_configuration_due()


def _made(one: _Keyed, *, now: datetime) -> EntryKey:
    key = new_key(generation=one.newest + 1)
    return EntryKey(entry=one.entry, generation=key.generation, text=key_text(key), created_at=now)
