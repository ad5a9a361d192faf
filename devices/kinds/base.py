"""What a kind of device is: a label and its settings, each with its question and its rule.

Console, API and `tsadmin` all read the settings here, so that they ask and refuse alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


class SettingRefused(ValueError):
    """A value that a setting does not take: names the setting, the value and what is accepted."""

    def __init__(self, setting: str, value: object, accepted: str) -> None:
        super().__init__(f"{setting} {str(value)[:100]!r} is not accepted: use {accepted}")
        self.setting, self.value, self.accepted = setting, value, accepted


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a device."""

    name: str  # the flag is --name, the column `name`
    question: str  # as asked at the prompt
    default: str  # as text; "" where there is none
    parse: Callable[[str, object], object]  # (name, text) -> value; raises SettingRefused
    is_required: bool = False
    is_advanced: bool = False  # asked with --advanced only
    is_secret: bool = False  # never shown again

    def clean(self, value: object) -> object:
        """Return the value as it is stored; raises SettingRefused."""
        empty = value in (None, "", [])
        if empty and self.is_required:
            raise SettingRefused(self.name, "", "a value; it is required")
        return self.parse(self.name, "" if empty else value)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of device."""

    name: str
    label: str
    settings: tuple[Setting, ...]
    is_gateway: bool = False  # an enforcer loads its lists into a kernel; it pulls no feeds

    def defaults(self) -> dict[str, object]:
        """Return every setting that is not required at its default."""
        return {s.name: s.clean(s.default) for s in self.settings if not s.is_required}

    def clean(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return the given settings as they are stored; raises SettingRefused."""
        known = {setting.name: setting for setting in self.settings}
        for name in values:
            if name not in known:
                raise SettingRefused(name, "", f"one of {', '.join(known)}")
        return {name: known[name].clean(value) for name, value in values.items()}
