"""What is in force for a device entry: its own settings, then its group's, then the defaults.

What nobody set is not laid down: the device has the default when it is new, else what it had.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from devices.kinds import KINDS
from devices.kinds.base import Setting
from devices.services.own_policy import LIST_SETTINGS
from fleet.models import Entry, GroupSettings
from fleet.models.entry import Steering
from fleet.protocol.base import Value
from policies.models import Policy

DEFAULT, OWN = "default", "entry"
NOT_LAID_DOWN = "default, not laid down"
# Settings that say who a device is, or are chosen where it stands: no portal lays them down.
LOCAL = ("device_id", "node", "note")
# Settings of one device, which a group has no use for.
PERSONAL = ("management_ip", "public_ip", "domain_name")


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """One setting of a device, and who says so."""

    name: str
    value: Value  # of a secret "set" or ""
    origin: str  # "default", "group NAME" or "entry"
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Effective:
    """All that is laid down for a device."""

    settings: tuple[EffectiveSetting, ...]  # without its lists where it follows a policy
    policy: Policy | None  # None: its lists are settings
    policy_origin: str
    not_of_kind: tuple[str, ...]  # what its group says and its kind has no use for

    @property
    def values(self) -> dict[str, Value]:
        """The settings that are no secrets."""
        return {one.name: one.value for one in self.settings if not one.is_secret}

    @property
    def laid_down(self) -> dict[str, Value]:
        """Those of them that somebody set; who names a block list says the other lists as well."""
        lists = () if self.policy_origin == DEFAULT else LIST_SETTINGS
        said = {one.name for one in self.settings if one.origin != DEFAULT}
        return {name: one for name, one in self.values.items() if name in said or name in lists}

    def said_by(self, one: EffectiveSetting) -> str:
        """Return who says what a setting is, for people."""
        is_said = one.origin != DEFAULT or one.name in self.laid_down
        return one.origin if is_said else NOT_LAID_DOWN


@dataclass(frozen=True, slots=True)
class _Layer:
    origin: str
    settings: Mapping[str, Value]
    secrets: Mapping[str, str]
    policy: Policy | None

    @property
    def decides(self) -> bool:
        """Whether it says which lists a device takes: by a policy, or by a name."""
        return self.policy is not None or "block_list" in self.settings


def inherited_by(entry: Entry) -> GroupSettings | None:
    """Return what the entry's group lays down; read `group__fleet_settings` along for a list."""
    if entry.group is None:
        return None
    return getattr(entry.group, "fleet_settings", None)


def effective_of(entry: Entry, inherited: GroupSettings | None) -> Effective:
    """Return what is in force for `entry` where its group lays down `inherited`.

    Raises DecryptionFailed where a secret cannot be read.
    """
    layers, defaults = _layers(entry, inherited), _defaults(entry.kind)
    decisive = next((layer for layer in layers if layer.decides), None)
    policy = decisive.policy if decisive else None
    laid_down = [
        _setting(setting, layers, defaults[setting.name])
        for setting in steered(entry.kind)
        if policy is None or setting.name not in LIST_SETTINGS
    ]
    of_group = {**inherited.settings, **secrets_in(inherited)} if inherited else {}
    return Effective(
        settings=tuple(laid_down),
        policy=policy,
        policy_origin=decisive.origin if decisive else DEFAULT,
        not_of_kind=tuple(sorted(set(of_group) - set(defaults))),
    )


def secrets_of(entry: Entry, inherited: GroupSettings | None) -> dict[str, str]:
    """Return the secret settings that somebody set, in the clear. Raises DecryptionFailed."""
    held = {**secrets_in(inherited), **secrets_in(entry)}
    names = (setting.name for setting in steered(entry.kind) if setting.is_secret)
    return {name: held[name] for name in names if name in held}


def secrets_in(steering: Steering | None) -> dict[str, str]:
    """Return the secrets that one row holds. Raises DecryptionFailed."""
    text = steering.secrets if steering else ""
    return dict(json.loads(text)) if text else {}


@cache
def steered(kind: str) -> tuple[Setting, ...]:
    """Return the settings of a kind that a portal lays down."""
    return tuple(setting for setting in KINDS[kind].settings if setting.name not in LOCAL)


@cache
def _defaults(kind: str) -> Mapping[str, Value]:
    return {s.name: None if s.is_required else _value(s.clean(s.default)) for s in steered(kind)}


def _layers(entry: Entry, inherited: GroupSettings | None) -> list[_Layer]:
    """Return who lays something down, the nearest first."""
    layers = [_layer(OWN, entry)]
    if inherited is not None and entry.group is not None:
        layers.append(_layer(f"group {entry.group.name}", inherited))
    return layers


def _layer(origin: str, row: Steering) -> _Layer:
    settings = {name: _value(value) for name, value in row.settings.items()}
    return _Layer(origin, settings, secrets_in(row), row.policy)


def _setting(setting: Setting, layers: list[_Layer], default: Value) -> EffectiveSetting:
    name = setting.name
    for layer in layers:
        if name in layer.secrets:
            told = "set" if layer.secrets[name] else ""
            return EffectiveSetting(name, told, layer.origin, is_secret=True)
        if name in layer.settings:
            return EffectiveSetting(name, layer.settings[name], layer.origin)
    return EffectiveSetting(name, default, DEFAULT, is_secret=setting.is_secret)


def _value(stored: object) -> Value:
    """Return a value as it goes over the wire: JSON and the kinds have lists."""
    if isinstance(stored, list | tuple):
        return tuple(str(item) for item in stored)
    if stored is None or isinstance(stored, bool | int | str):
        return stored
    raise TypeError(f"no setting is a {type(stored).__name__}")
