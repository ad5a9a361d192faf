"""What a refresh brought, for the screen and for programs."""

from __future__ import annotations

from collections.abc import Sequence

from devices.models import Device
from policies.models import Policy, Retrieval, Snapshot
from policies.models.snapshot import Compilation
from policies.services import RefreshReport
from policies.states import FAILED_OUTCOMES
from tsadmin.commands.facts import snapshot_json
from tsadmin.screen import print_line, print_table
from tsadmin.words import counted


def policy_trouble(report: RefreshReport, *, about: str) -> str:
    """Return why a refresh did not do all it should, "" when it did."""
    failed = [one for one in report.retrievals if one.outcome in FAILED_OUTCOMES]
    if failed:
        return " ".join(one.error for one in failed)
    if not report.compiled.is_good:
        return f"{about}: {report.compiled.state.label}: {report.compiled.detail}"
    return ""


def size_trouble(device: Device) -> str:
    """Return why a device does not get the snapshot in force, "" when it does."""
    current, most = device.policy.current, device.max_policy_size
    if device.is_too_small and current is not None and most is not None:
        return (
            f"snapshot {current.number} has {current.entries:,} entries and {device.nickname} "
            f"takes {most:,}: the last one that fits stays published. Choose a smaller policy, or "
            f"raise --max_policy_size"
        )
    return ""


def print_refresh(policy: Policy, report: RefreshReport) -> None:
    """Print what came from each list, and what changed in the snapshot."""
    print_retrievals(report.retrievals)
    tone = report.compiled.state.tone
    print_line(f"Policy {policy.name}: {report.compiled.state.label}.", tone=tone)
    for line in _snapshot_lines(policy, report.compiled.snapshot):
        print_line(line)


def print_retrievals(retrievals: Sequence[Retrieval]) -> None:
    """Print what came from each list, and what was rejected."""
    print_table(
        ("List", "Outcome", "Entries", "Added", "Removed", "Rejected", "Seconds"),
        [_row(one) for one in retrievals],
    )
    for one in retrievals:
        for reason, count in one.skipped:
            print_line(f"{one.source.name}: rejected {count:,}: {reason}", tone="warning")
        if one.host_bits_cleared:
            cleared = counted(one.host_bits_cleared, "entry", "entries")
            print_line(f"{one.source.name}: host bits cleared in {cleared}", tone="warning")


def addresses_of(compiled: Compilation, what: str) -> int:
    """Return how many addresses of both families a compile has of one of its numbers."""
    numbers = compiled.numbers[what]
    return int(numbers["addresses4"]) + int(numbers["addresses6"])


def refresh_json(policy: Policy, report: RefreshReport, *, trouble: str) -> dict[str, object]:
    """Return what a refresh brought, for programs."""
    compiled = report.compiled
    return {
        "policy": compiled.policy,
        "policy_state": compiled.state.value,
        "detail": compiled.detail,
        "error": trouble,
        "sources": [retrieval_json(one) for one in report.retrievals],
        "is_new_snapshot": compiled.snapshot is not None,
        "snapshot": policy.current and snapshot_json(policy.current),
    }


def retrieval_json(one: Retrieval) -> dict[str, object]:
    """Return what one retrieval brought, for programs."""
    return {
        "name": one.source.name,
        "outcome": one.outcome,
        "error": one.error,
        "server": one.server,
        "entries": one.entries,
        "prefixes": one.prefixes,
        "rejected": dict(one.skipped),
        "host_bits_cleared": one.host_bits_cleared,
        "added": one.added,
        "removed": one.removed,
        "seconds": round(one.seconds, 3),
    }


def _row(one: Retrieval) -> Sequence[str]:
    counts = ("", "", "", "")
    if one.outcome not in FAILED_OUTCOMES:
        rejected = sum(count for _, count in one.skipped)
        counts = (
            f"{one.entries:,}",
            f"+{int(one.added):,}",
            f"-{int(one.removed):,}",
            f"{rejected:,}",
        )
    return (one.source.name, str(one.outcome_word.label), *counts, f"{one.seconds:.1f}")


def _snapshot_lines(policy: Policy, new: Snapshot | None) -> list[str]:
    if new is None:
        current = policy.current
        kept = f"snapshot {current.number} stays in force" if current else "nothing is published"
        return [f"No new snapshot: {kept}."]
    block = counted(new.block_prefixes, "entry", "entries")
    allow = counted(new.allow_prefixes, "entry", "entries")
    added, removed = addresses_of(new, "added"), addresses_of(new, "removed")
    change = f"addresses blocked +{added:,} -{removed:,}"
    lines = [f"Snapshot {new.number}: block {block}, allow {allow}; {change}."]
    cuts = [f"{reason} {count:,}" for reason, count in new.cuts if count]
    if cuts:
        lines.append(f"Taken out of the block list (addresses): {', '.join(cuts)}.")
    return lines
