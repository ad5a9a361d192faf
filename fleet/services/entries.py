"""Device entries: what a portal lays down for each device that links to it.

    add_entry(*, newcomer, actor, now) -> NewEntry
    register_entry(*, newcomer, registration, actor, now) -> NewEntry
    configure_entry(*, entry, change, about={}, actor, now) -> Entry
    move_entry(*, entry, group, actor, now) -> Entry
    remove_entry(*, entry, actor, now) -> None

What is written leaves the entry due; the next publish brings it to the primary. All raise
SettingRefused and Refused; then nothing was changed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import IntegrityError, transaction

from devices.kinds import KINDS, rules
from devices.kinds.base import SettingRefused
from devices.models import DeviceGroup
from fleet.models import Entry
from fleet.reports.effective import Effective, effective_of, inherited_by
from fleet.services.entry_keys import first_key, usable_key
from fleet.services.portal_state import make_due, mark_configuration_due
from fleet.services.steering import Change, steer, told
from policies.models import Policy
from policies.services import Refused, record_change
from policies.services.rows import check_columns

ABOUT = ("nickname", "manufacturer", "model", "note")
LONGEST_NOTE = 2000
REGISTRATION_LEAST, REGISTRATION_MOST = 16, 200  # characters
_COLUMNS = (*ABOUT, "policy", "settings", "secrets")


class Taken(Refused):
    """The name belongs to another entry."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """An entry to be."""

    nickname: str
    kind: str
    settings: Mapping[str, object] = field(default_factory=dict)
    policy: Policy | None = None
    group: DeviceGroup | None = None
    manufacturer: str = ""
    model: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry and its device key, which is shown this once."""

    entry: Entry
    key_text: str = field(repr=False)
    is_new: bool = True


def add_entry(
    *, newcomer: Newcomer, actor: str, now: datetime, registration_digest: str = ""
) -> NewEntry:
    """Make an entry with an ID and a key of its own. Raises Taken where the name is."""
    name = rules.nickname("nickname", newcomer.nickname)
    if newcomer.kind not in KINDS:
        raise Refused(
            f"type {newcomer.kind!r} is not known; known are {', '.join(KINDS)}", setting="kind"
        )
    entry = Entry(
        nickname=name, device_id=_new_id(), kind=newcomer.kind, group=newcomer.group,
        manufacturer=newcomer.manufacturer, model=newcomer.model, note=newcomer.note,
        created_at=now, registration_digest=registration_digest,
    )  # fmt: skip
    steer(entry, Change(newcomer.settings, policy=newcomer.policy), kinds=[newcomer.kind])
    _check(entry)
    if Entry.objects.filter(nickname=name).exists():
        raise _taken(name)
    try:
        with transaction.atomic():
            entry.due_at = now
            entry.save(force_insert=True)
            key_text = first_key(entry, now=now)
            mark_configuration_due()
            record_change(
                actor=actor, verb="add", subject=subject_of(entry), now=now, after=_facts(entry)
            )
    except IntegrityError as error:  # somebody else took the name meanwhile
        raise _taken(name) from error
    return NewEntry(entry, key_text)


def register_entry(*, newcomer: Newcomer, registration: str, actor: str, now: datetime) -> NewEntry:
    """Make the entry of a machine that registers itself, or return the one that it has.

    `registration` is a random secret that the machine alone knows and sends every time: with
    another one the name is Taken.
    """
    if not REGISTRATION_LEAST <= len(registration) <= REGISTRATION_MOST:
        raise Refused(
            f"registration has {REGISTRATION_LEAST} to {REGISTRATION_MOST} random characters",
            setting="registration",
        )
    digest = hashlib.sha256(registration.encode()).hexdigest()
    held = Entry.objects.filter(nickname=newcomer.nickname).first()
    if held is None:
        try:
            return add_entry(newcomer=newcomer, actor=actor, now=now, registration_digest=digest)
        except Taken:  # it asked twice at the same time
            held = Entry.objects.filter(nickname=newcomer.nickname).first()
    known = held.registration_digest if held else ""
    if held is None or held.kind != newcomer.kind or not hmac.compare_digest(known, digest):
        raise _taken(newcomer.nickname)
    return NewEntry(held, usable_key(held, actor=actor, now=now), is_new=False)


