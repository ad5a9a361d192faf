"""Bring what a portal lays down into force on its device; overrides stand over it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from django.conf import settings as site
from django.db import transaction

from devices.kinds import KINDS
from devices.kinds.base import Setting, SettingRefused
from devices.models import Device
from devices.services import (
    DeviceRefused,
    assign_policy,
    configure_device,
    follow_zones,
    has_own_policy,
    own_lists,
    settings_of,
)
from devices.services.own_policy import (
    BLOCK_LIST,
    LIST_SETTINGS,
    ListLimits,
    is_of_zones,
    limit_policy,
)
from devices.services.protected import protect_device
from devices.services.refused import POLICY
from fleet.models import Link
from fleet.protocol.base import PolicyPlace
from fleet.protocol.keys import read_key
from fleet.reports.effective import LOCAL
from fleet.reports.links import LaidDown, laid_down, portal_of, zones_of
from policies.models import Policy

# By name, why a setting is not in force here.
Refusals = dict[str, str]


def bring_into_force(link: Link, *, actor: str, now: datetime) -> Refusals:
    """Make the device of a link what its portal lays down; what is so already is not written.

    What this version does not know, or does not accept, stays as it was; the rest is in force.
    What the portal laid down before and does no more is at its default again, or as it was
    overridden here. Raises DecryptionFailed; then nothing was changed.
    """
    held = laid_down(link)
    with transaction.atomic():
        gone = _gone(link, held)
        _mark(link, held, now=now)
        refused = {name: _unknown(name) for name in held.unknown}
        refused |= {name: _of_here(name) for name in held.local}
        refused |= _bring_settings(link, held, gone, actor=actor, now=now)
        refused |= _bring_lists(link, held, gone, actor=actor, now=now)
    return refused


def give_limits_back(link: Link) -> None:
    """Let a device's own lists change as much at once as before they were a portal's zones."""
    limit_policy(link.device.policy, ListLimits(**link.limits))
    link.limits = {}


def acceptable(kind: str, values: Mapping[str, object]) -> tuple[dict[str, object], Refusals]:
    """Return the settings that this version takes, as they are stored, and why not the others."""
    known = {setting.name: setting for setting in KINDS[kind].settings}
    taken: dict[str, object] = {}
    refused: Refusals = {}
    for name, value in values.items():
        if name in LOCAL:
            refused[name] = _of_here(name)
            continue
        setting = known.get(name)
        if setting is None:
            refused[name] = _unknown(name)
            continue
        try:
            taken[name] = setting.clean(value)
        except SettingRefused as error:
            refused[name] = _told(setting, error)
    return taken, refused


def _mark(link: Link, held: LaidDown, *, now: datetime) -> None:
    """Write down which settings the portal lays down, so that nothing else changes them."""
    device, known = link.device, {setting.name for setting in KINDS[link.device.kind].settings}
    names = sorted(name for name in held.names if name in known or name == POLICY)
    if (device.portal, device.set_by_portal) != (link.portal, names):
        device.portal, device.set_by_portal = link.portal, names
        device.save(update_fields=["portal", "set_by_portal"])
        protect_device(device, now=now)


def _gone(link: Link, held: LaidDown) -> dict[str, object]:
    """Return the defaults of what the portal laid down before, and does no more.

    An override of such a setting is one of the device's own settings from now on.
    """
    gone = set(link.device.set_by_portal) - set(held.names)
    if not gone:
        return {}
    kept = {name for name in gone if name in held.overrides}
    if kept:
        link.overrides = {name: one for name, one in held.overrides.items() if name not in kept}
        over = {name: one for name, one in held.secret_overrides.items() if name not in kept}
        link.secret_overrides = json.dumps(over) if over else ""
    freed = gone - kept
    if POLICY in freed:
        freed |= set(LIST_SETTINGS)
    if POLICY in kept or held.says_lists:
        freed -= set(LIST_SETTINGS)
    defaults = KINDS[link.device.kind].defaults()
    return {name: defaults[name] for name in sorted(freed) if name in defaults}


def _bring_settings(
    link: Link, held: LaidDown, gone: Mapping[str, object], *, actor: str, now: datetime
) -> Refusals:
    """Change the columns that differ."""
    wanted = {**gone, **held.wanted}
    columns = {name: one for name, one in wanted.items() if name not in LIST_SETTINGS}
    taken, refused = acceptable(link.device.kind, columns)
    return refused | _configure(link, _differing(link.device, taken), actor=actor, now=now)


def _bring_lists(
    link: Link, held: LaidDown, gone: Mapping[str, object], *, actor: str, now: datetime
) -> Refusals:
    """Let the device follow what is laid down, or the policy that was chosen here instead."""
    device = link.device
    if held.says_lists and (chosen := held.overrides.get(POLICY)) is not None:
        return _follow(link, str(chosen), actor=actor, now=now)
    told = {**gone, **held.wanted}
    lists, refused = acceptable(
        device.kind, {name: one for name, one in told.items() if name in LIST_SETTINGS}
    )
    try:
        if held.place is not None:
            _take_zones(link, held.place, actor=actor, now=now)
        else:
            _take_names(link, lists, actor=actor, now=now)
    except (DeviceRefused, SettingRefused) as error:
        link.device = _again(device)
        return {**refused, "lists": str(error)}
    return refused


def _take_zones(link: Link, place: PolicyPlace, *, actor: str, now: datetime) -> None:
    device = link.device
    if has_own_policy(device) and not is_of_zones(device.policy):
        held = device.policy
        link.limits = asdict(ListLimits(held.shrink_limit, held.growth_limit))
    zones = zones_of(
        place, portal=portal_of(link), device_id=device.device_id, key=read_key(link.key)
    )
    follow_zones(device=device, zones=zones, actor=actor, now=now)


def _take_names(link: Link, lists: dict[str, object], *, actor: str, now: datetime) -> None:
    device = link.device
    if lists.get(BLOCK_LIST) and not has_own_policy(device):
        own_lists(device=device, settings=lists, actor=actor, now=now, by_portal=True)
    elif changed := _differing(device, lists):
        was_of_zones = is_of_zones(device.policy)
        configure_device(device=device, changes=changed, actor=actor, now=now, by_portal=True)
        if was_of_zones:
            give_limits_back(link)


def _follow(link: Link, name: str, *, actor: str, now: datetime) -> Refusals:
    policy = Policy.objects.filter(name=name).first()
    if policy is None:
        return {POLICY: f"there is no policy {name} here any more; release the override"}
    try:
        assign_policy(device=link.device, policy=policy, actor=actor, now=now, by_portal=True)
    except DeviceRefused as error:
        link.device = _again(link.device)
        return {POLICY: str(error)}
    return {}


def _differing(device: Device, values: Mapping[str, object]) -> dict[str, object]:
    current = settings_of(device)
    return {name: one for name, one in values.items() if (one or "") != (current[name] or "")}


def _configure(link: Link, changes: dict[str, object], *, actor: str, now: datetime) -> Refusals:
    """Change what can be changed, together where that is possible; return why not the rest."""
    if not changes:
        return {}
    try:
        configure_device(device=link.device, changes=changes, actor=actor, now=now, by_portal=True)
    except (DeviceRefused, SettingRefused) as error:
        link.device = _again(link.device)  # what was set on it before it was refused
        if len(changes) == 1:
            return dict.fromkeys(changes, str(error))
        refused: Refusals = {}
        for name, value in changes.items():
            refused |= _configure(link, {name: value}, actor=actor, now=now)
        return refused
    return {}


def _again(device: Device) -> Device:
    return Device.objects.select_related("policy").get(pk=device.pk)


def _unknown(name: str) -> str:
    return (
        f"{name} is laid down by the portal, and version {site.TSCM_VERSION} does not know it: "
        f"update this appliance"
    )


def _of_here(name: str) -> str:
    return f"{name} is the device's own: no portal lays it down, and it stays as it is here"


def _told(setting: Setting, error: SettingRefused) -> str:
    """Return why a value was not accepted; of a secret without what it is."""
    if setting.is_secret:
        return f"{setting.name} is not accepted: use {error.accepted}"
    return str(error)
