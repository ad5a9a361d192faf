"""Device keys: the first one, one that takes the place of another, and one that is good no more."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max, Q, QuerySet

from fleet.models import Entry, EntryKey
from fleet.protocol.keys import MAX_GENERATION, key_text, new_key
from fleet.services.portal_state import make_due, mark_configuration_due
from policies.fields import DecryptionFailed
from policies.services import Refused, record_change

# How long the old key is good beside the new one: a device may be switched off for a weekend.
ROTATION_HOURS = 7 * 24
MOST_HOURS = 365 * 24


class KeysRevoked(Refused):
    """No key of the entry is good, and none is made by itself."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was made, as an administrator types it; it is shown this once."""

    key: EntryKey
    text: str = field(repr=False)


def valid_keys(*, now: datetime) -> QuerySet[EntryKey]:
    """Return the keys that are good at `now`, by entry, the oldest first."""
    good = EntryKey.objects.filter(Q(retires_at=None) | Q(retires_at__gt=now))
    return good.order_by("entry_id", "generation")


def first_key(entry: Entry, *, now: datetime) -> str:
    """Make the key of a new entry, and return its text."""
    return _make(entry, now=now).text


def usable_key(entry: Entry, *, actor: str, now: datetime) -> str:
    """Return the text of the newest good key; another one is made where none can be read.

    Raises KeysRevoked where none is good: that was a person's decision.
    """
    newest = valid_keys(now=now).filter(entry=entry).last()
    if newest is None:
        raise KeysRevoked(
            f"no device key of {entry.nickname} is good any more: a person at the portal gives it "
            f"another one, or removes the entry",
            setting="nickname",
        )
    try:
        return newest.text
    except DecryptionFailed:
        pass
    return rotate_key(entry=entry, hours=0, actor=actor, now=now).text


def rotate_key(*, entry: Entry, hours: int = ROTATION_HOURS, actor: str, now: datetime) -> NewKey:
    """Make a key that takes the place of those at hand, which stay good for `hours`.

    A linked device finds it in its settings, sealed with the one it has, and takes it over by
    itself. With 0 hours only who is told it can link again. Raises Refused.
    """
    if not 0 <= hours <= MOST_HOURS:
        raise Refused(f"hours is a number from 0 to {MOST_HOURS}", setting="hours")
    with transaction.atomic():
        _refuse_early(entry, now=now)
        until = now + timedelta(hours=hours)
        held = valid_keys(now=now).filter(entry=entry)
        held.filter(Q(retires_at=None) | Q(retires_at__gt=until)).order_by().update(
            retires_at=until
        )
        made = _make(entry, now=now)
        _changed(entry, now=now)
        record_change(
            actor=actor, verb="rotate key", subject=f"entry {entry.nickname}", now=now,
            after={"generation": made.key.generation, "hours": hours},
        )  # fmt: skip
    return made


def revoke_key(*, entry: Entry, generation: int, actor: str, now: datetime) -> None:
    """Have one key be good no more from the next publish on.

    Without any other one the device is cut off until it is told a new one. Raises Refused for a
    key that is not good any more.
    """
    with transaction.atomic():
        held = valid_keys(now=now).filter(entry=entry, generation=generation)
        if held.order_by().update(retires_at=now) != 1:
            raise Refused(
                f"{entry.nickname} has no key {generation} that is good", setting="generation"
            )
        _changed(entry, now=now)
        record_change(
            actor=actor, verb="revoke key", subject=f"entry {entry.nickname}", now=now,
            after={"generation": generation},
        )  # fmt: skip


def _refuse_early(entry: Entry, *, now: datetime) -> None:
    """Refuse a third key: the device would have to take over two, and finds one."""
    if valid_keys(now=now).filter(entry=entry).count() > 1:
        raise Refused(
            f"a new key is under way to {entry.nickname} already; revoke the old one first, or "
            f"wait until it is retired",
            setting="hours",
        )


def _make(entry: Entry, *, now: datetime) -> NewKey:
    # No generation comes again, not even after the rows of old keys are gone.
    newest = EntryKey.objects.filter(entry=entry).aggregate(newest=Max("generation"))["newest"]
    generation = (newest or 0) + 1
    if generation > MAX_GENERATION:
        raise Refused(f"{entry.nickname} had {MAX_GENERATION} keys; make a new entry for it")
    text = key_text(new_key(generation=generation))
    row = EntryKey.objects.create(entry=entry, generation=generation, text=text, created_at=now)
    return NewKey(row, text)


def _changed(entry: Entry, *, now: datetime) -> None:
    make_due(Entry.objects.filter(pk=entry.pk), now=now)
    mark_configuration_due()
    entry.due_at = now
