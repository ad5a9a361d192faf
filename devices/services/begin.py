"""Begin with a device: it follows a policy, a public list to start with, or lists by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from devices.models import Device, DeviceGroup
from devices.services.groups import assign_group
from devices.services.manage import add_device
from policies.models import Policy
from policies.presets import Preset
from policies.services import create_policy
from policies.services.add_preset import add_preset, source_of


def begin_device(
    *,
    kind: str,
    nickname: str,
    settings: Mapping[str, object],
    follows: Policy | Preset | None = None,
    group: DeviceGroup | None = None,
    actor: str,
    now: datetime,
) -> Device:
    """Add a device that follows a policy, that of one preset, or its own from list names.

    It goes into `group`. The policy of a preset is made where there is none. Raises SettingRefused,
    DeviceRefused and Refused; then nothing was added.
    """
    with transaction.atomic():
        policy = (
            _policy_of(follows, actor=actor, now=now) if isinstance(follows, Preset) else follows
        )
        device = add_device(
            kind=kind, nickname=nickname, settings=settings, policy=policy, actor=actor, now=now
        )
        return assign_group(device=device, group=group, actor=actor, now=now)


def _policy_of(preset: Preset, *, actor: str, now: datetime) -> Policy:
    """Return the policy that bears the key of a preset and takes its list, made if need be."""
    source = source_of(preset)
    if source is not None:
        held = Policy.objects.filter(name=preset.key, sources=source).first()
        if held is not None:
            return held
    made = create_policy(name=preset.key, members=[], actor=actor, now=now)
    add_preset(preset=preset, policy=made, actor=actor, now=now)
    return made
