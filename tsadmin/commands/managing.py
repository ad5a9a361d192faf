"""add, configure, remove: the settings of devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from devices import services
from devices.kinds import KINDS, rules
from devices.kinds.base import Kind, Setting, SettingRefused
from devices.models import Device
from policies.models import Policy
from policies.tasks import nudge
from tsadmin import ask
from tsadmin.commands import following, next_steps
from tsadmin.commands.facts import device_urls, facts_of, url_lines
from tsadmin.commands.finding import find_device
from tsadmin.commands.updating import update_device
from tsadmin.commands.waiting import nudge_enforcers
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_facts, print_hint, print_json, print_line
from tsadmin.site import actor
from tsadmin.words import label, shown


@dataclass(frozen=True, slots=True)
class Manner:
    """How a command speaks."""

    may_ask: bool
    advanced: bool
    as_json: bool


def add_device(
    *,
    kind: str,
    nickname: str,
    given: Mapping[str, object],
    policy: str | None,
    manner: Manner,
    update: bool,
) -> None:
    """Add a device from flags and answers, and print its feed URLs where it has some."""
    described = KINDS[kind]
    _refuse_foreign(described, given)
    name = rules.nickname("device name", nickname)
    wanted = following.wanted_policy(policy, given=given)
    shared = wanted.policy if wanted else None
    asked = _asked(described, manner=manner)
    if shared:
        asked = following.without_lists(asked)
    answers = _answers(described, name, (s for s in asked if s.name not in given), manner=manner)
    values = {**described.clean(given), **answers}
    _refuse_missing(described, values)
    device = _add(described, name, values, policy=shared, manner=manner)
    if not manner.as_json:
        print_line(f"Added {name}.", tone="success")
        if urls := device_urls(device):
            print_facts(url_lines(urls))
    if update:
        update_device(nickname=name, accept_change=False, as_json=manner.as_json)
        return
    nudge()
    if manner.as_json:
        print_json(facts_of(device, now=timezone.now()).json())
    else:
        print_hint(next_steps.after_add(device))


def configure_device(
    *, nickname: str, given: Mapping[str, object], policy: str | None, manner: Manner
) -> None:
    """Change settings from flags, or from answers when no flag was given."""
    device = find_device(nickname)
    described, node = KINDS[device.kind], device.node
    _refuse_foreign(described, given)
    changes = described.clean(given)
    wanted = following.wanted_policy(policy, given=given)
    before, followed = services.settings_of(device), device.policy.name
    if wanted is None:
        following.refuse_lists(device, changes)
        changes = changes or _new_answers(device, before, manner=manner)
    elif wanted.policy is None and not following.has_own_lists(device):
        changes = following.own_lists(described, changes, may_ask=manner.may_ask)
    if changes or wanted:
        device = _configure(nickname, changes, before, wanted=wanted, manner=manner)
        nudge()
        nudge_enforcers(node, device.node)
    _print_changes(device, before, followed=followed, manner=manner)


def _new_answers(
    device: Device, before: Mapping[str, object], *, manner: Manner
) -> dict[str, object]:
    """Ask for each setting; raises Misused where nobody is there."""
    if not manner.may_ask:
        raise Misused(
            f"nothing to change: name a flag, see 'tsadmin configure --help' ({device.nickname})"
        )
    print_hint("ENTER keeps the value in brackets; 'none' empties one.")
    asked = _asked(KINDS[device.kind], manner=manner)
    if device.set_by_portal:
        print_hint(f"What the portal {device.portal} lays down is not asked; see tsadmin override.")
        asked = [setting for setting in asked if setting.name not in device.set_by_portal]
    if not following.has_own_lists(device):
        print_hint(f"Its lists are those of the policy {device.policy.name}.")
        asked = following.without_lists(asked)
    return ask.ask_settings(asked, current=before)


def _print_changes(
    device: Device, before: Mapping[str, object], *, followed: str, manner: Manner
) -> None:
    after, described = services.settings_of(device), KINDS[device.kind]
    changed = [setting for setting in described.settings if _differs(setting, before, after)]
    names = [setting.name for setting in changed]
    lines = [(label(one), _change(one, before, after)) for one in changed]
    if device.policy.name != followed:
        names, lines = ["policy", *names], [("Policy", f"{followed} -> {device.policy}"), *lines]
    if manner.as_json:
        print_json({**facts_of(device, now=timezone.now()).json(), "changed": names})
    elif lines:
        print_facts(lines)
        print_hint(next_steps.after_change(device))
    else:
        print_line("Nothing changed.")


def remove_device(*, nickname: str, yes: bool, manner: Manner) -> None:
    """Remove a device after a question."""
    device = find_device(nickname)
    if not yes:
        ask.confirm_removal(nickname, consequence=next_steps.removal(device), asking=manner.may_ask)
    _remove(device, now=timezone.now())
    nudge_enforcers(device.node)
    if manner.as_json:
        print_json({"removed": nickname})
    else:
        print_line(f"Removed {nickname}. {next_steps.after_removal(device)}", tone="success")


def _remove(device: Device, *, now: datetime) -> None:
    if device.is_sample:
        services.remove_sample(actor=actor(), now=now, only=device)
    else:
        services.remove_device(device=device, actor=actor(), now=now)


def _asked(kind: Kind, *, manner: Manner) -> list[Setting]:
    return [s for s in kind.settings if manner.advanced or not s.is_advanced]


def _answers(
    kind: Kind, nickname: str, asked: Iterable[Setting], *, manner: Manner
) -> dict[str, object]:
    """Ask what no flag said; nothing where nobody is there."""
    if not manner.may_ask:
        return {}
    if Device.objects.filter(nickname=nickname).exists():  # before the questions, not after them
        raise Refused(f"a device named {nickname} exists; choose another name")
    print_hint(f"Configuring '{kind.label}'. ENTER accepts the default.")
    return ask.ask_settings(asked)


def _refuse_foreign(kind: Kind, given: Iterable[str]) -> None:
    """Raise Misused for flags of settings that another kind has."""
    foreign = [f"--{name}" for name in given if name not in {one.name for one in kind.settings}]
    if foreign:
        raise Misused(
            f"a device of type {kind.name} ({kind.label}) has no {' and no '.join(foreign)}"
        )


def _refuse_missing(kind: Kind, values: Mapping[str, object]) -> None:
    missing = [f"--{s.name}" for s in kind.settings if s.is_required and s.name not in values]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise Misused(f"{' and '.join(missing)} {verb} required (asked for on a terminal only)")


def _add(
    kind: Kind,
    nickname: str,
    values: dict[str, object],
    *,
    policy: Policy | None,
    manner: Manner,
) -> Device:
    """Add the device; an answer that does not fit the others is asked again."""
    while True:
        try:
            return services.add_device(
                kind=kind.name,
                nickname=nickname,
                settings=values,
                policy=policy,
                actor=actor(),
                now=timezone.now(),
            )
        except SettingRefused as error:
            values |= _asked_again(kind, error, values, manner=manner)


def _configure(
    nickname: str,
    changes: dict[str, object],
    before: Mapping[str, object],
    *,
    wanted: following.Wanted | None,
    manner: Manner,
) -> Device:
    while True:
        device = find_device(nickname)  # anew: a refused change may have touched the one before
        try:
            return _change_device(device, changes, wanted=wanted)
        except SettingRefused as error:
            kind = KINDS[device.kind]
            changes |= _asked_again(kind, error, {**before, **changes}, manner=manner)


def _change_device(
    device: Device, changes: Mapping[str, object], *, wanted: following.Wanted | None
) -> Device:
    """Change the settings and the policy, both or neither."""
    now = timezone.now()
    if wanted and wanted.policy is None:
        return services.own_lists(device=device, settings=changes, actor=actor(), now=now)
    with transaction.atomic():
        if changes:
            services.configure_device(device=device, changes=changes, actor=actor(), now=now)
        if wanted and wanted.policy:
            services.assign_policy(device=device, policy=wanted.policy, actor=actor(), now=now)
    return device


def _asked_again(
    kind: Kind, error: SettingRefused, values: Mapping[str, object], *, manner: Manner
) -> dict[str, object]:
    """Explain a refusal and ask that setting once more; raises the refusal where nobody is."""
    setting = next((s for s in kind.settings if s.name == error.setting), None)
    if setting is None or not manner.may_ask:
        raise error
    ask.explain_answer(f"{label(setting)} {values.get(setting.name, '')}: use {error.accepted}")
    answer = ask.ask_setting(setting, offered="")
    return {setting.name: setting.clean("") if answer is None else answer}


def _differs(setting: Setting, before: Mapping[str, object], after: Mapping[str, object]) -> bool:
    return (before[setting.name] or "") != (after[setting.name] or "")


def _change(setting: Setting, before: Mapping[str, object], after: Mapping[str, object]) -> str:
    old, new = shown(setting, before[setting.name]), shown(setting, after[setting.name])
    return "changed" if setting.is_secret and old == new else f"{old} -> {new}"
