"""fleet rollout list, show, add, start, stop, resume, undo, remove."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fleet.api.rollouts import RolloutSerializer, StandingSerializer
from fleet.models import Rollout
from fleet.reports.trial import standings_of
from fleet.services import rollouts as services
from fleet.services.steering import Unset
from fleet.tasks import nudge
from policies.words import said
from tsadmin import ask
from tsadmin.commands.device_groups import find_group
from tsadmin.commands.steering import Wanted
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_facts, print_hint, print_json, print_line, print_table
from tsadmin.site import actor

COLUMNS = ("Rollout", "State", "First group", "Goes to", "Changes", "Since")
STANDINGS = ("Device", "Does", "What to know")
MOVES: Mapping[str, Callable[..., Rollout]] = {
    "start": services.start_rollout,
    "stop": services.stop_rollout,
    "resume": services.resume_rollout,
    "undo": services.undo_rollout,
}


@dataclass(frozen=True, slots=True)
class Way:
    """How a change goes about, as typed."""

    name: str
    first: str
    onward: Sequence[str]
    minutes: str
    begin: bool


def list_rollouts(*, as_json: bool) -> None:
    """Print the rollouts."""
    rows = list(Rollout.objects.select_related("canary", "policy").prefetch_related("onward"))
    if as_json:
        print_json({"rollouts": [RolloutSerializer(one).data for one in rows]})
    elif rows:
        print_table(COLUMNS, [_row(one) for one in rows])
    else:
        print_hint("No rollouts yet. See 'tsadmin fleet rollout add --help'.")


def show_rollout(*, name: str, now: datetime, as_json: bool) -> None:
    """Print one rollout, and how the devices of its first group do."""
    rollout = find_rollout(name)
    standings = standings_of(rollout, now=now)
    if as_json:
        told = [StandingSerializer(one).data for one in standings]
        print_json({**RolloutSerializer(rollout).data, "standings": told})
        return
    print_facts(_facts(rollout))
    if rollout.begun_at is not None and standings:
        print_line("")
        print_table(
            STANDINGS,
            [(one.entry.nickname, str(one.said.label), one.said.detail) for one in standings],
        )


def add_rollout(*, way: Way, wanted: Wanted, now: datetime, as_json: bool) -> None:
    """Lay down a rollout, and start it where that is asked for."""
    if not way.minutes.isascii() or not way.minutes.isdecimal() or len(way.minutes) > 9:
        raise Misused("--minutes takes a number")
    change = wanted.change()
    intended = services.Intended(
        name=way.name,
        canary=find_group(way.first),
        onward=tuple(find_group(one) for one in way.onward),
        minutes=int(way.minutes),
        settings=change.settings,
        policy=None if isinstance(change.policy, Unset) else change.policy,
    )
    rollout = services.add_rollout(intended=intended, actor=actor(), now=now)
    if way.begin:
        rollout = services.start_rollout(rollout=rollout, actor=actor(), now=now)
        nudge()
    if as_json:
        print_json(RolloutSerializer(rollout).data)
        return
    print_line(f"Laid down {rollout.name}: {rollout.state_word.label}.", tone="success")
    if not way.begin:
        print_hint(f"Start it: tsadmin fleet rollout start {shlex.quote(rollout.name)}")


def move_rollout(*, deed: str, name: str, now: datetime, as_json: bool) -> None:
    """Start, stop, resume or undo a rollout."""
    rollout = MOVES[deed](rollout=find_rollout(name), actor=actor(), now=now)
    nudge()
    if as_json:
        print_json(RolloutSerializer(rollout).data)
    else:
        detail = f" {rollout.detail}" if rollout.detail else ""
        print_line(f"{rollout.name}: {rollout.state_word.label}.{detail}", tone="success")


def remove_rollout(*, name: str, yes: bool, asking: bool, now: datetime, as_json: bool) -> None:
    """Remove a rollout after a question."""
    rollout = find_rollout(name)
    if not yes:
        ask.confirm_removal(name, consequence="What it changed stays.", asking=asking)
    services.remove_rollout(rollout=rollout, actor=actor(), now=now)
    if as_json:
        print_json({"removed": name})
    else:
        print_line(f"Removed {name}.", tone="success")


def find_rollout(name: str) -> Rollout:
    """Return the rollout of this name; raises Refused."""
    rows = Rollout.objects.select_related("canary", "policy").prefetch_related("onward")
    rollout = rows.filter(name=name).first()
    if rollout is None:
        raise Refused(f"there is no rollout {name}; see 'tsadmin fleet rollout list'")
    return rollout


def _changes(rollout: Rollout) -> str:
    told = [f"{name} to {said(value)}" for name, value in rollout.settings.items()]
    return ", ".join([*told, *([f"policy {rollout.policy.name}"] if rollout.policy else [])])


def _row(rollout: Rollout) -> tuple[str, ...]:
    return (
        rollout.name,
        str(rollout.state_word.label),
        rollout.canary.name,
        ", ".join(group.name for group in rollout.onward.all()),
        _changes(rollout),
        f"{rollout.begun_at:%Y-%m-%d %H:%M} UTC" if rollout.begun_at else "",
    )


def _facts(rollout: Rollout) -> list[tuple[str, str]]:
    healthy = rollout.healthy_since
    return [
        *zip(COLUMNS, _row(rollout), strict=True),
        ("Minutes", str(rollout.minutes)),
        ("Healthy since", f"{healthy:%Y-%m-%d %H:%M} UTC" if healthy else ""),
        ("Detail", rollout.detail),
        ("Laid down by", rollout.created_by),
    ]
