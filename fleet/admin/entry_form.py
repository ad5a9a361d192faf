"""Add and change a device entry: what it is called, and what is laid down for it."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from devices.admin.forms import fieldsets_of as device_fieldsets, kind_named
from devices.kinds import CHOICES
from devices.kinds.base import SettingRefused
from devices.models import DeviceGroup
from devices.services import GroupRefused, group_for
from fleet.admin.steering_fields import (
    HELP,
    PREFIX,
    SteeringForm,
    changes_of,
    field_for,
    inherited_texts,
    initial_of,
    settings_of,
)
from fleet.models import Entry
from fleet.reports.effective import effective_of, inherited_by
from fleet.reports.place import portal_place
from fleet.services.entries import (
    LONGEST_NOTE,
    Newcomer,
    NewEntry,
    add_entry,
    configure_entry,
    lock,
    move_entry,
)
from fleet.services.steering import Change
from policies.fields import DecryptionFailed
from policies.models import Policy

Fieldset = tuple[str | None, dict[str, Any]]
_ABOUT = ("nickname", "kind", "group", "manufacturer", "model", "note")


def fieldsets_of(kind_name: str) -> list[Fieldset]:
    """Return the fields of an entry by purpose."""
    kinds = [kind_named(kind_name).name]
    return [(None, {"fields": [*_ABOUT, "seen"]}), *settings_fieldsets(kinds, settings_of(kinds))]


def settings_fieldsets(
    kinds: Iterable[str], settings: Container[str], *, told: str = HELP
) -> list[Fieldset]:
    """Return the fields of settings by purpose, as on the page of a device."""
    found: dict[str, list[str]] = {}
    for kind in kinds:
        for title, options in device_fieldsets(kind_named(kind)):
            of_title = found.setdefault(title or "Address", [])
            names = (f"{PREFIX}{name}" for name in options["fields"] if name in settings)
            of_title += [name for name in names if name not in of_title]
    found["Policy"] = ["policy", *found.get("Policy", [])]
    return [
        (title, {"fields": names, "description": told if title == "Policy" else ""})
        for title, names in found.items()
        if names
    ]


class EntryForm(SteeringForm):
    """One device entry, judged by the rules of its kind."""

    nickname = forms.CharField(
        max_length=64,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Letters, digits, '-' and '_'. The device is called so until somebody else "
        "names it there.",
    )
    kind = forms.ChoiceField(label="Type", choices=CHOICES, widget=UnfoldAdminSelectWidget())
    manufacturer = forms.CharField(
        required=False, max_length=64, widget=UnfoldAdminTextInputWidget()
    )
    model = forms.CharField(required=False, max_length=64, widget=UnfoldAdminTextInputWidget())
    note = forms.CharField(
        required=False, max_length=LONGEST_NOTE, widget=UnfoldAdminTextareaWidget({"rows": 2})
    )
    policy = forms.ModelChoiceField(
        Policy.objects.none(),
        label="Policy to follow",
        required=False,
        empty_label="inherited",
        widget=UnfoldAdminSelectWidget(),
    )
    group = forms.ModelChoiceField(
        DeviceGroup.objects.none(),
        required=False,
        empty_label="none",
        widget=UnfoldAdminSelectWidget(),
        help_text="It inherits what is laid down for its group.",
    )
    made: NewEntry | None = None

    class Meta:
        model = Entry
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kind = kind_named(self.instance.kind or self.data.get("kind") or self.initial.get("kind"))
        self.settings = settings_of([kind.name])
        bare = Entry(kind=kind.name, group=self.instance.group if self.instance.pk else None)
        texts = _inherited_texts(bare)
        for name, setting in self.settings.items():
            self.fields[f"{PREFIX}{name}"] = field_for(setting, inherited=texts.get(name, ""))
        shared = Policy.objects.filter(is_private=False).only("name")
        self.offer("policy", shared.order_by("name", "id"))
        self.offer("group", DeviceGroup.objects.order_by("name", "id"))
        self.show_as_seen(_facts(self.instance) if self.instance.pk else ())
        if self.instance.pk:
            self._show(self.instance)
        else:
            # It is chosen above the form, which asks for the settings of the chosen kind.
            self.initial["kind"] = kind.name
            self.fields["kind"].widget = forms.HiddenInput()

    def _show(self, entry: Entry) -> None:
        """Fill in what is laid down, but no secret."""
        self.initial.update(initial_of(entry.settings))
        told = {name: getattr(entry, name) for name in _ABOUT}
        self.initial.update({**told, "group": entry.group_id, "policy": entry.policy_id})
        self.fields["kind"].disabled = True

    def write(self) -> Entry | None:
        """Add the entry, or change what differs."""
        try:
            group = group_for(self.seen_by, self.cleaned_data["group"])
            return self._change(group) if self.instance.pk else self._add(group)
        except GroupRefused as refused:
            self.refuse("group", refused)
        except SettingRefused as refused:
            self.refuse(f"{PREFIX}{refused.setting}", f"Use {refused.accepted}.")
        except DecryptionFailed as error:
            self.refuse("", f"{error}.")
        return None

    def _add(self, group: DeviceGroup | None) -> Entry | None:
        if portal_place() is None:
            self.refuse("", "This console is no portal: name its primary in TSCM_PORTAL_PRIMARY.")
            return None
        told = {name: self.cleaned_data[name] for name in (*_ABOUT, "policy")}
        settings = changes_of(self.cleaned_data, self.settings, {})
        newcomer = Newcomer(**{**told, "group": group, "settings": settings})
        self.made = add_entry(newcomer=newcomer, actor=self.actor, now=self.now)
        return self.made.entry

    def _change(self, group: DeviceGroup | None) -> Entry:
        entry = Entry.objects.get(pk=self.instance.pk)
        lock(entry)
        self.refuse_outdated(_facts(entry))
        change = Change(
            changes_of(self.cleaned_data, self.settings, entry.settings),
            policy=self.cleaned_data["policy"],
        )
        about = {name: self.cleaned_data[name] for name in _ABOUT if name not in ("kind", "group")}
        entry = configure_entry(
            entry=entry, change=change, about=about, actor=self.actor, now=self.now
        )
        return move_entry(entry=entry, group=group, actor=self.actor, now=self.now)


def _facts(entry: Entry) -> list[object]:
    """Return what the form shows of an entry."""
    told = (getattr(entry, name) for name in _ABOUT if name != "group")
    return [*told, entry.group_id, entry.policy_id, entry.settings]


def _inherited_texts(entry: Entry) -> dict[str, str]:
    try:
        return inherited_texts(effective_of(entry, inherited_by(entry)))
    except DecryptionFailed:  # which the panel of what is in force tells
        return {}
