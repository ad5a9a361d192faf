"""group list, create, add, remove, delete: groups of devices and their people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from devices import services
from devices.models import DeviceGroup
from tsadmin.commands.finding import find_device
from tsadmin.commands.tokens import find_user
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_hint, print_json, print_line, print_table
from tsadmin.site import actor

COLUMNS = ("Group", "Devices", "People", "Note")


def list_groups(*, as_json: bool) -> None:
    """Print the groups."""
    rows = list(DeviceGroup.objects.prefetch_related("devices", "people").order_by("name"))
    if as_json:
        print_json({"groups": [_row_json(group) for group in rows]})
    elif rows:
        print_table(COLUMNS, [_row(group) for group in rows])
    else:
        print_hint("No groups yet: everybody sees all devices. See 'tsadmin group create --help'.")


def create_group(*, name: str, note: str, now: datetime, as_json: bool) -> None:
    """Make an empty group."""
    group = services.create_group(name=name, note=note, actor=actor(), now=now)
    _tell(group, f"Made the group {group.name}.", as_json=as_json)


def change_members(
    *,
    name: str,
    devices: Sequence[str],
    users: Sequence[str],
    add: bool,
    now: datetime,
    as_json: bool,
) -> None:
    """Put devices and people into a group, or take them out, all or nothing."""
    if not devices and not users:
        raise Misused("name a device with --device or a person with --user")
    group = find_group(name)
    found = [find_device(one) for one in devices]
    people = [find_user(one) for one in users]
    with transaction.atomic():
        for device in found:
            if not add and device.group_id != group.pk:
                raise Refused(f"{device.nickname} is not in the group {group.name}")
            services.assign_group(
                device=device, group=group if add else None, actor=actor(), now=now
            )
        if people:
            services.change_people(
                group=group, add=people if add else (), remove=() if add else people,
                actor=actor(), now=now,
            )  # fmt: skip
    members = f"devices: {group.devices.count()}, people: {group.people.count()}"
    _tell(group, f"{group.name} has {members}.", as_json=as_json)


def delete_group(*, name: str, now: datetime, as_json: bool) -> None:
    """Delete an empty group."""
    group = find_group(name)
    services.delete_group(group=group, actor=actor(), now=now)
    if as_json:
        print_json({"deleted": name})
    else:
        print_line(f"Deleted the group {name}.", tone="success")


def find_group(name: str) -> DeviceGroup:
    """Return the group of this name; raises Refused."""
    group = DeviceGroup.objects.filter(name=name).first()
    if group is None:
        raise Refused(f"there is no group {name}; see 'tsadmin group list'")
    return group


def _tell(group: DeviceGroup, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_row_json(group))
    else:
        print_line(sentence, tone="success")


def _row(group: DeviceGroup) -> tuple[str, ...]:
    told = _row_json(group)
    return (
        group.name, ", ".join(map(str, told["devices"])), ", ".join(map(str, told["people"])),
        group.note,
    )  # fmt: skip


def _row_json(group: DeviceGroup) -> dict[str, list[str] | str]:
    return {
        "group": group.name,
        "devices": sorted(device.nickname for device in group.devices.all()),
        "people": sorted(user.get_username() for user in group.people.all()),
        "note": group.note,
    }
