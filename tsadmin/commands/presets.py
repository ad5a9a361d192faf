"""source presets, add-preset: the catalogue of public lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from policies.api.presets import PresetSerializer
from policies.presets import CATALOGUE
from policies.services import add_preset as presets
from policies.services.add_preset import Offered, catalogue
from policies.states import Role
from policies.tasks import nudge
from policies.words import count
from tsadmin.commands.finding import find_policy_itself
from tsadmin.commands.given import read_settings
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_hint, print_json, print_line, print_table
from tsadmin.site import actor

COLUMNS = ("Key", "To", "About", "Refresh", "Added", "What it lists", "Terms")


def list_presets(*, as_json: bool) -> None:
    """Print the catalogue, and which of it the site has."""
    offered = catalogue()
    if as_json:
        print_json({"presets": PresetSerializer(offered, many=True).data})
    else:
        print_table(COLUMNS, [_row(one) for one in offered])


def add_preset(
    *,
    key: str,
    given: Sequence[str],
    policy: str | None,
    role: str | None,
    now: datetime,
    as_json: bool,
) -> None:
    """Add a preset, and let a policy take it where one is named."""
    if key not in CATALOGUE:
        raise Refused(f"no preset is named {key}; see 'tsadmin source presets'")
    if role is not None and (role not in Role.values or policy is None):
        raise Misused("--as takes block or allow, and comes with --policy")
    taking = None if policy is None else find_policy_itself(policy)
    source = presets.add_preset(
        preset=CATALOGUE[key],
        settings=read_settings(given),
        policy=taking,
        role=None if role is None else Role(role),
        actor=actor(),
        now=now,
    )
    nudge()
    if as_json:
        print_json({"source": source.name, "source_id": source.pk, "policy": policy})
        return
    print_line(f"Added {source.name}.", tone="success")
    if policy is None:
        print_hint("No policy takes it yet: it is retrieved once one does.")


def _row(offered: Offered) -> tuple[str, ...]:
    preset = offered.preset
    return (
        preset.key,
        preset.serves,
        count(preset.entries),
        f"{preset.refresh_minutes // 60} h",
        offered.source.name if offered.source is not None else "no",
        f"{preset.lists} {preset.caution}".rstrip(),
        preset.licence,
    )
