"""Find the device, the policy or the source a command names."""

from __future__ import annotations

from typing import TypeVar

from django.db import models

from devices.kinds import rules
from devices.models import Device
from policies.models import Policy, Source
from policies.sources.user_list import KIND
from tsadmin.errors import Refused

Row = TypeVar("Row", bound=models.Model)

_NAMED = 10


def find_device(nickname: str) -> Device:
    """Return the device of this name, with its policy; raises SettingRefused and Refused."""
    name = rules.nickname("device name", nickname)
    devices = Device.objects.select_related("policy__current", "gateway")
    rows = devices.order_by("nickname", "id")
    return _named(rows, "device", name, column="nickname", see="tsadmin add --help")


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
    return _named(policies.order_by("is_private", "name"), "policy", name)


def find_source(name: str) -> Source:
    """Return the source of this name; raises Refused."""
    return _named(Source.objects.order_by("name", "id"), "source", name)


def find_list(name: str) -> Source:
    """Return the list of this name that is kept here; raises Refused."""
    lists = Source.objects.filter(kind=KIND).order_by("name", "id")
    return _named(lists, "list", name, see="tsadmin records create")


def _named(
    rows: models.QuerySet[Row], what: str, name: str, *, column: str = "name", see: str = ""
) -> Row:
    """Return the row of this name; raise Refused with the first few names that there are."""
    row = rows.filter(**{column: name}).first()
    if row is not None:
        return row
    names = list(rows.values_list(column, flat=True)[:_NAMED])
    if names:
        raise Refused(f"no {what} is named {name}; there are: {', '.join(names)}")
    hint = f", see '{see}'" if see else ""
    raise Refused(f"no {what} is named {name}; there is none yet{hint}")
