"""The one form of the first run: few questions, each with an answer that will do."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from console.overview.board import Person
from devices.kinds.base import Kind
from devices.kinds.common import ALLOW_LIST, BLOCK_LIST
from devices.models import DeviceGroup
from devices.reports.visible import is_limited
from policies.models import Policy
from policies.presets import CATALOGUE, PRESETS, Preset
from policies.visible import visible

POLICIES_OFFERED = 100
_NAMED_LISTS, _PRESET, _POLICY = "lists", "preset:", "policy:"
# What is asked of a kind beside its name, its ID and its lists.
_ASKED = {
    "firepower": ("management_ip", "syslog_sources"),
    "iptables": ("node", "enforcer"),
}
_HELP = {
    "management_ip": "Of the management center. It is never blocked, and its log lines are taken.",
    "syslog_sources": "Of the sensors that send syslog themselves: addresses or networks, with "
    "commas between. Lines from anybody else are refused, and counted.",
    "node": "The name that the machine calls itself by, as hostname prints it.",
    "enforcer": "iptables, or nftables where the machine has no iptables.",
}
_NAMES = {"firepower": "fmc-1", "iptables": "gateway-1"}


class FirstDeviceForm(forms.Form):
    """What to call a device, where it is, and what it is to block."""

    nickname = forms.CharField(
        label="Name",
        max_length=64,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Letters, digits, “-” and “_”. Pages, feeds and log folders carry it.",
    )
    device_id = forms.CharField(
        label="Device ID",
        max_length=64,
        widget=UnfoldAdminTextInputWidget(),
        help_text="The tdid of your account. Without an account, keep this one: it is a part of "
        "the feed URLs, and hard to guess.",
    )

    def __init__(self, kind: Kind, user: Person, *, data: Any = None) -> None:
        """Ask what this kind needs; offer what the person may take."""
        super().__init__(data, initial=_initial(kind))
        self._asked = _ASKED.get(kind.name, ())
        self._ask_for_group(user)
        for setting in kind.settings:
            if setting.name in self._asked:
                self.fields[setting.name] = forms.CharField(
                    label=setting.question.partition(" (")[0],
                    required=setting.is_required,
                    initial=setting.default,
                    max_length=2000,
                    widget=UnfoldAdminTextInputWidget(),
                    help_text=_HELP[setting.name],
                )
        self.fields["follows"] = forms.ChoiceField(
            label="What it is to block",
            choices=list(_offers(user)),
            initial=_NAMED_LISTS,
            widget=UnfoldAdminSelectWidget(),
            help_text="It can be changed at any time. What terms public lists have stands under "
            "Presets.",
        )
        for setting in (BLOCK_LIST, ALLOW_LIST):
            self.fields[setting.name] = forms.CharField(
                label=setting.question.partition(" (")[0],
                required=False,
                initial=setting.default,
                max_length=253,
                widget=UnfoldAdminTextInputWidget(),
                help_text="Only for the lists of an account: the name of a DNS list.",
            )

    def _ask_for_group(self, user: Person) -> None:
        """Ask which group it goes into, where the person is in several."""
        groups = visible(DeviceGroup.objects.order_by("name", "id"), user)
        if is_limited(user) and len(groups[:2]) > 1:
            self.fields["group"] = forms.ModelChoiceField(
                groups,
                empty_label=None,
                widget=UnfoldAdminSelectWidget(),
                help_text="One of yours: only who is in it, and who sees all, sees the device.",
            )

    def settings(self) -> dict[str, object]:
        """Return the settings that the person typed; call it once the form is valid."""
        names = ("device_id", *self._asked)
        lists = (BLOCK_LIST.name, ALLOW_LIST.name)
        if self.cleaned_data["follows"] == _NAMED_LISTS:
            names = (*names, *lists)
        return {name: self.cleaned_data[name] for name in names}

    @property
    def follows(self) -> Policy | Preset | None:
        """The policy or the preset that is to be followed; None for lists by their names."""
        if chosen := self._chosen(_POLICY):
            return Policy.objects.get(pk=int(chosen))
        return CATALOGUE.get(self._chosen(_PRESET))

    @property
    def group(self) -> DeviceGroup | None:
        """The group that was chosen; None where nothing was asked."""
        group: DeviceGroup | None = self.cleaned_data.get("group")
        return group

    def refuse(self, field: str, reason: Exception) -> None:
        """Put a reason beside its field; above the form where it has none."""
        self.add_error(field if field in self.fields else None, str(reason))

    def _chosen(self, prefix: str) -> str:
        chosen = str(self.cleaned_data["follows"])
        return chosen.removeprefix(prefix) if chosen.startswith(prefix) else ""


def _initial(kind: Kind) -> dict[str, object]:
    return {
        "nickname": _NAMES.get(kind.name, ""),
        "device_id": f"tdid_{secrets.token_hex(4)}",
    }


def _offers(user: Person) -> Iterator[tuple[str, Any]]:
    """Yield what a device may follow: lists by name, public lists, policies that are there."""
    yield _NAMED_LISTS, "The lists of an account, by their names below"
    if user.has_perms(("policies.add_policy", "policies.add_source")):
        yield (
            "A public list, without an account",
            [
                (f"{_PRESET}{one.key}", f"{one.name}: {one.lists}")
                for one in PRESETS
                if one.serves == "block" and not one.needs
            ],
        )
    if user.has_perm("policies.view_policy"):
        rows = Policy.objects.filter(is_private=False).order_by("name", "id")
        found = [
            (f"{_POLICY}{pk}", name)
            for pk, name in rows.values_list("pk", "name")[:POLICIES_OFFERED]
        ]
        if found:
            yield "A policy of this site", found
