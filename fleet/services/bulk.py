"""Change many device entries at once: seen before it is done, then all of it or nothing.

    preview_bulk(*, entries, change) -> Preview
    apply_bulk(*, entries, change, digest, actor, now) -> Preview

What is applied is what was looked at: `digest` is that of the preview, and where the same change
would do anything else by now nothing is done.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from django.db import transaction
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from devices.kinds.base import SettingRefused
from devices.models import DeviceGroup
from fleet.models import Entry
from fleet.reports.effective import Effective, effective_of, inherited_by, secrets_in
from fleet.services.entries import refuse_missing, subject_of
from fleet.services.portal_state import make_due
from fleet.services.steering import UNSET, Change, Unset, steer, told
from policies.models import Policy
from policies.services import Differs, Outdated, Refused, record_changes

MOST_ENTRIES = 20_000
_WRITTEN_AT_ONCE = 500
_COLUMNS = ("settings", "secrets", "policy", "group")


@dataclass(frozen=True, slots=True)
class BulkChange:
    """What is laid down for each entry; what is not named stays."""

    steering: Change = field(default_factory=Change)
    group: DeviceGroup | Unset | None = UNSET  # None: in no group


@dataclass(frozen=True, slots=True)
class Difference:
    """What becomes of one setting of one device, or of its `policy` or `group`."""

    name: str
    before: object  # what is in force; of a secret "set" or ""
    after: object
    note: str = ""  # what changes where both are the same


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """What a change does to one entry, or why it cannot be done."""

    entry: Entry
    wanted: Entry = field(repr=False)  # as it will stand
    differences: tuple[Difference, ...] = ()
    refusal: str = ""


@dataclass(frozen=True)
class Preview:
    """What a change does to each entry that it does anything to."""

    changed: tuple[Line, ...]
    refused: tuple[Line, ...]
    unchanged: int  # entries

    @cached_property
    def digest(self) -> str:
        """What tells this preview from any other, 64 hex digits.

        Keyed: secrets are among what it is made of, and nobody may find them by guessing.
        """
        lines = (*self.changed, *self.refused)
        told = "\n".join(json.dumps(_facts(one), sort_keys=True, default=str) for one in lines)
        return salted_hmac("fleet.bulk", told, algorithm="sha256").hexdigest()


def preview_bulk(*, entries: QuerySet[Entry], change: BulkChange) -> Preview:
    """Return what `change` does to `entries`, without doing it.

    Raises Refused where nothing is to be changed, or more than MOST_ENTRIES are named.
    """
    if change == BulkChange():
        raise Refused("nothing is to be changed: name a setting, a policy or a group")
    rows = entries.select_related("policy", "group__fleet_settings__policy").order_by("id")
    found = list(rows[: MOST_ENTRIES + 1])
    if len(found) > MOST_ENTRIES:
        raise Refused(f"more than {MOST_ENTRIES:,} device entries; change fewer at once")
    lines = list(_lines(found, change))
    changed = tuple(line for line in lines if not line.refusal and _is_changed(line))
    refused = tuple(line for line in lines if line.refusal)
    return Preview(changed, refused, unchanged=len(lines) - len(changed) - len(refused))


def apply_bulk(
    *, entries: QuerySet[Entry], change: BulkChange, digest: str, actor: str, now: datetime
) -> Preview:
    """Do what was previewed, to all entries or to none; their settings are due at once.

    Raises Outdated where it is no longer what the preview with this digest said, and Refused where
    an entry does not take it.
    """
    with transaction.atomic():
        list(entries.select_for_update(of=("self",)).only("pk").order_by("id"))
        preview = preview_bulk(entries=entries, change=change)
        if preview.digest != digest:
            raise Outdated("by now this would do something else; look at what it does again")
        if preview.refused:
            raise Refused(_why_refused(preview))
        _write(preview, now=now)
        told = [_told(line) for line in preview.changed]
        record_changes(actor=actor, verb="configure", changes=told, now=now)
    return preview


def _lines(entries: Iterable[Entry], change: BulkChange) -> Iterator[Line]:
    for entry in entries:
        wanted = copy(entry)
        try:
            steer(wanted, change.steering, kinds=[entry.kind])
            if not isinstance(change.group, Unset):
                wanted.group = change.group
            before, after = (effective_of(one, inherited_by(one)) for one in (entry, wanted))
            refuse_missing(wanted, after)
        except (SettingRefused, Refused) as refused:
            yield Line(entry, wanted, refusal=str(refused))
        else:
            yield Line(entry, wanted, tuple(_differences(entry, before, wanted, after)))


def _differences(
    entry: Entry, before: Effective, wanted: Entry, after: Effective
) -> Iterator[Difference]:
    if entry.group_id != wanted.group_id:
        yield Difference("group", _name(entry.group), _name(wanted.group))
    if before.policy != after.policy:
        yield Difference("policy", _name(before.policy), _name(after.policy))
    elif entry.policy_id != wanted.policy_id:
        note = "its own from now on" if wanted.policy_id else "inherited from now on"
        yield Difference("policy", _name(before.policy), _name(after.policy), note)
    held = {setting.name: setting.value for setting in before.settings}
    new = {setting.name: setting.value for setting in after.settings}
    for name in dict.fromkeys((*new, *held)):
        if held.get(name) != new.get(name):
            yield Difference(name, held.get(name), new.get(name))
        elif note := _note(name, _own(entry), _own(wanted)):
            yield Difference(name, held.get(name), new.get(name), note)


def _note(name: str, before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """Return what changes of a setting though what is in force looks the same; "" for nothing."""
    if before.get(name) == after.get(name) and (name in before) == (name in after):
        return ""
    if name not in after:
        return "inherited from now on"
    return "another one" if name in before else "its own from now on"


def _own(entry: Entry) -> dict[str, object]:
    return {**entry.settings, **secrets_in(entry)}


def _is_changed(line: Line) -> bool:
    """Tell whether anything is to be written, be it one that is in force as it is by a group."""
    return bool(line.differences) or _stored(line.entry) != _stored(line.wanted)


def _stored(entry: Entry) -> list[object]:
    return [entry.settings, secrets_in(entry), entry.policy_id, entry.group_id]


def _facts(line: Line) -> list[object]:
    """Return what a digest tells of one entry: what it is, becomes and will be in force there."""
    differences = [[one.name, one.before, one.after, one.note] for one in line.differences]
    stored = [_stored(line.entry), _stored(line.wanted)]
    return [line.entry.pk, *stored, differences, line.refusal]


def _write(preview: Preview, *, now: datetime) -> None:
    wanted = [line.wanted for line in preview.changed]
    Entry.objects.bulk_update(wanted, _COLUMNS, batch_size=_WRITTEN_AT_ONCE)
    make_due(Entry.objects.filter(pk__in=[one.pk for one in wanted]), now=now)


def _told(line: Line) -> Differs:
    before, after = ({**told(one), "group": _name(one.group)} for one in (line.entry, line.wanted))
    return Differs(subject_of(line.entry), before, after)


def _name(row: Policy | DeviceGroup | None) -> str | None:
    return row.name if row is not None else None


def _why_refused(preview: Preview) -> str:
    first, number = preview.refused[0], len(preview.refused)
    others = f", and {number - 1:,} more" if number > 1 else ""
    return f"{first.entry.nickname}: {first.refusal}{others}; nothing was changed"
