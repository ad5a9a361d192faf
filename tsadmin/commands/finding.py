"""Find the device, the policy or the source a command names."""

from __future__ import annotations

from devices.kinds import rules
from devices.models import Device
from policies.models import Policy, Source
from tsadmin.errors import Refused

_NAMED = 10


def find_device(nickname: str) -> Device:
    """Return the device of this name, with its policy; raises SettingRefused and Refused."""
    name = rules.nickname("device name", nickname)
    devices = Device.objects.select_related("policy__current")
    device = devices.filter(nickname=name).first()
    if device is not None:
        return device
    names = list(devices.order_by("nickname", "id").values_list("nickname", flat=True)[:_NAMED])
    if not names:
        raise Refused(f"no device is named {name}; there is none yet, see 'tsadmin add --help'")
    raise Refused(f"no device is named {name}; there are: {', '.join(names)}")


def find_policy(name: str) -> Policy:
    """Return the policy that the device of this name follows, else the policy of this name.

    Raises SettingRefused and Refused.
    """
    wanted = rules.nickname("name", name)
    policies = Policy.objects.select_related("current", "pinned")
    device = Device.objects.filter(nickname=wanted).first()
    found = policies.filter(pk=device.policy_id) if device else policies.filter(name=wanted)
    policy = found.first()
    if policy is None:
        names = list(policies.order_by("name", "id").values_list("name", flat=True)[:_NAMED])
        known = ", ".join(names) or "none yet"
        raise Refused(f"no device and no policy is named {wanted}; policies are: {known}")
    return policy


def find_policy_itself(name: str) -> Policy:
    """Return the policy of this very name, whatever devices are called; raises Refused."""
    policies = Policy.objects.select_related("current", "pinned", "candidate")
    policy = policies.filter(name=name).first()
    if policy is not None:
        return policy
    names = list(policies.order_by("is_private", "name").values_list("name", flat=True)[:_NAMED])
    known = f"there are: {', '.join(names)}" if names else "there is none yet"
    raise Refused(f"no policy is named {name}; {known}")


def find_source(name: str) -> Source:
    """Return the source of this name; raises Refused."""
    source = Source.objects.filter(name=name).first()
    if source is not None:
        return source
    names = list(Source.objects.order_by("name", "id").values_list("name", flat=True)[:_NAMED])
    known = f"there are: {', '.join(names)}" if names else "there is none yet"
    raise Refused(f"no source is named {name}; {known}")
