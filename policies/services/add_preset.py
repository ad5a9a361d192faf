"""Presets: which of the catalogue the site has, and adding one.

catalogue() -> tuple[Offered, ...]
add_preset(*, preset, settings={}, policy=None, role=None, actor, now) -> Source
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from policies.models import Policy, Source
from policies.presets import PRESETS, Preset
from policies.services.manage_policies import Member, change_policy, members_of
from policies.services.manage_sources import create_source
from policies.services.rows import Refused
from policies.services.sources import settings_key
from policies.states import Role

KIND = "http"  # of every preset


@dataclass(frozen=True, slots=True)
class Offered:
    """A preset, and the source that it was added as; None where it was not."""

    preset: Preset
    source: Source | None


def catalogue() -> tuple[Offered, ...]:
    """Return every preset, in the order of the catalogue.

    A source is that of a preset while its settings are: whoever changed them made it their own.
    """
    keys = {_key(preset): preset for preset in PRESETS}
    found = Source.objects.filter(settings_key__in=keys).only("name", "settings_key")
    added = {source.settings_key: source for source in found}
    return tuple(Offered(preset, added.get(key)) for key, preset in keys.items())


def source_of(preset: Preset) -> Source | None:
    """Return the source that a preset was added as; None where it was not."""
    return Source.objects.filter(settings_key=_key(preset)).first()


def preset_settings(preset: Preset, given: Mapping[str, object]) -> dict[str, object]:
    """Return the settings of a preset's source with those that a person brings; raises Refused."""
    for name in given:
        if name not in preset.needs:
            needed = f"{preset.name} takes {', '.join(preset.needs) or 'no settings'}"
            raise Refused(f"{needed}, not {name[:80]!r}", setting="settings")
    return {**preset.settings(), **given}


def add_preset(
    *,
    preset: Preset,
    settings: Mapping[str, object] | None = None,
    policy: Policy | None = None,
    role: Role | None = None,
    actor: str,
    now: datetime,
) -> Source:
    """Make the source of a preset, and let a policy take it where one is given.

    A preset that was added already is only handed to the policy. Without a role it is blocked or
    allowed as the catalogue means it. Raises Refused, and then nothing was changed.
    """
    source = source_of(preset)
    if source is not None and (policy is None or settings):
        raise Refused(
            f"{preset.name} is added already: change source {source.name}, or let a policy take it"
        )
    with transaction.atomic():
        if source is None:
            source = create_source(
                name=preset.name,
                kind=KIND,
                settings=preset_settings(preset, settings or {}),
                options={
                    "refresh_minutes": preset.refresh_minutes,
                    "may_be_empty": preset.may_be_empty,
                    "severity": preset.severity,
                },
                actor=actor,
                now=now,
            )
        if policy is not None:
            member = Member(source, role or Role(preset.serves))
            members = [*members_of(policy), member]
            change_policy(policy=policy, changes={}, members=members, actor=actor, now=now)
    return source


def _key(preset: Preset) -> str:
    return settings_key(kind=KIND, settings=preset.settings())
