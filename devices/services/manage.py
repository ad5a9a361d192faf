"""Add, configure and remove devices. A device made from list names gets a policy of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import IntegrityError, transaction

from devices.kinds import KINDS, rules
from devices.kinds.base import Kind, SettingRefused
from devices.models import Device
from devices.services.gateways import forget_kernel, keep_gateway, own_node, release_node
from devices.services.own_policy import (
    LIST_SETTINGS,
    ZoneList,
    holds_zones,
    leave_policy,
    lists_in,
    lists_of,
    pause_policy,
    private_policy,
    set_sources,
    set_zones,
    zone_policy,
)
from devices.services.protected import origin_of, protect_device
from devices.services.refused import POLICY, DeviceRefused, refuse_set_by_portal
from policies.fields import DecryptionFailed
from policies.models import Policy, Snapshot
from policies.services import carry_over, protect, record_change, request_refresh

SECRETS = ("upload_proxy_password",)
_ADDRESSES = ("public_ip", "management_ip", "test_address")
UNREADABLE = "set, and unreadable with the keys at hand"


def add_device(
    *,
    kind: str,
    nickname: str,
    settings: Mapping[str, object],
    actor: str,
    now: datetime,
    policy: Policy | None = None,
) -> Device:
    """Add a device that follows `policy`, or a policy of its own made from its list names.

    `settings` hold text or values by the names of the kind; what is missing gets its default. The
    policy is due at once. Raises SettingRefused and DeviceRefused; then nothing was added.
    """
    described = _kind(kind)
    name = rules.nickname("nickname", nickname)
    values = {**described.defaults(), **described.clean(settings)}
    for setting in described.settings:
        if setting.is_required and setting.name not in values:
            raise SettingRefused(setting.name, "", "a value; it is required")
    _refuse_taken(name, str(values["device_id"]))
    if described.is_gateway:
        values["node"] = values["node"] or own_node()
        _refuse_enforced(str(values["node"]))
    if policy is not None:
        _refuse_foreign(policy, nickname=name)
        _refuse_lists(policy, settings)
    columns = {key: value for key, value in values.items() if key not in LIST_SETTINGS}
    try:
        with transaction.atomic():
            followed = policy or private_policy(name, lists_in(values), now=now)
            device = Device.objects.create(
                nickname=name, kind=kind, policy=followed, created_at=now, **_stored(columns)
            )
            _after_change(device, now=now)
            told = values if policy is None else {**columns, "policy": policy.name}
            record_change(
                actor=actor, verb="add", subject=f"device {name}", now=now, after=_masked(told)
            )
            request_refresh(policy=followed, now=now)
    except IntegrityError as error:  # somebody else took the name meanwhile
        raise DeviceRefused(
            f"{name}, its device ID or its machine was just taken; choose another"
        ) from error
    return device


def configure_device(
    *,
    device: Device,
    changes: Mapping[str, object],
    actor: str,
    now: datetime,
    by_portal: bool = False,
) -> Device:
    """Change settings of a device; what is not named stays as it is.

    What a portal lays down is changed `by_portal` alone. Raises SettingRefused and DeviceRefused;
    then nothing was changed.
    """
    values = _kind(device.kind).clean(changes)
    if "device_id" in values and values["device_id"] != device.device_id:
        _refuse_taken("", str(values["device_id"]))
    before = settings_of(device)
    if not by_portal:
        _refuse_laid_down(device, values, before=before)
    if "node" in values:
        values["node"] = values["node"] or own_node()
        if values["node"] != device.node:
            _refuse_enforced(str(values["node"]))
    try:
        with transaction.atomic():
            _change(device, values, before=before, now=now)
            record_change(
                actor=actor, verb="configure", subject=f"device {device.nickname}", now=now,
                before=_masked(before), after=_masked({**before, **values}),
            )  # fmt: skip
    except IntegrityError as error:  # somebody else took the ID or the machine meanwhile
        raise DeviceRefused(
            f"the device ID or the machine of {device.nickname} was just taken; choose another"
        ) from error
    return device


def _change(
    device: Device,
    values: Mapping[str, object],
    *,
    before: Mapping[str, object],
    now: datetime,
) -> None:
    node = device.node
    lists = {key: values[key] for key in LIST_SETTINGS if key in values}
    if lists:
        _change_lists(device, {**before, **lists}, now=now)
    columns = _stored({k: v for k, v in values.items() if k not in LIST_SETTINGS})
    turned = columns.get("policy_updates", device.policy_updates) != device.policy_updates
    for column, value in columns.items():
        setattr(device, column, value)
    if turned:
        columns["pinned_snapshot"] = _pin(device)
    if columns:
        device.save(update_fields=list(columns))
    if device.node != node:
        release_node(node, nickname=device.nickname, now=now)
        forget_kernel(device)
    _after_change(device, now=now)
    request_refresh(policy=device.policy, now=now)


def assign_policy(
    *, device: Device, policy: Policy, actor: str, now: datetime, by_portal: bool = False
) -> Device:
    """Make a device follow another policy; its own private one is removed.

    While updates are off it is served what the new policy has published by now. Raises
    DeviceRefused for a policy that is another device's own, and where a portal says which policy
    it follows, unless the change is made `by_portal`.
    """
    if device.policy != policy:
        if not by_portal:
            refuse_set_by_portal(device, [POLICY])
        _refuse_foreign(policy, nickname=device.nickname)
        with transaction.atomic():
            _follow(device, policy, lists={}, actor=actor, now=now)
    return device


def own_lists(
    *,
    device: Device,
    settings: Mapping[str, object],
    actor: str,
    now: datetime,
    by_portal: bool = False,
) -> Device:
    """Let a device follow a policy of its own again, made from list names.

    `settings` name the block list; the other lists get their defaults where they are not named,
    and what is no list is changed as well. A device that has its own policy is configured. Raises
    SettingRefused and DeviceRefused; then nothing was changed.
    """
    if has_own_policy(device):
        if not settings:
            return device
        return configure_device(
            device=device, changes=settings, actor=actor, now=now, by_portal=by_portal
        )
    if not by_portal:
        refuse_set_by_portal(device, [POLICY, *LIST_SETTINGS])
    described = _kind(device.kind)
    given = described.clean(settings)
    if not given.get("block_list"):
        raise SettingRefused("block_list", "", "the name of a list")
    values = {**described.defaults(), **given}
    others = {key: value for key, value in settings.items() if key not in LIST_SETTINGS}
    with transaction.atomic():
        if others:
            configure_device(
                device=device, changes=others, actor=actor, now=now, by_portal=by_portal
            )
        own = private_policy(device.nickname, lists_in(values), now=now)
        if by_portal:
            carry_over(policy=own, snapshot=device.published, now=now)
        chosen = {name: values[name] for name in LIST_SETTINGS}
        _follow(device, own, lists=chosen, actor=actor, now=now)
    return device


def follow_zones(*, device: Device, zones: Sequence[ZoneList], actor: str, now: datetime) -> Device:
    """Let a device follow what a portal publishes: a policy of its own, made from zones.

    Until the zones came the device keeps the lists that it has. Where it has a policy made from
    these zones already, their other settings are changed and the lists held stay; nothing happens
    where those are the same too. Raises DeviceRefused, DecryptionFailed;
    then nothing was changed.
    """
    if has_own_policy(device) and holds_zones(device.policy, zones):
        return device
    named = {f"{zone.role}_zone": zone.name for zone in zones}
    with transaction.atomic():
        if not has_own_policy(device):
            own = zone_policy(device.nickname, zones, actor=actor, now=now)
            carry_over(policy=own, snapshot=device.published, now=now)
            _follow(device, own, lists=named, actor=actor, now=now)
            return device
        before = _zones_of(device)
        set_zones(device.policy, zones, actor=actor, now=now)
        if named != before:
            record_change(
                actor=actor, verb="assign", subject=f"device {device.nickname}", now=now,
                before=before, after=named,
            )  # fmt: skip
        request_refresh(policy=device.policy, now=now)
    return device


def remove_device(*, device: Device, actor: str, now: datetime) -> None:
    """Remove a device, its private policy and the sources that nothing else uses."""
    policy, nickname = device.policy, device.nickname
    with transaction.atomic():
        protect(origin=origin_of(nickname), networks={}, now=now)
        release_node(device.node, nickname=nickname, now=now)
        device.delete()
        leave_policy(policy)
        record_change(actor=actor, verb="remove", subject=f"device {nickname}", now=now)


def settings_of(device: Device) -> dict[str, object]:
    """Return every setting of a device by name, list names and secrets included.

    A secret whose key is missing is UNREADABLE: it must not stand in the way of the others.
    """
    shown = {
        setting.name: _value(device, setting.name)
        for setting in _kind(device.kind).settings
        if setting.name not in LIST_SETTINGS
    }
    lists = lists_of(device)
    return shown | {
        "block_list": lists.block_list,
        "allow_list": lists.allow_list,
        "dns_server": list(lists.dns_server),
        "dns_port": lists.dns_port,
    }


def _value(device: Device, name: str) -> object:
    try:
        return getattr(device, name)
    except DecryptionFailed:
        return UNREADABLE


def has_own_policy(device: Device) -> bool:
    """Tell whether the policy that a device follows is its own."""
    return device.policy.is_private and device.policy.name == device.nickname


def _zones_of(device: Device) -> dict[str, str]:
    zones = device.policy.policy_sources.filter(source__kind="zone").select_related("source")
    return {f"{one.role}_zone": str(one.source.settings["name"]) for one in zones}


def _refuse_laid_down(
    device: Device, values: Mapping[str, object], *, before: Mapping[str, object]
) -> None:
    """Refuse another value for what a portal lays down; a policy of its is its lists as well."""
    changed = [name for name in values if (values[name] or "") != (before[name] or "")]
    refuse_set_by_portal(device, changed)
    if any(name in LIST_SETTINGS for name in changed):
        refuse_set_by_portal(device, [POLICY])


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise DeviceRefused(f"type {name!r} is not known; known are {', '.join(KINDS)}")
    return KINDS[name]


def _refuse_taken(nickname: str, device_id: str) -> None:
    if nickname and Device.objects.filter(nickname=nickname).exists():
        raise DeviceRefused(f"a device named {nickname} exists; choose another name")
    if Device.objects.filter(device_id=device_id).exists():
        raise DeviceRefused(f"a device with ID {device_id} exists; each needs its own")


def _refuse_enforced(node: str) -> None:
    """Refuse a machine that enforces another device: its sets and chains have one name each."""
    holder = Device.objects.filter(node=node).first()
    if holder is not None:
        raise DeviceRefused(
            f"the machine {node} enforces the device {holder.nickname} already, and holds one "
            f"policy; name another machine, or remove {holder.nickname}"
        )


def _refuse_foreign(policy: Policy, *, nickname: str) -> None:
    """Refuse another device's own policy: who configures that device would change this one too."""
    if policy.is_private and policy.name != nickname:
        raise DeviceRefused(
            f"policy {policy.name} is made from the lists of the device {policy.name}; make a "
            f"policy of its sources to share them"
        )


