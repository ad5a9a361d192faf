"""diff: what changed between two snapshots of a policy, and because of which source?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import typer

from policies.models import Candidate, Policy, Snapshot
from policies.reports.difference import (
    CauseCounts,
    Compiled,
    Counts,
    ListDifference,
    causes,
    list_difference,
)
from policies.states import Role
from policies.words import addresses
from tsadmin.commands.finding import find_policy
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_hint, print_json, print_line, print_table
from tsadmin.words import counted

SHOWN = 20
CANDIDATE = "candidate"
NO_SOURCE = "no source: a protected address, a limit or a setting"

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Told:
    """A difference, ready to be printed."""

    before: Snapshot
    after: Compiled
    role: Role
    block: ListDifference
    allow: ListDifference
    causes: tuple[CauseCounts, ...]

    @property
    def prefixes(self) -> ListDifference:
        """The list whose prefixes are told."""
        return self.block if self.role == Role.BLOCK else self.allow


def print_diff(
    *, name: str, before: str, after: str, role: Role, everything: bool, as_json: bool
) -> None:
    """Print what changed; `everything` gives every prefix as a line, and nothing else."""
    policy = find_policy(name)
    newer = _newer(policy, after)
    told = _told(_older(policy, before, newer), newer, role)
    if everything:
        for text in told.prefixes.text():
            typer.echo(text.decode("ascii"), nl=False)
    elif as_json:
        print_json(_json(told))
    else:
        _print(told)


def _told(before: Snapshot, after: Compiled, role: Role) -> Told:
    try:
        block, allow = (list_difference(before, after, one) for one in (Role.BLOCK, Role.ALLOW))
        return Told(before, after, role, block, allow, causes(before, after, block))
    except (OSError, ValueError) as error:
        raise Refused(f"a list cannot be read: {error}") from error


def _newer(policy: Policy, text: str) -> Compiled:
    if text == CANDIDATE:
        candidate = Candidate.objects.select_related("policy").filter(policy=policy).first()
        if candidate is None:
            raise Refused(f"the guard holds nothing of policy {policy}")
        return candidate
    if text:
        return _snapshot(policy, text)
    if policy.current is None:
        raise Refused(f"policy {policy} has published nothing yet")
    return policy.current


def _older(policy: Policy, text: str, newer: Compiled) -> Snapshot:
    if text:
        return _snapshot(policy, text)
    if isinstance(newer, Candidate):
        found = policy.current
    else:
        earlier = policy.snapshots.filter(number__lt=newer.number)
        found = earlier.order_by("-number").first()
    if found is None:
        raise Refused(f"no snapshot of policy {policy} is kept to compare with")
    return found


def _snapshot(policy: Policy, text: str) -> Snapshot:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Misused(f"{text} is no number of a snapshot")
    found = policy.snapshots.filter(number=int(text)).first()
    if found is not None:
        return found
    kept = policy.snapshots.order_by("-number").values_list("number", flat=True)[:10]
    numbers = ", ".join(map(str, kept)) or "none"
    raise Refused(f"snapshot {text} of policy {policy} is not kept; the newest are: {numbers}")


def _print(told: Told) -> None:
    print_line(f"From {told.before} to {told.after}:")
    rows = [
        (f"{name} list", _count(one.added), _count(one.removed))
        for name, one in (("block", told.block), ("allow", told.allow))
    ]
    print_table(("", "Added", "Removed"), rows)
    if told.causes:
        print_line("")
        titles = ("Source", "As", "Added", "Removed", "Entries of its list", "")
        print_table(titles, list(map(_cause_row, told.causes)))
    if shown := told.prefixes.page(0, SHOWN):
        print_line("")
        for change in shown:
            print_line(str(change), tone="success" if change.sign == "+" else "danger")
    if len(told.prefixes) > SHOWN:
        more = len(told.prefixes) - SHOWN
        print_hint(f"{more:,} more prefixes; --all prints them all.")


def _cause_row(one: CauseCounts) -> tuple[str, ...]:
    name, role = one.name or NO_SOURCE, str(one.role or "")
    entries = f"+{one.entries.added:,} -{one.entries.removed:,}" if one.entries else ""
    return (name, role, _count(one.added), _count(one.removed), entries, one.trouble)


def _count(counts: Counts) -> str:
    told = addresses({"addresses4": counts.addresses4, "addresses6": counts.addresses6})
    return f"{told}, in {counted(counts.prefixes, 'prefix', 'prefixes')}" if counts else "nothing"


def _json(told: Told) -> Json:
    return {
        "policy": told.before.policy.name,
        "from": told.before.number,
        "to": told.after.number if isinstance(told.after, Snapshot) else CANDIDATE,
        "block": _list_json(told.block),
        "allow": _list_json(told.allow),
        "causes": list(_causes_json(told.causes)),
        "prefixes": [str(change) for change in told.prefixes.page(0, SHOWN)],
        "prefixes_total": len(told.prefixes),
    }


def _list_json(one: ListDifference) -> Json:
    return {"added": _counts_json(one.added), "removed": _counts_json(one.removed)}


def _causes_json(causes: Iterable[CauseCounts]) -> Iterable[Json]:
    for one in causes:
        yield {
            "source": one.name or None,
            "role": str(one.role) if one.role else None,
            "added": _counts_json(one.added),
            "removed": _counts_json(one.removed),
            "entries": one.entries and one.entries._asdict(),
            "trouble": one.trouble,
        }


def _counts_json(counts: Counts) -> Json:
    return {
        "addresses4": counts.addresses4,
        "addresses6": counts.addresses6,
        "prefixes": counts.prefixes,
    }
