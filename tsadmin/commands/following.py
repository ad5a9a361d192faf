"""--policy: which policy a device follows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from devices.kinds.base import Kind, Setting
from devices.models import Device
from devices.services.own_policy import LIST_SETTINGS
from policies.models import Policy
from tsadmin import ask
from tsadmin.errors import Misused, Refused

OWN = "none"
_POLICIES_NAMED = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """What --policy said: a shared policy to follow; None for one of the device's own."""

    policy: Policy | None


def wanted_policy(text: str | None, *, given: Iterable[str]) -> Wanted | None:
    """Return what --policy says, None where it was not given.

    Raises Refused for a policy that is not there, Misused for list flags beside a shared one.
    """
    if text is None:
        return None
    if text in ("", OWN):
        return Wanted(None)
    policy = _find(text)
    lists = [f"--{name}" for name in given if name in LIST_SETTINGS]
    if lists:
        raise Misused(f"{text} has lists of its own: leave out {', '.join(lists)}, or --policy")
    return Wanted(policy)


def has_own_lists(device: Device) -> bool:
    """Tell whether the lists of a device are its own to change."""
    return device.policy.is_private


def without_lists(settings: Iterable[Setting]) -> list[Setting]:
    """Return the settings that a device of a shared policy has."""
    return [setting for setting in settings if setting.name not in LIST_SETTINGS]


def refuse_lists(device: Device, changes: Iterable[str]) -> None:
    """Raise Refused where list flags are given for a device that follows a shared policy."""
    if not has_own_lists(device) and any(name in LIST_SETTINGS for name in changes):
        raise Refused(
            f"{device.nickname} follows the policy {device.policy.name}, which has lists of its "
            f"own: change them there, or add --policy {OWN} to give {device.nickname} its own"
        )


def own_lists(kind: Kind, changes: dict[str, object], *, may_ask: bool) -> dict[str, object]:
    """Return `changes` with the lists of a policy of the device's own, asked where not given."""
    if "block_list" in changes:
        return changes
    if not may_ask:
        raise Misused(f"--policy {OWN} needs --block_list, the list to follow instead")
    lists = [setting for setting in kind.settings if setting.name in LIST_SETTINGS]
    defaults = {setting.name: setting.clean(setting.default) for setting in lists}
    answers = ask.ask_settings(setting for setting in lists if setting.name not in changes)
    return {**defaults, **answers, **changes}


def _find(name: str) -> Policy:
    policy = Policy.objects.filter(name=name).first()
    if policy is not None and not policy.is_private:
        return policy
    if policy is not None:
        raise Refused(f"{name} is the policy of one device; only a shared one can be followed")
    shared = Policy.objects.filter(is_private=False).order_by("name").values_list("name", flat=True)
    names = ", ".join(shared[:_POLICIES_NAMED]) or "none yet; see 'tsadmin policy add --help'"
    raise Refused(f"no policy is named {name}; shared ones are: {names}")
