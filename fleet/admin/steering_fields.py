"""Form fields for what is laid down: one for each setting, empty where it is inherited."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.db import models
from django.utils.crypto import salted_hmac
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from devices.admin.fields import KEEPS_SECRET, as_text
from devices.kinds.base import Setting
from devices.models import Device
from devices.services.own_policy import LIST_SETTINGS
from fleet.reports.effective import Effective, steered
from policies.admin.writes import ServiceForm
from policies.services import Outdated
from policies.words import said

PREFIX = "set_"
INHERITED, EXPLICITLY_NONE = "", "none"
_TAKE_BACK = "inherit"  # typed in the place of a secret
HELP = "Empty: inherited. The word none: explicitly nothing."
HELP_OF_GROUP = "Empty: the default. The word none: explicitly nothing."


class SteeringForm(ServiceForm):
    """A form that writes what differs from what is laid down, as long as it showed just that."""

    def show_as_seen(self, facts: Iterable[object]) -> None:
        """Keep a digest of what the form shows, which comes back with it."""
        self.fields["seen"] = forms.CharField(required=False, widget=forms.HiddenInput())
        self.initial["seen"] = _digest(facts)

    def refuse_outdated(self, facts: Iterable[object]) -> None:
        """Raise Outdated where something else is laid down by now than the form showed."""
        seen = self.cleaned_data["seen"]
        if seen and seen != _digest(facts):
            raise Outdated(
                "it was changed since you opened this page, so nothing was saved; open it again"
            )


def _digest(facts: Iterable[object]) -> str:
    text = json.dumps(list(facts), sort_keys=True, default=str)
    return salted_hmac("fleet.form", text, algorithm="sha256").hexdigest()


def settings_of(kinds: Iterable[str], *, without: Iterable[str] = ()) -> dict[str, Setting]:
    """Return the settings that can be laid down for some kinds, by name."""
    left_out = set(without)
    found = (setting for kind in kinds for setting in steered(kind))
    return {one.name: one for one in found if one.name not in left_out}


def field_for(setting: Setting, *, inherited: str, word: str = "inherited") -> forms.Field:
    """Return the field that lays a setting down; `inherited` is what holds without, by a word."""
    if setting.is_secret:
        return forms.CharField(
            label=setting.question,
            required=False,
            strip=False,
            help_text=f"{KEEPS_SECRET} The word {_TAKE_BACK}: {word} again.",
            widget=UnfoldAdminPasswordWidget({"autocomplete": "new-password"}),
        )
    choices = _choices(setting)
    if choices:
        empty = (INHERITED, f"{word} ({inherited})" if inherited else word)
        return forms.ChoiceField(
            label=setting.question,
            required=False,
            choices=[empty, *choices],
            widget=UnfoldAdminSelectWidget(),
        )
    return forms.CharField(
        label=setting.question,
        required=False,
        max_length=10_000,
        widget=UnfoldAdminTextInputWidget({"placeholder": inherited}),
    )


def inherited_texts(effective: Effective) -> dict[str, str]:
    """Return what is in force, by the names of settings, as it is shown."""
    return {one.name: said(one.value) for one in effective.settings}


def initial_of(held: Mapping[str, object]) -> dict[str, object]:
    """Return what the fields show of what is laid down."""
    return {f"{PREFIX}{name}": _typed(value) for name, value in held.items()}


def changes_of(
    cleaned: Mapping[str, Any], settings: Mapping[str, Setting], held: Mapping[str, object]
) -> dict[str, object]:
    """Return what was typed and differs from what is laid down; None is to be inherited."""
    changes: dict[str, object] = {}
    for name, setting in settings.items():
        typed = str(cleaned.get(f"{PREFIX}{name}", ""))
        if setting.is_secret:
            if typed:
                changes[name] = None if typed == _TAKE_BACK else typed
        elif typed != (_typed(held[name]) if name in held else INHERITED):
            changes[name] = meant(setting, typed)
    return changes


def meant(setting: Setting | None, typed: str) -> str | None:
    """Return what is typed for a setting, None for one to be inherited."""
    if typed == INHERITED:
        return None
    # One of the words to choose from may be none as well.
    is_word = setting is not None and bool(_choices(setting))
    return "" if typed == EXPLICITLY_NONE and not is_word else typed


def _typed(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(as_text(_plain(value))) or EXPLICITLY_NONE


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _choices(setting: Setting) -> list[tuple[str, str]]:
    if setting.name in LIST_SETTINGS:
        return []
    column = Device._meta.get_field(setting.name)  # noqa: SLF001  Django's documented way
    if isinstance(column, models.BooleanField):
        return [("yes", "yes"), ("no", "no")]
    if isinstance(column, models.Field) and column.choices:
        return [(str(value), str(label)) for value, label in column.choices]
    return []
