"""snapshots, return, release: the history of a policy."""

from __future__ import annotations

from datetime import datetime

from policies import services
from policies.models import Policy, Snapshot
from policies.tasks import nudge
from tsadmin.commands.facts import snapshot_json
from tsadmin.commands.finding import find_policy
from tsadmin.commands.refreshed import addresses_of
from tsadmin.errors import Refused
from tsadmin.screen import print_hint, print_json, print_line, print_table
from tsadmin.site import actor

COLUMNS = ("Snapshot", "Published", "Entries", "Gained", "Lost", "State", "Note")
SHOWN = 50


def list_snapshots(*, name: str, as_json: bool) -> None:
    """Print the newest snapshots of a policy."""
    policy = find_policy(name)
    rows = list(policy.snapshots.order_by("-number")[: SHOWN + 1])
    shown = rows[:SHOWN]
    if as_json:
        print_json({**_pin(policy), "snapshots": [_row_json(policy, one) for one in shown]})
        return
    if not shown:
        print_hint(f"Nothing of {policy} was published yet.")
        return
    print_table(COLUMNS, [_row(policy, one) for one in shown])
    if len(rows) > SHOWN:
        print_hint(f"The newest {SHOWN} are shown; the console has all of them.")
    if policy.pinned_at is not None:
        print_hint(f"Pinned by {policy.pinned_by}. Follow its sources: tsadmin release {name}")


def return_to(*, name: str, number: int, now: datetime, as_json: bool) -> None:
    """Publish an earlier snapshot again, and keep the policy there."""
    policy = find_policy(name)
    snapshot = policy.snapshots.filter(number=number).first()
    if snapshot is None:
        raise Refused(f"{policy} has no snapshot {number}; see 'tsadmin snapshots {name}'")
    report = services.return_to_snapshot(snapshot=snapshot, actor=actor(), now=now)
    policy = find_policy(name)
    if as_json:
        print_json({**_pin(policy), "is_published": report is not None})
        return
    print_line(f"Returned to snapshot {number} of {policy}.", tone="success")
    if report is None:
        print_hint("A worker is at the policy; the next one publishes it within a minute.")
    print_hint(f"It stays there until it is released: tsadmin release {name}")


def release(*, name: str, now: datetime, as_json: bool) -> None:
    """Let a policy follow its sources again."""
    policy = find_policy(name)
    services.release_policy(policy=policy, actor=actor(), now=now)
    nudge()
    if as_json:
        print_json(_pin(find_policy(name)))
    else:
        print_line(f"{policy} follows its sources again.", tone="success")


def _pin(policy: Policy) -> dict[str, object]:
    return {
        "policy": policy.name,
        "state": policy.state,
        "current": policy.current.number if policy.current else None,
        "pinned": policy.pinned.number if policy.pinned else None,
        "pinned_at": policy.pinned_at,
        "pinned_by": policy.pinned_by,
    }


def _standing(policy: Policy, snapshot: Snapshot) -> str:
    words = {policy.current_id: "current", policy.pinned_id: "pinned"}
    return words.get(snapshot.pk, "")


def _row(policy: Policy, snapshot: Snapshot) -> tuple[str, ...]:
    return (
        str(snapshot.number),
        f"{snapshot.created_at:%Y-%m-%d %H:%M}",
        f"{snapshot.entries:,}",
        f"+{addresses_of(snapshot, 'added'):,}",
        f"-{addresses_of(snapshot, 'removed'):,}",
        _standing(policy, snapshot),
        snapshot.note,
    )


def _row_json(policy: Policy, snapshot: Snapshot) -> dict[str, object]:
    return {
        **snapshot_json(snapshot),
        "is_current": snapshot.pk == policy.current_id,
        "note": snapshot.note,
    }
