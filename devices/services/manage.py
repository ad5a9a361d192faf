"""Add, configure and remove devices. A device made from list names gets a policy of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from devices.kinds import GATEWAYS, KINDS, rules
from devices.kinds.base import Kind, SettingRefused
from devices.models import Device
from devices.services.gateways import forget_kernel, keep_gateway, own_node, release_node
from devices.services.protected import origin_of, protect_device
from policies.fields import DecryptionFailed
from policies.models import Policy, PolicySource, Snapshot, Source
from policies.services import find_or_make_source, protect, record_change, request_refresh
from policies.sources.base import SourceMisconfigured
from policies.states import Role

# Settings that are the sources of the device's own policy, not columns of the device.
LIST_SETTINGS = ("block_list", "allow_list", "dns_server", "dns_port")
SECRETS = ("upload_proxy_password",)
_ADDRESSES = ("public_ip", "management_ip", "test_address")
UNREADABLE = "set, and unreadable with the keys at hand"


class DeviceRefused(ValueError):
    """A device cannot be made or changed this way; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Lists:
    """The block and allow list of one device, and where they are asked for."""

    block_list: str
    allow_list: str
    dns_server: tuple[str, ...]
    dns_port: int


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
            followed = policy or _private_policy(name, _lists(values), now=now)
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
    *, device: Device, changes: Mapping[str, object], actor: str, now: datetime
) -> Device:
    """Change settings of a device; what is not named stays as it is.

    Raises SettingRefused and DeviceRefused; then nothing was changed.
    """
    values = _kind(device.kind).clean(changes)
    if "device_id" in values and values["device_id"] != device.device_id:
        _refuse_taken("", str(values["device_id"]))
    before = settings_of(device)
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


def assign_policy(*, device: Device, policy: Policy, actor: str, now: datetime) -> Device:
    """Make a device follow another policy; its own private one is removed.

    While updates are off it is served what the new policy has published by now. Raises
    DeviceRefused for a policy that is another device's own.
    """
    if device.policy != policy:
        _refuse_foreign(policy, nickname=device.nickname)
        with transaction.atomic():
            _follow(device, policy, lists={}, actor=actor, now=now)
    return device


def own_lists(
    *, device: Device, settings: Mapping[str, object], actor: str, now: datetime
) -> Device:
    """Let a device follow a policy of its own again, made from list names.

    `settings` name the block list; the other lists get their defaults where they are not named,
    and what is no list is changed as well. A device that has its own policy is configured. Raises
    SettingRefused and DeviceRefused; then nothing was changed.
    """
    if device.policy.is_private and device.policy.name == device.nickname:
        if not settings:
            return device
        return configure_device(device=device, changes=settings, actor=actor, now=now)
    described = _kind(device.kind)
    given = described.clean(settings)
    if not given.get("block_list"):
        raise SettingRefused("block_list", "", "the name of a list")
    values = {**described.defaults(), **given}
    others = {key: value for key, value in settings.items() if key not in LIST_SETTINGS}
    with transaction.atomic():
        if others:
            configure_device(device=device, changes=others, actor=actor, now=now)
        own = _private_policy(device.nickname, _lists(values), now=now)
        chosen = {name: values[name] for name in LIST_SETTINGS}
        _follow(device, own, lists=chosen, actor=actor, now=now)
    return device


def remove_device(*, device: Device, actor: str, now: datetime) -> None:
    """Remove a device, its private policy and the sources that nothing else uses."""
    policy, nickname = device.policy, device.nickname
    with transaction.atomic():
        protect(origin=origin_of(nickname), networks={}, now=now)
        release_node(device.node, nickname=nickname, now=now)
        device.delete()
        _leave_policy(policy)
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