def _refuse_lists(policy: Policy, settings: Mapping[str, object]) -> None:
    named = [name for name in LIST_SETTINGS if settings.get(name)]
    if named:
        raise DeviceRefused(
            f"{named[0]} and a policy to follow exclude each other: {policy.name} has sources of "
            f"its own"
        )


def _follow(
    device: Device, policy: Policy, *, lists: Mapping[str, object], actor: str, now: datetime
) -> None:
    left = device.policy
    device.policy = policy
    _pin(device)
    device.save(update_fields=["policy", "pinned_snapshot"])
    _after_change(device, now=now)
    leave_policy(left)
    record_change(
        actor=actor, verb="assign", subject=f"device {device.nickname}", now=now,
        before={"policy": left.name}, after={"policy": policy.name, **lists},
    )  # fmt: skip
    request_refresh(policy=policy, now=now)


def _change_lists(device: Device, values: Mapping[str, object], *, now: datetime) -> None:
    lists = lists_in(values)
    if lists == lists_of(device):
        return
    if not device.policy.is_private:
        raise DeviceRefused(
            f"{device.nickname} follows the policy {device.policy.name}, which has sources of its "
            f"own; change them there, or give the device a policy of its own"
        )
    set_sources(device.policy, lists, now=now)


def _pin(device: Device) -> Snapshot | None:
    """Keep what the device is to be served while updates are off; return it, None while on."""
    device.pinned_snapshot = None if device.policy_updates else device.newest_fitting
    return device.pinned_snapshot


def _after_change(device: Device, *, now: datetime) -> None:
    pause_policy(device.policy)
    protect_device(device, now=now)
    keep_gateway(device, now=now)


def _stored(columns: Mapping[str, object]) -> dict[str, object]:
    """Return values as the columns hold them: no address at all is NULL."""
    return {key: None if key in _ADDRESSES and not value else value
            for key, value in columns.items()}  # fmt: skip


def _masked(values: Mapping[str, object]) -> dict[str, object]:
    return {key: ("set" if value else "") if key in SECRETS else value
            for key, value in values.items()}  # fmt: skip
