"""fleet inherited: what the entries of a group inherit."""

from __future__ import annotations

from datetime import datetime

from devices.models import DeviceGroup
from fleet.models import Entry, GroupSettings
from fleet.services.groups import set_group_settings
from fleet.services.steering import told
from fleet.tasks import nudge
from policies.words import said
from tsadmin.commands.device_groups import find_group
from tsadmin.commands.steering import Wanted
from tsadmin.screen import print_facts, print_hint, print_json, print_line
from tsadmin.site import actor
from tsadmin.words import counted


def inherited(*, group: str, wanted: Wanted, now: datetime, as_json: bool) -> None:
    """Print what a group lays down, after changing it where flags say so."""
    found = find_group(group)
    if not wanted.is_nothing:
        change = wanted.change()
        set_group_settings(
            group=found, settings=change.settings, policy=change.policy, actor=actor(), now=now
        )
        nudge()
    facts = _facts(found)
    number = Entry.objects.filter(group=found).count()
    if as_json:
        print_json({"group": found.name, "entries": number, "inherited": facts})
        return
    if not wanted.is_nothing:
        entries = counted(number, "entry", "entries")
        print_line(f"Changed what {entries} of {found.name} inherit.", tone="success")
    if facts:
        print_facts([(name, said(value)) for name, value in facts.items()])
    else:
        print_hint(f"The entries of {found.name} inherit nothing.")


def _facts(group: DeviceGroup) -> dict[str, object]:
    row = GroupSettings.objects.filter(group=group).select_related("policy").first()
    return {} if row is None else {k: v for k, v in told(row).items() if v is not None}
