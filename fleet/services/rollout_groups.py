"""What a rollout does to groups: lays its change down for some, and puts back what was before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from devices.models import DeviceGroup
from fleet.models import GroupSettings, Rollout
from fleet.services.groups import set_group_settings
from fleet.services.steering import UNSET, Unset
from policies.models import Policy
from policies.services import Refused


def lay_down(groups: Iterable[DeviceGroup], rollout: Rollout, *, actor: str, now: datetime) -> None:
    """Lay down the change for some groups, and keep what they inherited before."""
    policy = rollout.policy or UNSET
    for group in groups:
        row = _row(group)
        # A second trial must not take for it what the first laid down, but what was set since.
        known = rollout.before.get(str(group.pk))
        rollout.before[str(group.pk)] = _before(rollout, row, known)
        set_group_settings(
            group=group, settings=rollout.settings, policy=policy, actor=actor, now=now
        )
    rollout.save(update_fields=["before"])


def set_otherwise(rollout: Rollout, group: DeviceGroup) -> list[str]:
    """Return what a group does not inherit as the rollout laid it down, by the group's name."""
    return _changed(rollout, group, _row(group))


def put_back(rollout: Rollout, *, actor: str, now: datetime) -> list[str]:
    """Put back what groups inherited before; return what others changed since, by its group."""
    stayed: list[str] = []
    groups = DeviceGroup.objects.filter(pk__in=[int(pk) for pk in rollout.before])
    for group in groups.order_by("name", "id"):
        before = rollout.before[str(group.pk)]
        row = _row(group)
        stayed += _changed(rollout, group, row)
        back = {name: before["settings"].get(name) for name in _standing(rollout, row)}
        policy: Policy | Unset | None = UNSET
        if rollout.policy_id is not None and row.policy_id == rollout.policy_id:
            policy = _policy_before(before["policy"], group)
        set_group_settings(group=group, settings=back, policy=policy, actor=actor, now=now)
    return stayed


def _row(group: DeviceGroup) -> GroupSettings:
    return GroupSettings.objects.filter(group=group).first() or GroupSettings(group=group)


def _before(
    rollout: Rollout, row: GroupSettings, known: Mapping[str, Any] | None
) -> dict[str, dict[str, object] | int | None]:
    """Return what a group inherits apart from the rollout; `known` is from an earlier trial."""
    settings = {name: _given(row, name) for name in rollout.settings}
    policy = row.policy_id
    if known is not None:
        settings |= {name: known["settings"].get(name) for name in _standing(rollout, row)}
        policy = known["policy"] if policy == rollout.policy_id else policy
    given = {name: value for name, value in settings.items() if value is not None}
    return {"settings": given, "policy": policy}


def _changed(rollout: Rollout, group: DeviceGroup, row: GroupSettings) -> list[str]:
    standing = _standing(rollout, row)
    changed = [f"{name} of {group.name}" for name in rollout.settings if name not in standing]
    if rollout.policy_id not in (None, row.policy_id):
        changed.append(f"the policy of {group.name}")
    return changed


def _standing(rollout: Rollout, row: GroupSettings) -> list[str]:
    """Return the settings that are as the rollout lays them down."""
    return [name for name, value in rollout.settings.items() if _given(row, name) == value]


def _given(row: GroupSettings, name: str) -> object:
    """Return what is laid down as it is given: "" for no value, None for nothing laid down."""
    held = row.settings.get(name)
    return "" if held is None and name in row.settings else held


def _policy_before(pk: int | None, group: DeviceGroup) -> Policy | None:
    if pk is None:
        return None
    policy = Policy.objects.filter(pk=pk).first()
    if policy is None:
        raise Refused(f"the policy that {group} followed before is gone; choose one for the group")
    return policy