def configure_entry(
    *,
    entry: Entry,
    change: Change,
    about: Mapping[str, str] | None = None,
    actor: str,
    now: datetime,
) -> Entry:
    """Change what is laid down for one device, and what is noted of it (ABOUT)."""
    with transaction.atomic():
        lock(entry)
        before, subject, held = _facts(entry), subject_of(entry), _columns(entry)
        _describe(entry, about or {})
        steer(entry, change, kinds=[entry.kind])
        _check(entry)
        if _columns(entry) == held:
            return entry
        entry.due_at = now
        try:
            with transaction.atomic():
                entry.save(update_fields=[*_COLUMNS, "due_at"])
        except IntegrityError as error:
            raise _taken(entry.nickname) from error
        record_change(
            actor=actor, verb="configure", subject=subject, now=now,
            before=before, after=_facts(entry),
        )  # fmt: skip
    return entry


def move_entry(*, entry: Entry, group: DeviceGroup | None, actor: str, now: datetime) -> Entry:
    """Put an entry into a group, whose settings it inherits from then on, or into none."""
    with transaction.atomic():
        lock(entry)
        before = _facts(entry)
        if entry.group_id == (group.pk if group else None):
            return entry
        entry.group = group
        entry.due_at = now
        entry.save(update_fields=["group", "due_at"])
        record_change(
            actor=actor, verb="group", subject=subject_of(entry), now=now,
            before=before, after=_facts(entry),
        )  # fmt: skip
    return entry


def remove_entry(*, entry: Entry, actor: str, now: datetime) -> None:
    """Remove an entry, its keys and what the device said; its zone goes with the next publish.

    The device keeps the settings it has, and is told that there is no such entry.
    """
    with transaction.atomic():
        before, subject = _facts(entry), subject_of(entry)
        entry.delete()
        mark_configuration_due()
        record_change(actor=actor, verb="remove", subject=subject, now=now, before=before)


def publish_again(*, entry: Entry, actor: str, now: datetime) -> None:
    """Have an entry's zone written anew, whatever is thought to be in it."""
    with transaction.atomic():
        make_due(Entry.objects.filter(pk=entry.pk), now=now, anew=True)
        record_change(actor=actor, verb="publish", subject=subject_of(entry), now=now)


def subject_of(entry: Entry) -> str:
    """Return how the record and alarms name an entry."""
    return f"entry {entry.nickname}"


def lock(entry: Entry) -> None:
    """Have others who change the entry wait, and read what they left."""
    Entry.objects.select_for_update().filter(pk=entry.pk).order_by("pk").first()
    entry.refresh_from_db()


def _describe(entry: Entry, about: Mapping[str, str]) -> None:
    for name, text in about.items():
        if name not in ABOUT:
            raise Refused(f"{name} cannot be set; these can: {', '.join(ABOUT)}", setting=name)
        setattr(entry, name, text)
    entry.nickname = rules.nickname("nickname", entry.nickname)


def _check(entry: Entry) -> None:
    """Hold an entry to what its device cannot do without."""
    check_columns(entry, ["manufacturer", "model"])
    if len(entry.note) > LONGEST_NOTE:
        raise Refused(f"a note has up to {LONGEST_NOTE} characters", setting="note")
    refuse_missing(entry, effective_of(entry, inherited_by(entry)))


def refuse_missing(entry: Entry, effective: Effective) -> None:
    """Refuse what would leave a device without a setting that its kind cannot do without."""
    required = {setting.name for setting in KINDS[entry.kind].settings if setting.is_required}
    for setting in effective.settings:
        if setting.name in required and setting.value is None:
            raise SettingRefused(setting.name, "", "a value; it is required")


def _columns(entry: Entry) -> list[object]:
    return [getattr(entry, name) for name in _COLUMNS]


def _facts(entry: Entry) -> dict[str, object]:
    """Return what the record tells of an entry; no secrets."""
    about = {name: getattr(entry, name) for name in ABOUT}
    group = entry.group.name if entry.group else None
    ids = {"device_id": entry.device_id, "kind": entry.kind}
    return {**told(entry), **about, **ids, "group": group}


def _new_id() -> str:
    """Return an ID that no entry has; another one that takes it meanwhile is refused on saving."""
    while True:
        made = f"tdid_{secrets.token_hex(4)}"
        if not Entry.objects.filter(device_id=made).exists():
            return made


def _taken(nickname: str) -> Taken:
    return Taken(f"a device entry named {nickname} exists; choose another name", setting="nickname")
