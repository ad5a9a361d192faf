"""Link a device here to a portal, and let it go again.

    link_device(*, portal, device_id, key_text, here=Here(), actor, now, seconds) -> Linked
    unlink_device(*, device, actor, now) -> None

The portal is asked first, and nothing is made when it does not answer well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from devices.models import Device, DeviceGroup
from devices.services import (
    DeviceRefused,
    add_device,
    assign_group,
    has_own_policy,
    zone_policy,
)
from devices.services.own_policy import BLOCK_LIST, LIST_SETTINGS, is_of_zones
from fleet.models import Link
from fleet.protocol import client
from fleet.protocol.base import DeviceKey, Portal, Settings
from fleet.protocol.keys import key_text as text_of, read_key
from fleet.reports.links import zones_of
from fleet.services.link_poll import Answer, hold
from fleet.services.link_refused import LinkRefused, NoListsYet, link_of
from fleet.services.link_settings import acceptable, give_limits_back
from policies.services import record_change, request_refresh
from policies.sources.base import Deadline


@dataclass(frozen=True, slots=True)
class Linked:
    """A device that a portal steers from now on."""

    device: Device
    link: Link
    is_new: bool  # False: the device was here before

    @property
    def refused(self) -> tuple[str, ...]:
        """Settings that are not in force here, and why."""
        return tuple(self.link.refused)


def _anybody(device: Device) -> bool:  # noqa: ARG001
    return True


@dataclass(frozen=True, slots=True)
class Here:
    """What a device is to be here, and what whoever links it may do."""

    nickname: str | None = None  # None for that on the portal
    group: DeviceGroup | None = None  # of a new one
    # Whether a device that is here already may be taken over.
    may_take: Callable[[Device], bool] = _anybody


def link_device(
    *,
    portal: Portal,
    device_id: str,
    key_text: str,
    here: Here = Here(),
    actor: str,
    now: datetime,
    seconds: float,
) -> Linked:
    """Fetch the settings of a device within `seconds`, and make it what they say.

    The device of this ID is taken over where there is one, else it is added. One that is linked to
    this portal already is linked anew, with this key. Raises KeyUnreadable, NotADeviceId,
    WebAutomationError, SettingRefused and DeviceRefused; then nothing was made.
    """
    key, told_id = read_key(key_text), device_id.strip()
    _refuse_taking(_device(told_id), here)
    _refuse_foreign(told_id, portal)
    fetched = client.fetch(
        portal=portal, device_id=told_id, key=key, held=None, deadline=Deadline.after(seconds)
    )
    if fetched is None:
        raise LinkRefused(f"{portal} says that nothing changed, to a first question")
    try:
        with transaction.atomic():
            held = _device(told_id)
            _refuse_taking(held, here)
            device = held or _add(
                fetched.settings, portal=portal, key=key, here=here, actor=actor, now=now
            )
            _refuse_other(device, nickname=here.nickname, kind=fetched.settings.kind)
            link = Link.objects.filter(device=device).first() or Link(device=device, linked_at=now)
            _set_portal(link, portal, key=key, now=now)
            hold(link, Answer(key, fetched), actor=actor, now=now)
            link.save()
            _record(link, actor=actor, now=now)
            request_refresh(policy=link.device.policy, now=now)
    except IntegrityError as error:  # somebody else linked it meanwhile
        raise LinkRefused(f"{told_id} was just linked by somebody else; look again") from error
    return Linked(link.device, link, is_new=held is None)


def unlink_device(*, device: Device, actor: str, now: datetime) -> None:
    """Let a device go from its portal: its settings stay as they are, and are changed here.

    Its lists are transferred as before until the portal takes its key back. Raises LinkRefused.
    """
    with transaction.atomic():
        link = link_of(device)
        before = {"portal": link.portal}
        if has_own_policy(link.device) and is_of_zones(link.device.policy):
            give_limits_back(link)
        device.portal, device.set_by_portal = "", []
        device.save(update_fields=["portal", "set_by_portal"])
        link.delete()
        record_change(
            actor=actor, verb="unlink", subject=f"device {device.nickname}", now=now,
            before=before, after={"portal": ""},
        )  # fmt: skip


def _record(link: Link, *, actor: str, now: datetime) -> None:
    told = {"portal": link.portal, "domain": link.domain, "device_id": link.device.device_id}
    record_change(
        actor=actor, verb="link", subject=f"device {link.device.nickname}", now=now, after=told
    )


def _device(device_id: str) -> Device | None:
    rows = Device.objects.select_related("policy")
    return rows.filter(device_id__iexact=device_id).order_by("id").first()


def _refuse_taking(device: Device | None, here: Here) -> None:
    """Refuse a device that whoever asks has no business with, without telling of it."""
    if device is not None and not here.may_take(device):
        raise LinkRefused(
            f"a device with ID {device.device_id} exists, and it is not yours to change: somebody "
            f"who may has to link it"
        )


def _refuse_foreign(device_id: str, portal: Portal) -> None:
    """Refuse a device that another portal steers."""
    link = Link.objects.filter(device__device_id__iexact=device_id).first()
    if link is not None and (link.host, link.domain) != (portal.host, portal.domain):
        raise LinkRefused(
            f"{link.device} is linked to {link.portal} ({link.domain}): unlink it there first, by "
            f"'tsadmin unlink {link.device}'"
        )


def _refuse_other(device: Device, *, nickname: str | None, kind: str) -> None:
    """Refuse what the device of this ID is not."""
    if nickname is not None and nickname != device.nickname:
        raise DeviceRefused(
            f"the device with ID {device.device_id} is named {device.nickname} here: link it under "
            f"that name"
        )
    if kind != device.kind:
        raise DeviceRefused(
            f"the portal has a device of type {kind} under the ID {device.device_id}, and "
            f"{device.nickname} is of type {device.kind} here: take the entry of a {device.kind}"
        )


def _add(
    settings: Settings,
    *,
    portal: Portal,
    key: DeviceKey,
    here: Here,
    actor: str,
    now: datetime,
) -> Device:
    """Add the device with what of its settings this version takes."""
    name = here.nickname or settings.nickname
    if settings.policy is None and not settings.values.get(BLOCK_LIST, "of its kind"):
        raise NoListsYet(
            f"the portal does not say yet where the lists of {settings.device_id} are: it "
            f"publishes a policy within a minute or so. Try again then"
        )
    values, _ = acceptable(settings.kind, {**settings.values, **settings.secrets})
    values["device_id"] = settings.device_id
    policy = None
    if settings.policy is not None:
        values = {name: one for name, one in values.items() if name not in LIST_SETTINGS}
        zones = zones_of(settings.policy, portal=portal, device_id=settings.device_id, key=key)
        policy = zone_policy(name, zones, actor=actor, now=now)
    device = add_device(
        kind=settings.kind, nickname=name, settings=values, policy=policy, actor=actor, now=now
    )
    return assign_group(device=device, group=here.group, actor=actor, now=now)


def _set_portal(link: Link, portal: Portal, *, key: DeviceKey, now: datetime) -> None:
    link.host, link.port, link.domain = portal.host, portal.port, portal.domain
    link.ca, link.tls_name = portal.ca, portal.tls_name
    link.key, link.next_key, link.due_at = text_of(key), "", now
