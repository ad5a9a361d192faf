"""A form field for each setting of a kind of device."""

from __future__ import annotations

from django import forms
from django.db import models
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from devices.kinds.base import Setting
from devices.models import Device
from devices.services.own_policy import LIST_SETTINGS

KEEPS_SECRET = "Nothing is shown of what is stored; leave it empty to keep that."  # noqa: S105


def field_for(setting: Setting) -> forms.Field:
    """Return the field that asks for a setting; the kind's rule judges what is typed."""
    column = None if setting.name in LIST_SETTINGS else _column(setting.name)
    if isinstance(column, models.BooleanField):
        return forms.BooleanField(
            label=setting.question,
            required=False,
            initial=setting.default == "yes",
            widget=UnfoldBooleanSwitchWidget(),
        )
    if setting.is_secret:
        return forms.CharField(
            label=setting.question,
            required=False,
            strip=False,
            help_text=KEEPS_SECRET,
            widget=UnfoldAdminPasswordWidget({"autocomplete": "new-password"}),
        )
    if isinstance(column, models.Field) and column.choices:
        return forms.CharField(
            label=setting.question,
            initial=setting.default,
            widget=UnfoldAdminSelectWidget(choices=list(column.choices)),
        )
    is_long = isinstance(column, models.TextField)
    return forms.CharField(
        label=setting.question,
        required=setting.is_required,
        initial=setting.default,
        widget=UnfoldAdminTextareaWidget({"rows": 3}) if is_long else UnfoldAdminTextInputWidget(),
    )


def _column(name: str) -> object:
    return Device._meta.get_field(name)  # noqa: SLF001  Django's documented way


def as_text(value: object) -> object:
    """Return a stored value as the form shows it: a list as words with commas between."""
    if value is None or isinstance(value, bool):
        return "" if value is None else value
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)
