"""What the device entries of a group inherit.

    set_group_settings(*, group, settings, policy=UNSET, actor, now) -> GroupSettings

Settings are those that are to change, by name: None for one that is inherited no more. Raises
SettingRefused and Refused; then nothing was changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from devices.kinds import KINDS
from devices.models import DeviceGroup
from devices.services.groups import subject_of
from fleet.models import Entry, GroupSettings
from fleet.services.portal_state import make_due
from fleet.services.steering import (
    UNSET,
    Change,
    Unset,
    cleaned,
    refuse_personal,
    steer,
    told,
)
from policies.models import Policy
from policies.services import record_change


def checked_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """Return settings for a group as they are stored, None for those to be inherited no more.

    Raises SettingRefused.
    """
    refuse_personal(settings)
    return cleaned(settings, kinds=KINDS)


def set_group_settings(
    *,
    group: DeviceGroup,
    settings: Mapping[str, object],
    policy: Policy | Unset | None = UNSET,
    actor: str,
    now: datetime,
) -> GroupSettings:
    """Change what the entries of a group inherit; all of them are due, of whatever kind.

    Where `policy` is None they follow none that the group names. An entry whose kind does not have
    a setting does without it.
    """
    refuse_personal(settings)
    with transaction.atomic():
        DeviceGroup.objects.select_for_update().filter(pk=group.pk).order_by("pk").first()
        held = GroupSettings.objects.filter(group=group).select_related("policy").first()
        row = held or GroupSettings(group=group)
        before = told(row)
        steer(row, Change(settings, policy=policy), kinds=KINDS)
        row.save()
        make_due(Entry.objects.filter(group=group), now=now)
        record_change(
            actor=actor, verb="lay down", subject=subject_of(group), now=now,
            before=before, after=told(row),
        )  # fmt: skip
    return row
