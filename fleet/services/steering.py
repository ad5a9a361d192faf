"""What is laid down for a device or for a group: held to the rules of the kinds, and told."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from devices.kinds.base import Setting, SettingRefused
from devices.services.own_policy import LIST_SETTINGS
from fleet.models.entry import Steering
from fleet.reports.effective import LOCAL, PERSONAL, secrets_in, steered
from policies.models import Policy
from policies.services import Refused


class Unset(Enum):
    """That something is not given; None means something else."""

    UNSET = "unset"


UNSET = Unset.UNSET


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed of what is laid down; everything else stays as it is."""

    # Text or values, by the names of the kind; None: inherited from now on.
    settings: Mapping[str, object] = field(default_factory=dict)
    policy: Policy | Unset | None = UNSET  # None: inherited from now on


def steer(row: Steering, change: Change, *, kinds: Collection[str]) -> None:
    """Set what `change` says on `row`, which is not saved; `kinds` are those that it is for.

    Raises SettingRefused and Refused; then nothing was set.
    """
    secret = {setting.name for kind in kinds for setting in steered(kind) if setting.is_secret}
    settings, secrets = dict(row.settings), secrets_in(row)
    for name, value in cleaned(change.settings, kinds=kinds).items():
        held: dict[str, Any] = secrets if name in secret else settings
        held.pop(name, None)
        if change.settings[name] is not None:
            held[name] = value
    policy = row.policy if isinstance(change.policy, Unset) else change.policy
    _refuse_both(policy, settings)
    refuse_private(policy)
    row.settings, row.policy = settings, policy
    row.secrets = json.dumps(secrets, sort_keys=True) if secrets else ""


def told(row: Steering) -> dict[str, object]:
    """Return what is laid down as the record tells it: no secrets."""
    masked = {name: "set" if text else "" for name, text in secrets_in(row).items()}
    policy = row.policy.name if row.policy else None
    return {**row.settings, **masked, "policy": policy}


def cleaned(settings: Mapping[str, object], *, kinds: Collection[str]) -> dict[str, object]:
    """Return settings as they are stored; None stays None. Raises SettingRefused."""
    known = {setting.name: setting for kind in kinds for setting in steered(kind)}
    found = {name: _setting(name, known) for name in settings}
    return {
        name: None if value is None else found[name].clean(value)
        for name, value in settings.items()
    }


def _setting(name: str, known: Mapping[str, Setting]) -> Setting:
    if name in LOCAL:
        raise SettingRefused(name, "", "the device itself: no portal lays it down")
    if name not in known:
        raise SettingRefused(name, "", f"one of {', '.join(known)}")
    return known[name]


def refuse_personal(settings: Mapping[str, object]) -> None:
    """Refuse settings of one device for a whole group. Raises SettingRefused."""
    for name in PERSONAL:
        if name in settings:
            raise SettingRefused(name, settings[name], "the entry of each device: it is its own")


def _refuse_both(policy: Policy | None, settings: Mapping[str, object]) -> None:
    named = [name for name in LIST_SETTINGS if name in settings]
    if policy is not None and named:
        raise Refused(
            f"{named[0]} and a policy to follow exclude each other: release {', '.join(named)}, "
            f"or let it follow no policy",
            setting=named[0],
        )


def refuse_private(policy: Policy | None) -> None:
    """Refuse a device's own policy: it comes and goes with that device. Raises Refused."""
    if policy is not None and policy.is_private:
        raise Refused(
            f"policy {policy.name} is made from the lists of the device {policy.name}; make a "
            f"policy of its sources to publish them",
            setting="policy",
        )
