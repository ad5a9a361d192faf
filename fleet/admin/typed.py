"""Settings as lines that a person types: what many entries or groups are to have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget

from devices.kinds import KINDS
from fleet.admin.steering_fields import meant, settings_of
from policies.words import said

_MOST_LINES = 100
_HELP = (
    "One a line: log_size = 1M. Nothing behind the '=': inherited again. The word none: explicitly "
    "nothing."
)


class _Lines(UnfoldAdminTextareaWidget):
    """Shows what was typed, but no secret."""

    def format_value(self, value: Any) -> str | None:
        lines = str(value or "").splitlines()
        return "\n".join(_masked(line) for line in lines)


class SettingsLines(forms.CharField):
    """`name = value`, one a line."""

    def __init__(self, *, label: str, help_text: str = _HELP) -> None:
        widget = _Lines({"rows": 5, "spellcheck": "false"})
        super().__init__(
            required=False, max_length=20_000, widget=widget, label=label, help_text=help_text
        )

    def clean(self, value: Any) -> dict[str, object]:
        """Return the settings by name; None for one that is to be inherited."""
        lines = [line for line in str(super().clean(value) or "").splitlines() if line.strip()]
        if len(lines) > _MOST_LINES:
            raise forms.ValidationError(f"No more than {_MOST_LINES} lines.")
        settings: dict[str, object] = {}
        known = settings_of(KINDS)
        for line in lines:
            name, sign, text = (part.strip() for part in line.partition("="))
            if not sign or not name:
                raise forms.ValidationError(f"{line[:60]}: write it as name = value.")
            if name in settings:
                raise forms.ValidationError(f"{name} stands there twice.")
            settings[name] = meant(known.get(name), text)
            if settings[name] and name in _secrets():
                raise forms.ValidationError(
                    f"{name} is a secret, and would stand here for all to read: set it on the page "
                    f"of a group, or by the API."
                )
        return settings


def _masked(line: str) -> str:
    name = line.partition("=")[0]
    return f"{name}= " if name.strip() in _secrets() else line


def _secrets() -> set[str]:
    return {name for name, setting in settings_of(KINDS).items() if setting.is_secret}


def told_lines(settings: Mapping[str, object]) -> str:
    """Return settings in one line, as a list of a page shows them."""
    return ", ".join(f"{name} = {said(value)}" for name, value in settings.items())
