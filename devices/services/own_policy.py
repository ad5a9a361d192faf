"""The policy that belongs to one device: its sources are made from that device's list names.

Or from zones, where a portal says which policy the device follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q

from devices.kinds import GATEWAYS
from devices.kinds.base import SettingRefused
from devices.models import Device
from devices.services.refused import DeviceRefused
from policies.models import Policy, PolicySource, Source
from policies.services import Refused, change_source, find_or_make_source
from policies.services.sources import secrets_of
from policies.sources.base import SourceMisconfigured
from policies.states import Role

# Settings that are the sources of the device's own policy, not columns of the device.
BLOCK_LIST = "block_list"
LIST_SETTINGS = (BLOCK_LIST, "allow_list", "dns_server", "dns_port")
# Percent: the most that a policy takes.
_ANY_SHRINK, _ANY_GROWTH = 100, 100_000


@dataclass(frozen=True, slots=True)
class Lists:
    """The block and allow list of one device, and where they are asked for."""

    block_list: str
    allow_list: str
    dns_server: tuple[str, ...]
    dns_port: int


@dataclass(frozen=True, slots=True)
class ListLimits:
    """How much a list may change at once, in percent; those of a policy like others."""

    shrink: int = 50
    growth: int = 200


@dataclass(frozen=True, slots=True)
class ZoneList:
    """A zone to transfer one list from: the settings of its source, and the secret ones."""

    role: Role
    settings: Mapping[str, object]
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        """The zone."""
        return str(self.settings["name"])


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


def lists_in(values: Mapping[str, object]) -> Lists:
    """Return the lists that settings name."""
    servers, port = values["dns_server"], values["dns_port"]
    return Lists(
        block_list=str(values["block_list"]),
        allow_list=str(values["allow_list"]),
        dns_server=tuple(servers) if isinstance(servers, list) else (),
        dns_port=port if isinstance(port, int) else 53,
    )


def pause_policy(policy: Policy) -> None:
    """Pause a policy when nobody wants its updates any more; else let it run."""
    devices = Device.objects.filter(policy=policy)
    # For a gateway whose updates are off a person plans and applies: there is to be something new.
    taking = devices.filter(Q(policy_updates=True) | Q(kind__in=GATEWAYS))
    paused = devices.exists() and not taking.exists()
    Policy.objects.filter(pk=policy.pk).update(is_paused=paused)


def private_policy(nickname: str, lists: Lists, *, now: datetime) -> Policy:
    """Make the policy of a device's own from list names.

    Raises SettingRefused, and DeviceRefused where another policy has its name.
    """
    policy = _new_policy(nickname, now=now)
    set_sources(policy, lists, now=now)
    return policy


def zone_policy(nickname: str, zones: Sequence[ZoneList], *, actor: str, now: datetime) -> Policy:
    """Make the policy of a device's own from zones; raises DeviceRefused."""
    policy = _new_policy(nickname, now=now)
    set_zones(policy, zones, actor=actor, now=now)
    return policy


def _new_policy(nickname: str, *, now: datetime) -> Policy:
    if Policy.objects.filter(name=nickname).exists():
        raise DeviceRefused(
            f"a policy named {nickname} exists; choose another device name, or rename that policy"
        )
    return Policy.objects.create(name=nickname, is_private=True, due_at=now)


def set_sources(policy: Policy, lists: Lists, *, now: datetime) -> None:
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
    drop_unused(left)


def set_zones(policy: Policy, zones: Sequence[ZoneList], *, actor: str, now: datetime) -> None:
    """Make the policy's sources exactly these zones, each refreshed every five minutes.

    A zone that is a source of it already keeps the list it has, whatever else of it changes. How
    much a list may shrink or grow is not asked here: whoever publishes the zone has a guard for
    that, and the zone proves itself whole. Whoever calls gives the limits back when other lists
    take their place. Raises DeviceRefused.
    """
    left = list(policy.sources.all())
    held = {(one.role, one.source.settings.get("name")): one.source
            for one in policy.policy_sources.filter(source__kind="zone")}  # fmt: skip
    policy.policy_sources.all().delete()
    for zone in zones:
        try:
            source = held.get((zone.role, zone.name)) or _zone_source(zone, now=now)
            if not _says(source, zone):
                told = {"settings": {**zone.settings, **zone.secrets}}
                change_source(source=source, changes=told, actor=actor, now=now)
        except (SourceMisconfigured, Refused) as error:
            raise DeviceRefused(str(error)) from error
        PolicySource.objects.create(policy=policy, source=source, role=zone.role)
    limit_policy(policy, ListLimits(_ANY_SHRINK, _ANY_GROWTH))
    drop_unused(left)


def is_of_zones(policy: Policy) -> bool:
    """Tell whether a policy's lists are zones of a portal."""
    return policy.is_private and policy.sources.filter(kind="zone").exists()


def limit_policy(policy: Policy, limits: ListLimits) -> None:
    """Set how much a policy's list may change at once."""
    policy.shrink_limit, policy.growth_limit = limits.shrink, limits.growth
    policy.save(update_fields=["shrink_limit", "growth_limit"])


def holds_zones(policy: Policy, zones: Sequence[ZoneList]) -> bool:
    """Tell whether the policy's sources are exactly these zones, with these settings."""
    links = list(policy.policy_sources.select_related("source"))
    held = {(link.role, link.source.settings.get("name")): link.source for link in links}
    wanted = {(zone.role, zone.name): zone for zone in zones}
    return held.keys() == wanted.keys() and all(
        held[place].kind == "zone" and _says(held[place], zone) for place, zone in wanted.items()
    )


def _says(source: Source, zone: ZoneList) -> bool:
    is_same = dict(source.settings) == dict(zone.settings)
    return is_same and secrets_of(source) == dict(zone.secrets)


def _zone_source(zone: ZoneList, *, now: datetime) -> Source:
    settings = {**zone.settings, **zone.secrets}
    source = find_or_make_source(kind="zone", settings=settings, name=zone.name, now=now)
    source.refresh_minutes, source.shrink_limit = 5, 100
    source.may_be_empty = zone.role == Role.ALLOW
    source.save(update_fields=["refresh_minutes", "shrink_limit", "may_be_empty"])
    return source


def leave_policy(policy: Policy) -> None:
    """Delete a private policy that no device follows any more, and its unused sources."""
    if not policy.is_private or Device.objects.filter(policy=policy).exists():
        pause_policy(policy)
        return
    sources = list(policy.sources.all())
    policy.delete()
    drop_unused(sources)


def drop_unused(sources: list[Source]) -> None:
    """Delete sources that were made for a device and that no policy takes any more."""
    made = [source.pk for source in sources if source.is_private]
    Source.objects.filter(pk__in=made, policy_sources=None).delete()
