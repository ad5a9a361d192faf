"""What flags lay down for device entries and groups: settings, a policy, a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from devices.models import DeviceGroup
from fleet.models import Entry
from fleet.services.steering import UNSET, Change, Unset
from policies.models import Policy
from tsadmin.commands.device_groups import find_group
from tsadmin.commands.finding import find_policy_itself
from tsadmin.commands.given import read_settings
from tsadmin.errors import Misused, Refused

_NAMED = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed; None where it was not."""

    given: Sequence[str] = ()
    inherit: Sequence[str] = ()
    policy_name: str | None = None
    group_name: str | None = None

    @classmethod
    def of(
        cls,
        columns: Mapping[str, str],
        *,
        given: Sequence[str] | None = None,
        inherit: Sequence[str] | None = None,
    ) -> Wanted:
        """Return what flags and `columns` say."""
        return cls(given or (), inherit or (), columns.get("policy"), columns.get("group"))

    @property
    def is_nothing(self) -> bool:
        """Whether no flag was given."""
        return self == Wanted()

    def change(self) -> Change:
        """Return the change of settings and policy; raises Misused, and Refused for no policy."""
        settings = read_settings(self.given)
        for name in self.inherit:
            if name in settings:
                raise Misused(f"{name} is set and inherited; give one of them")
            settings[name] = None
        return Change(settings, policy=self.policy())

    def policy(self) -> Policy | Unset | None:
        """Return the policy that is named, None where an empty one is."""
        if self.policy_name is None:
            return UNSET
        return find_policy_itself(self.policy_name) if self.policy_name else None

    def group(self) -> DeviceGroup | Unset | None:
        """Return the group that is named, None where an empty one is."""
        if self.group_name is None:
            return UNSET
        return find_group(self.group_name) if self.group_name else None


def find_entry(name: str) -> Entry:
    """Return the device entry of this name; raises Refused with some that there are."""
    entries = Entry.objects.select_related("policy", "group", "status").prefetch_related("keys")
    found = entries.filter(nickname=name).first()
    if found is not None:
        return found
    names = Entry.objects.order_by("nickname").values_list("nickname", flat=True)[:_NAMED]
    known = f"there are: {', '.join(names)}" if names else "see 'tsadmin fleet add --help'"
    raise Refused(f"no device entry is named {name}; {known}")