def lists_of(device: Device) -> Lists:
    """Return the DNS lists of the policy a device follows; "" where it has no such list."""
    found: dict[str, Source] = {}
    # all(), so that a list of devices can prefetch policy__policy_sources__source.
    for link in device.policy.policy_sources.all():
        if link.source.kind == "dns":
            found.setdefault(link.role, link.source)
    block, allow = found.get(Role.BLOCK), found.get(Role.ALLOW)
    asked: Mapping[str, Any] = next((source.settings for source in (block, allow) if source), {})
    return Lists(
        block_list=str(block.settings["name"]) if block else "",
        allow_list=str(allow.settings["name"]) if allow else "",
        dns_server=tuple(asked.get("servers", ())),
        dns_port=int(asked.get("port", 53)),
    )


def pause_policy(policy: Policy) -> None:
    """Pause a policy when nobody wants its updates any more; else let it run."""
    devices = Device.objects.filter(policy=policy)
    # For a gateway whose updates are off a person plans and applies: there is to be something new.
    taking = devices.filter(Q(policy_updates=True) | Q(kind__in=GATEWAYS))
    paused = devices.exists() and not taking.exists()
    Policy.objects.filter(pk=policy.pk).update(is_paused=paused)


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


def _lists(values: Mapping[str, object]) -> Lists:
    servers, port = values["dns_server"], values["dns_port"]
    return Lists(
        block_list=str(values["block_list"]),
        allow_list=str(values["allow_list"]),
        dns_server=tuple(servers) if isinstance(servers, list) else (),
        dns_port=port if isinstance(port, int) else 53,
    )


def _follow(
    device: Device, policy: Policy, *, lists: Mapping[str, object], actor: str, now: datetime
) -> None:
    left = device.policy
    device.policy = policy
    _pin(device)
    device.save(update_fields=["policy", "pinned_snapshot"])
    _after_change(device, now=now)
    _leave_policy(left)
    record_change(
        actor=actor, verb="assign", subject=f"device {device.nickname}", now=now,
        before={"policy": left.name}, after={"policy": policy.name, **lists},
    )  # fmt: skip
    request_refresh(policy=policy, now=now)


def _private_policy(nickname: str, lists: Lists, *, now: datetime) -> Policy:
    if Policy.objects.filter(name=nickname).exists():
        raise DeviceRefused(
            f"a policy named {nickname} exists; choose another device name, or rename that policy"
        )
    policy = Policy.objects.create(name=nickname, is_private=True, due_at=now)
    _set_sources(policy, lists, now=now)
    return policy


def _set_sources(policy: Policy, lists: Lists, *, now: datetime) -> None:
    """Make the policy's DNS sources exactly these lists."""
    if not lists.block_list:
        raise SettingRefused("block_list", "", "the name of a list")
    if lists.block_list == lists.allow_list:
        raise SettingRefused("allow_list", lists.allow_list, "another list than the block list")
    left = list(policy.sources.all())
    policy.policy_sources.all().delete()
    for role, name in ((Role.BLOCK, lists.block_list), (Role.ALLOW, lists.allow_list)):
        if name:
            settings = {"name": name, "servers": list(lists.dns_server), "port": lists.dns_port}
            try:
                source = find_or_make_source(kind="dns", settings=settings, name=name, now=now)
            except SourceMisconfigured as error:
                raise DeviceRefused(str(error)) from error
            PolicySource.objects.create(policy=policy, source=source, role=role)
    _drop_unused(left)


def _change_lists(device: Device, values: Mapping[str, object], *, now: datetime) -> None:
    lists = _lists(values)
    if lists == lists_of(device):
        return
    if not device.policy.is_private:
        raise DeviceRefused(
            f"{device.nickname} follows the policy {device.policy.name}, which has sources of its "
            f"own; change them there, or give the device a policy of its own"
        )
    _set_sources(device.policy, lists, now=now)


def _leave_policy(policy: Policy) -> None:
    """Delete a private policy that no device follows any more, and its unused sources."""
    if not policy.is_private or Device.objects.filter(policy=policy).exists():
        pause_policy(policy)
        return
    sources = list(policy.sources.all())
    policy.delete()
    _drop_unused(sources)


def _drop_unused(sources: list[Source]) -> None:
    """Delete sources that were made for a device and that no policy takes any more."""
    made = [source.pk for source in sources if source.is_private]
    Source.objects.filter(pk__in=made, policy_sources=None).delete()


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
