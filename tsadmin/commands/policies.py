"""policy list, show, add, configure, remove: what is blocked and allowed, and its guard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count

from policies import services
from policies.api.serializers import PolicySerializer
from policies.models import Policy, PolicySource
from policies.services.manage_policies import POLICY_COLUMNS
from policies.tasks import nudge
from policies.words import said
from tsadmin import ask
from tsadmin.commands import policy_tests
from tsadmin.commands.columns import read_columns
from tsadmin.commands.facts import snapshot_text
from tsadmin.commands.finding import find_policy_itself
from tsadmin.commands.given import read_settings
from tsadmin.commands.members import Wanted
from tsadmin.errors import Misused
from tsadmin.screen import print_facts, print_hint, print_json, print_line, print_table
from tsadmin.site import actor

COLUMNS = ("Policy", "For", "State", "Snapshot", "Entries", "Sources", "Devices")
SOURCES = ("Source", "As", "Priority", "State", "Entries", "Retrieved")
_SHARED, _PRIVATE = "sharing", "one device"


def list_policies(*, as_json: bool) -> None:
    """Print every policy."""
    policies = Policy.objects.select_related("current").annotate(
        source_total=Count("policy_sources", distinct=True),
        device_total=Count("devices", distinct=True),
    )
    rows = list(policies.order_by("name", "id"))
    if as_json:
        print_json({"policies": [_row_json(one) for one in rows]})
    elif rows:
        print_table(COLUMNS, [_row(one) for one in rows])
    else:
        print_hint("No policies yet. See 'tsadmin policy add --help'.")


def show_policy(*, name: str, as_json: bool) -> None:
    """Print everything about one policy."""
    policy = find_policy_itself(name)
    if as_json:
        print_json(policy_json(policy))
        return
    print_facts(_facts(policy))
    links = policy.policy_sources.select_related("source").order_by("-role", "priority", "id")
    _print_part(SOURCES, [_source_row(one) for one in links])
    tried = policy_tests.try_tests(policy)
    _print_part(policy_tests.COLUMNS, [one.row() for one in tried])


def add_policy(
    *, name: str, wanted: Wanted, given: Sequence[str], now: datetime, as_json: bool
) -> None:
    """Make a policy from flags."""
    options = read_columns(read_settings(given), model=Policy, known=POLICY_COLUMNS)
    if "name" in options:
        raise Misused(f"--set name: the policy is named {name} already")
    policy = services.create_policy(
        name=name,
        members=wanted.members() or [],
        options=options,
        actor=actor(),
        now=now,
    )
    nudge()
    if as_json:
        print_json(policy_json(find_policy_itself(policy.name)))
        return
    print_line(f"Added {policy}.", tone="success")
    print_hint(
        f"At once: tsadmin policy update {policy}. A device follows it with: tsadmin configure "
        f"DEVICE --policy {policy}"
    )


def configure_policy(
    *, name: str, wanted: Wanted, given: Sequence[str], now: datetime, as_json: bool
) -> None:
    """Change the sources and the columns that flags name."""
    policy = find_policy_itself(name)
    changes = read_columns(read_settings(given), model=Policy, known=POLICY_COLUMNS)
    members = wanted.members(policy)
    if members is None and not changes:
        raise Misused("nothing to change: name a flag, see 'tsadmin policy configure --help'")
    services.change_policy(policy=policy, changes=changes, members=members, actor=actor(), now=now)
    nudge()
    policy = find_policy_itself(policy.name)
    if as_json:
        print_json(policy_json(policy))
        return
    print_line(f"Changed {policy}.", tone="success")
    print_hint(f"In effect within a minute. At once: tsadmin policy update {policy}")


def remove_policy(*, name: str, yes: bool, asking: bool, now: datetime, as_json: bool) -> None:
    """Remove a policy after a question."""
    policy = find_policy_itself(name)
    if not yes:
        ask.confirm_removal(name, consequence="Its snapshots go with it.", asking=asking)
    services.delete_policy(policy=policy, actor=actor(), now=now)
    if as_json:
        print_json({"removed": name})
    else:
        print_line(f"Removed {name}. Its sources stay.", tone="success")


def policy_json(policy: Policy) -> dict[str, object]:
    """Return a policy as the API does, with how its tests end and the names of its devices."""
    tests = [one.json() for one in policy_tests.try_tests(policy)]
    return {**PolicySerializer(policy).data, "tests": tests, "devices": _devices(policy)}


def _print_part(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if rows:
        print_line("")
        print_table(titles, rows)


def _facts(policy: Policy) -> list[tuple[str, str]]:
    pinned_at = policy.pinned_at
    return [
        ("Policy", policy.name + (" (sample)" if policy.is_sample else "")),
        ("For", _owner(policy)),
        *([("Note", policy.note)] if policy.note else []),
        ("State", ". ".join(filter(None, (_state(policy), policy.state_detail)))),
        *(
            [("Pinned", f"{pinned_at:%Y-%m-%d %H:%M} UTC by {policy.pinned_by}")]
            if pinned_at
            else []
        ),
        ("Snapshot", snapshot_text(policy.current)),
        ("Devices", ", ".join(_devices(policy)) or "none"),
        *((name, _said(getattr(policy, name))) for name in POLICY_COLUMNS[2:]),
    ]


def _said(value: object) -> str:
    return str(value) if isinstance(value, Decimal) else said(value)


def _state(policy: Policy) -> str:
    label = str(policy.state_word.label)
    return f"{label}, updates off" if policy.is_paused else label


def _owner(policy: Policy) -> str:
    return _PRIVATE if policy.is_private else _SHARED


def _devices(policy: Policy) -> list[str]:
    return list(policy.devices.order_by("nickname", "id").values_list("nickname", flat=True))


def _source_row(taken: PolicySource) -> tuple[str, ...]:
    source = taken.source
    at = source.retrieved_at
    return (
        source.name,
        taken.role,
        str(taken.priority),
        str(source.state_word.label) if source.is_enabled else "turned off",
        f"{source.list_entries:,}",
        f"{at:%Y-%m-%d %H:%M}" if at else "never",
    )


def _row(policy: Any) -> tuple[str, ...]:
    current = policy.current
    return (
        policy.name,
        _owner(policy),
        _state(policy),
        str(current.number) if current else "none",
        f"{current.entries:,}" if current else "",
        str(policy.source_total),
        str(policy.device_total),
    )


def _row_json(policy: Any) -> dict[str, object]:
    current = policy.current
    return {
        "name": policy.name,
        "is_private": policy.is_private,
        "is_paused": policy.is_paused,
        "state": policy.state,
        "snapshot": current.number if current else None,
        "entries": current.entries if current else None,
        "sources": policy.source_total,
        "devices": policy.device_total,
    }
