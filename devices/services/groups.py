"""Put devices into groups, and say whom each group is for; everything is recorded."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from devices.models import Device, DeviceGroup
from devices.reports.visible import is_limited
from policies.services import record_change
from policies.visible import Person, visible

LONGEST_NAME = 64


class GroupRefused(ValueError):
    """A group cannot be made, changed or chosen this way; the message says why and what to do."""


def create_group(*, name: str, note: str = "", actor: str, now: datetime) -> DeviceGroup:
    """Make a group with no devices and no people. Raises GroupRefused."""
    name = _clean(name)
    try:
        with transaction.atomic():
            group = DeviceGroup.objects.create(name=name, note=note)
            record_change(
                actor=actor, verb="add", subject=subject_of(group), now=now,
                after={"note": note},
            )  # fmt: skip
    except IntegrityError as error:
        raise GroupRefused(f"a group named {name} exists; choose another name") from error
    return group


def change_group(
    *,
    group: DeviceGroup,
    name: str | None = None,
    note: str | None = None,
    people: Iterable[User] | None = None,
    actor: str,
    now: datetime,
) -> DeviceGroup:
    """Change what is given; `people` are all that see its devices from now on.

    Who is left in no group sees all devices again. Raises GroupRefused.
    """
    wanted = _clean(name) if name is not None else group.name
    try:
        with transaction.atomic():
            _lock(group)
            before, subject = _facts(group), subject_of(group)
            group.name, group.note = wanted, group.note if note is None else note
            group.save(update_fields=["name", "note"])
            if people is not None:
                group.people.set(people)
            record_change(
                actor=actor, verb="change", subject=subject, now=now,
                before=before, after=_facts(group),
            )  # fmt: skip
    except IntegrityError as error:
        raise GroupRefused(f"a group named {wanted} exists; choose another name") from error
    return group


def change_people(
    *,
    group: DeviceGroup,
    add: Iterable[User] = (),
    remove: Iterable[User] = (),
    actor: str,
    now: datetime,
) -> DeviceGroup:
    """Have some people see the group's devices, and some not any more; the others stay."""
    with transaction.atomic():
        _lock(group)
        before = _facts(group)
        group.people.add(*add)
        group.people.remove(*remove)
        record_change(
            actor=actor, verb="change", subject=subject_of(group), now=now,
            before=before, after=_facts(group),
        )  # fmt: skip
    return group


def delete_group(*, group: DeviceGroup, actor: str, now: datetime) -> None:
    """Delete a group that is empty.

    Raises GroupRefused where it has devices, or people: who is in no group sees all devices, so
    nobody may come to see more by the way.
    """
    with transaction.atomic():
        _lock(group)
        for what, number in (("devices", group.devices.count()), ("people", group.people.count())):
            if number:
                raise GroupRefused(
                    f"the group {group.name} has {number} {what}; put them elsewhere first"
                )
        before, subject = _facts(group), subject_of(group)
        try:
            group.delete()
        except ProtectedError as error:  # by what apps above put into groups, too
            held = ", ".join(sorted(str(row) for row in error.protected_objects)[:5])
            raise GroupRefused(
                f"the group {group.name} is that of {held}; put them elsewhere first"
            ) from error
        record_change(actor=actor, verb="delete", subject=subject, now=now, before=before)


def assign_group(*, device: Device, group: DeviceGroup | None, actor: str, now: datetime) -> Device:
    """Put a device into a group, or with None into none: then only who sees all sees it."""
    if device.group_id == (group.pk if group else None):
        return device
    before = device.group.name if device.group else None
    with transaction.atomic():
        device.group = group
        device.save(update_fields=["group"])
        record_change(
            actor=actor, verb="group", subject=f"device {device.nickname}", now=now,
            before={"group": before}, after={"group": group.name if group else None},
        )  # fmt: skip
    return device


def group_for(user: Person, chosen: DeviceGroup | None) -> DeviceGroup | None:
    """Return the group that a device of this person's goes into: the chosen one, or his only one.

    Raises GroupRefused where he would not see the device afterwards.
    """
    if chosen is not None or not is_limited(user):
        return chosen
    mine = list(visible(DeviceGroup.objects.all(), user)[:2])
    if len(mine) == 1:
        return mine[0]
    raise GroupRefused("choose one of your groups; without one you would not see the device")


def subject_of(group: DeviceGroup) -> str:
    """Return how the record names a group."""
    return f"device group {group.name}"


def _clean(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise GroupRefused(f"a group's name has 1 to {LONGEST_NAME} characters")
    return name


def _lock(group: DeviceGroup) -> None:
    """Have others who change the group wait: two at once would undo one another."""
    DeviceGroup.objects.select_for_update().filter(pk=group.pk).order_by("pk").first()


def _facts(group: DeviceGroup) -> dict[str, object]:
    names = group.people.order_by("username").values_list("username", flat=True)
    return {"name": group.name, "note": group.note, "people": list(names)}
