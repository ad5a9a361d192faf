"""Set something here that a portal lays down, and give it back.

    override_setting(*, device, name, value, actor, now) -> None
    release_override(*, device, name, actor, now) -> None

Both are in force at once; what the portal said last stays known, so releasing needs no portal.
"""

from __future__ import annotations

import json
from datetime import datetime

from django.db import transaction

from devices.kinds import KINDS
from devices.kinds.base import Setting
from devices.models import Device
from devices.services import DeviceRefused
from devices.services.own_policy import LIST_SETTINGS
from devices.services.refused import POLICY
from fleet.models import Link
from fleet.reports.links import LaidDown, laid_down
from fleet.services.link_refused import LinkRefused, link_of
from fleet.services.link_settings import bring_into_force
from policies.models import Policy
from policies.services import record_change

SET = "set"  # stands for a secret


def override_setting(
    *, device: Device, name: str, value: object, actor: str, now: datetime
) -> None:
    """Set `name` to `value` here, whatever the portal says; `policy` takes a policy's name.

    Raises SettingRefused and DeviceRefused; then nothing was changed.
    """
    with transaction.atomic():
        link = link_of(device)
        held = laid_down(link)
        if name not in held.names:
            raise LinkRefused(_not_laid_down(device, name, held))
        if name == POLICY:
            link.overrides = {**link.overrides, name: _policy(str(value))}
        else:
            _set(link, _setting(link, name), value, held=held)
        _bring(link, name, verb="override", before=held, actor=actor, now=now)


def release_override(*, device: Device, name: str, actor: str, now: datetime) -> None:
    """Let the portal's value be in force again. Raises DeviceRefused; then nothing was changed."""
    with transaction.atomic():
        link = link_of(device)
        held = laid_down(link)
        if name not in held.overridden:
            known = ", ".join(held.overridden) or "nothing"
            raise LinkRefused(f"{name} is not overridden on {device}: {known} is")
        link.overrides = {key: one for key, one in held.overrides.items() if key != name}
        _set_secrets(link, {k: one for k, one in held.secret_overrides.items() if k != name})
        _bring(link, name, verb="release", before=held, actor=actor, now=now)


def _not_laid_down(device: Device, name: str, held: LaidDown) -> str:
    if name in LIST_SETTINGS and held.says_lists:
        return (
            f"{device} follows the policy of the portal, which has lists of its own: override that "
            f"with 'tsadmin override {device} policy=NAME'"
        )
    return (
        f"{name} is not set by the portal: change it with 'tsadmin configure {device} --{name} …'"
    )


def _set(link: Link, setting: Setting, value: object, *, held: LaidDown) -> None:
    cleaned = setting.clean(value)
    if setting.is_secret:
        _set_secrets(link, {**held.secret_overrides, setting.name: str(cleaned)})
        cleaned = SET
    link.overrides = {**link.overrides, setting.name: cleaned}


def _set_secrets(link: Link, secrets: dict[str, str]) -> None:
    link.secret_overrides = json.dumps(secrets) if secrets else ""


def _setting(link: Link, name: str) -> Setting:
    known = {setting.name: setting for setting in KINDS[link.device.kind].settings}
    if name not in known:
        raise LinkRefused(f"{name} is laid down by the portal and not known to this version")
    return known[name]


def _policy(name: str) -> str:
    if Policy.objects.filter(name=name, is_private=False).exists():
        return name
    raise LinkRefused(f"there is no shared policy {name!r} here: see 'tsadmin policy list'")


def _bring(
    link: Link, name: str, *, verb: str, before: LaidDown, actor: str, now: datetime
) -> None:
    """Bring what is wanted now into force, or change nothing where it cannot be."""
    refused = bring_into_force(link, actor=actor, now=now)
    said = refused.get(name) or refused.get("lists", "")
    if said and said not in link.refused:
        raise DeviceRefused(said)
    link.refused = list(refused.values())
    link.save(update_fields=["overrides", "secret_overrides", "refused"])
    after = laid_down(link)
    record_change(
        actor=actor, verb=verb, subject=f"device {link.device.nickname}", now=now,
        before=_told(before, name), after=_told(after, name),
    )  # fmt: skip


def _told(held: LaidDown, name: str) -> dict[str, object]:
    """Return an override as the record tells it; of a secret only that it is set."""
    return {name: held.overrides.get(name, "as the portal says")}
