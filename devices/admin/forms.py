"""Add and change a device: the settings of its kind, and the policy it follows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from devices.admin.fields import as_text, field_for
from devices.kinds import CHOICES, KINDS
from devices.kinds.base import Kind, SettingRefused
from devices.models import Device, DeviceGroup
from devices.services import (
    DeviceRefused,
    GroupRefused,
    SetByPortal,
    add_device,
    assign_group,
    assign_policy,
    configure_device,
    group_for,
    lists_of,
    own_lists,
)
from devices.services.manage import SECRETS
from devices.services.own_policy import LIST_SETTINGS
from devices.services.refused import POLICY, sentence_of
from policies.admin.writes import ServiceForm
from policies.models import Policy

Fieldset = tuple[str | None, dict[str, Any]]

# The settings of every kind, by what they are for; those of a kind that stand nowhere come last.
_PURPOSES: tuple[tuple[str | None, str, tuple[str, ...]], ...] = (
    (None, "", ("device_id", "management_ip", "group", "note")),
    (
        "Policy",
        "Without a policy to follow, a device gets one of its own, from its list names.",
        (
            "policy", "block_list", "allow_list", "dns_server", "dns_port", "policy_updates",
            "max_policy_size",
        ),
    ),
    ("Delivery", "Who may fetch the feeds.", ("client_networks",)),
    (
        "Enforcement",
        "A change that cuts off an address which must stay reachable is rolled back.",
        (
            "node", "enforcer", "verdict", "log_limit", "cut_connections", "canaries",
            "test_address",
        ),
    ),
    (
        "Logs",
        "",
        (
            "send_logs", "syslog_sources", "log_names", "log_size", "log_quota", "log_writer",
            "syslog_forward", "forward_source",
        ),
    ),
    ("Upload proxy", "", ("upload_proxy", "upload_proxy_user", *SECRETS)),
    ("Public address", "", ("ip_type", "public_ip", "domain_name")),
)  # fmt: skip
_IDENTITY = ("nickname", "kind")
_ROWS = ("policy", "group")  # fields that name other rows, whatever the kind


def kind_named(name: object) -> Kind:
    """Return the kind with this name; the first where there is none."""
    return KINDS.get(str(name), next(iter(KINDS.values())))


def fieldsets_of(kind: Kind, *, without: Iterable[str] = ()) -> list[Fieldset]:
    """Return the settings of a kind as fieldsets by purpose."""
    names = [setting.name for setting in kind.settings if setting.name not in set(without)]
    left = [name for name in names if not any(name in purpose[2] for purpose in _PURPOSES)]
    found: list[Fieldset] = []
    for title, description, wanted in (*_PURPOSES, ("More", "", tuple(left))):
        fields = [name for name in wanted if name in names or name in _ROWS]
        if title is None:
            fields = [*_IDENTITY, *fields]
        if fields:
            found.append((title, {"fields": fields, "description": description}))
    return found


class DeviceForm(ServiceForm):
    """The settings of one device, judged by the rules of its kind."""

    nickname = forms.CharField(
        max_length=64,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Letters, digits, '-' and '_'. It stands in paths and reports.",
    )
    kind = forms.ChoiceField(
        label="Type",
        choices=CHOICES,
        widget=UnfoldAdminSelectWidget(),
    )
    policy = forms.ModelChoiceField(
        Policy.objects.none(),
        label="Policy to follow",
        required=False,
        empty_label="its own, made from the list names below",
        widget=UnfoldAdminSelectWidget(),
    )

    group = forms.ModelChoiceField(
        DeviceGroup.objects.none(),
        required=False,
        empty_label="none",
        widget=UnfoldAdminSelectWidget(),
        help_text="Who is in groups of devices sees only the devices of these.",
    )

    class Meta:
        model = Device
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kind = kind_named(self.instance.kind or self.data.get("kind") or self.initial.get("kind"))
        self.settings = {setting.name: setting for setting in kind.settings}
        for name, setting in self.settings.items():
            self.fields[name] = field_for(setting)
        policies = Policy.objects.filter(is_private=False).only("name")
        if self.instance.pk:
            policies |= Policy.objects.filter(pk=self.instance.policy_id).only("name")
            self._show(self.instance)
            self._lock(self.instance)
        else:
            # It is chosen above the form, which asks for the settings of the chosen kind.
            self.initial["kind"] = kind.name
            self.fields["kind"].widget = forms.HiddenInput()
        field = self.fields["policy"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  declared above
        field.queryset = policies.order_by("name", "id")
        self.offer("group", DeviceGroup.objects.order_by("name", "id"))

    def _show(self, device: Device) -> None:
        """Fill in what is stored, but no secret."""
        lists = lists_of(device)
        for name in self.settings:
            if name in LIST_SETTINGS:
                stored = getattr(lists, name)
                self.initial[name] = as_text(list(stored) if name == "dns_server" else stored)
            elif name not in SECRETS:
                self.initial[name] = as_text(getattr(device, name))
        self.initial.update(nickname=device.nickname, kind=device.kind, policy=device.policy_id)
        self.initial["group"] = device.group_id
        self.fields["nickname"].disabled = self.fields["kind"].disabled = True
        if device.policy.is_private:
            policy = self.fields["policy"]
            policy.required, policy.empty_label = True, None  # type: ignore[attr-defined]
            return
        for name in LIST_SETTINGS:
            self.fields[name].help_text = format_html(
                'The policy {} has its own sources; change them there, or choose "its own" above.',
                device.policy,
            )

    def _lock(self, device: Device) -> None:
        """Show what a portal lays down, and where it is changed."""
        laid_down = dict.fromkeys(device.set_by_portal)
        if POLICY in laid_down:
            laid_down |= dict.fromkeys(LIST_SETTINGS)
        for name in laid_down:
            if name in self.fields:
                self.fields[name].disabled = True
                by = name if name in device.set_by_portal else POLICY
                self.fields[name].help_text = sentence_of(device, by)

    def clean(self) -> dict[str, Any]:
        """Hold what was typed to the rules of the kind."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in self._typed():
            try:
                self.settings[name].clean(cleaned[name])
            except SettingRefused as refused:
                self.refuse(name, f"Use {refused.accepted}.")
        return cleaned

    def _typed(self) -> list[str]:
        """Return the settings that the service is told: on a change, those that differ."""
        there = [name for name in self.settings if name in self.cleaned_data]
        if self.instance.pk:
            there = [name for name in there if name in self.changed_data]
        return [name for name in there if name not in SECRETS or self.cleaned_data[name]]

    def write(self) -> Device | None:
        """Add the device, or change what differs."""
        typed = {name: self.cleaned_data[name] for name in self._typed()}
        try:
            group = group_for(self.seen_by, self.cleaned_data["group"])
            device = self._change(typed) if self.instance.pk else self._add(typed)
            return assign_group(device=device, group=group, actor=self.actor, now=self.now)
        except GroupRefused as refused:
            self.refuse("group", refused)
        except SettingRefused as refused:
            self.refuse(refused.setting, f"Use {refused.accepted}.")
        except SetByPortal as refused:
            self.refuse(refused.setting, refused)
        except DeviceRefused as refused:
            self.refuse(_field_of(str(refused)), refused)
        return None

    def _add(self, settings: dict[str, object]) -> Device:
        if self.cleaned_data["policy"] is not None:
            # The page asks for both and says which one counts.
            settings = {key: one for key, one in settings.items() if key not in LIST_SETTINGS}
        return add_device(
            kind=self.cleaned_data["kind"],
            nickname=self.cleaned_data["nickname"],
            settings=settings,
            policy=self.cleaned_data["policy"],
            actor=self.actor,
            now=self.now,
        )

    def _change(self, changes: dict[str, object]) -> Device:
        device = Device.objects.select_related("policy").get(pk=self.instance.pk)
        policy = self.cleaned_data["policy"]
        if policy is None:
            lists = {name: self.cleaned_data[name] for name in LIST_SETTINGS}
            settings = {**changes, **lists}
            return own_lists(device=device, settings=settings, actor=self.actor, now=self.now)
        if policy != device.policy:
            if device.policy.is_private:
                # The list names were those of its own policy, which goes.
                changes = {key: one for key, one in changes.items() if key not in LIST_SETTINGS}
            device = assign_policy(device=device, policy=policy, actor=self.actor, now=self.now)
        if changes:
            device = configure_device(
                device=device, changes=changes, actor=self.actor, now=self.now
            )
        return device


def _field_of(message: str) -> str:
    """Return the field a refusal of the whole device is about."""
    if message.startswith("the machine "):
        return "node"
    if " ID " in message:
        return "device_id"
    if "follows the policy" in message or "change them there" in message:
        return "policy"
    return "nickname" if "exists" in message else ""
