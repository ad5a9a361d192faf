"""Settings as text: what stands at a prompt, in a table, behind a label."""

from __future__ import annotations

import re

from devices.kinds import rules
from devices.kinds.base import Setting

_HINT = re.compile(r"[(;] ?empty for (?P<word>[^)]+)\)")
SET, NOT_SET = "set", "not set"


def label(setting: Setting) -> str:
    """Return the setting's name for people: its question without the hint."""
    return setting.question.partition(" (")[0]


def empty_word(setting: Setting) -> str:
    """Return what an empty value of this setting means, such as "all" or "none"."""
    found = _HINT.search(setting.question)
    return found["word"] if found else "none"


def as_text(setting: Setting, value: object) -> str:
    """Return a stored value as it could be typed; "" for an empty one."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if setting.parse in {rules.log_size, rules.log_quota} and isinstance(value, int):
        return size_text(value)
    return str(value)


def shown(setting: Setting, value: object) -> str:
    """Return a stored value for the screen; secrets as "set" or "not set"."""
    if setting.is_secret:
        return SET if value else NOT_SET
    return as_text(setting, value) or empty_word(setting)


def counted(number: int, one: str, more: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else more}"


def size_text(size: int) -> str:
    """Return a size as the product writes it: 100k."""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if size and size % unit == 0:
            return f"{size // unit}{letter}"
    return str(size)
