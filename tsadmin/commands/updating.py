"""update, demo: retrieve and compile while somebody waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.utils import timezone

from devices import services
from devices.models import Device
from policies import services as policy_services
from policies.models import Retrieval, Snapshot
from policies.models.snapshot import Compilation
from policies.services import Busy, RefreshReport, refresh_policy
from policies.states import FAILED_OUTCOMES
from tsadmin.commands.facts import counted, device_urls, snapshot_json
from tsadmin.commands.finding import find_device
from tsadmin.errors import Refused
from tsadmin.screen import print_facts, print_json, print_line, print_table, progress
from tsadmin.site import actor

# A worker that holds the policy is done long before: a retrieval ends by its own deadline.
BUSY_SECONDS = 60.0
_PAUSE_SECONDS = 1.0
_Result = TypeVar("_Result")


def update_device(*, nickname: str, accept_change: bool, as_json: bool) -> None:
    """Refresh a device's policy and print what came; raises Refused when not all of it did."""
    device = find_device(nickname)
    if not device.policy_updates:
        raise Refused(
            f"policy updates of {nickname} are off. Turn them on first: "
            f"tsadmin configure {nickname} --policy_updates yes"
        )
    if accept_change:
        policy_services.accept_change(policy=device.policy, actor=actor(), now=timezone.now())
    with progress(quiet=as_json) as on_progress:
        report = wait_while_busy(
            lambda: refresh_policy(
                policy=device.policy,
                clock=timezone.now,
                accept_change=accept_change,
                on_progress=on_progress,
            ),
            on_progress=on_progress,
        )
    services.pack_for_devices(policy=device.policy, now=timezone.now())
    device = find_device(nickname)
    trouble = _trouble(device, report)
    if as_json:
        print_json(_report_json(device, report, trouble=trouble))
    else:
        _print_report(device, report)
    if trouble:
        raise Refused(trouble)


def add_sample(*, as_json: bool) -> None:
    """Make or refresh the sample device and print how to fetch its feeds."""
    with progress(quiet=as_json) as on_progress:
        device, report = wait_while_busy(
            lambda: services.add_sample(actor=actor(), clock=timezone.now),
            on_progress=on_progress,
        )
    device = find_device(device.nickname)
    urls, trouble = device_urls(device), _trouble(device, report)
    if as_json:
        print_json(_report_json(device, report, trouble=trouble))
    else:
        print_line(f"The sample device is {device.nickname}.", tone="success")
        print_facts([(f"{role.title()} List URL", url) for role, url in urls.items()])
        typed = f"curl -i {urls['block']}"
        print_facts([("Fetch it with", typed), ("Remove it with", "tsadmin demo --remove")])
    if trouble:
        raise Refused(trouble)


def remove_sample(*, as_json: bool) -> None:
    """Remove the sample device and all that came with it."""
    was_there = services.remove_sample(actor=actor(), now=timezone.now())
    if as_json:
        print_json({"removed": was_there})
    else:
        print_line("The sample is removed." if was_there else "There is no sample.")


def wait_while_busy(work: Callable[[], _Result], *, on_progress: Callable[[str], None]) -> _Result:
    """Do `work` as soon as no worker is at it; raises Busy when that takes too long."""
    patience_ends = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return work()
        except Busy as busy:
            if time.monotonic() >= patience_ends:
                raise
            on_progress(f"waiting: {str(busy).partition(';')[0]}")
        time.sleep(_PAUSE_SECONDS)


def _trouble(device: Device, report: RefreshReport) -> str:
    """Return why the update did not do all it should, "" when it did."""
    failed = [one for one in report.retrievals if one.outcome in FAILED_OUTCOMES]
    if failed:
        return " ".join(one.error for one in failed)
    if not report.compiled.is_good:
        return f"{device.nickname}: {report.compiled.state.label}: {report.compiled.detail}"
    current, most = device.policy.current, device.max_policy_size
    if device.is_too_small and current is not None and most is not None:
        return (
            f"snapshot {current.number} has {current.entries:,} entries and {device.nickname} "
            f"takes {most:,}: the last one that fits stays published. Choose a smaller policy, or "
            f"raise --max_policy_size"
        )
    return ""


def _print_report(device: Device, report: RefreshReport) -> None:
    print_table(
        ("List", "Outcome", "Entries", "Added", "Removed", "Rejected", "Seconds"),
        [_row(one) for one in report.retrievals],
    )
    for one in report.retrievals:
        for reason, count in one.skipped:
            print_line(f"{one.source.name}: rejected {count:,}: {reason}", tone="warning")
        if one.host_bits_cleared:
            cleared = counted(one.host_bits_cleared, "entry", "entries")
            print_line(f"{one.source.name}: host bits cleared in {cleared}", tone="warning")
    tone = report.compiled.state.tone
    print_line(f"Policy {device.policy.name}: {report.compiled.state.label}.", tone=tone)
    for line in _snapshot_lines(device, report.compiled.snapshot):
        print_line(line)


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


def _snapshot_lines(device: Device, new: Snapshot | None) -> list[str]:
    if new is None:
        current = device.policy.current
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


def addresses_of(compiled: Compilation, what: str) -> int:
    """Return how many addresses of both families a compile has of one of its numbers."""
    numbers = compiled.numbers[what]
    return int(numbers["addresses4"]) + int(numbers["addresses6"])


def _report_json(device: Device, report: RefreshReport, *, trouble: str) -> dict[str, object]:
    compiled = report.compiled
    return {
        "name": device.nickname,
        "policy": compiled.policy,
        "policy_state": compiled.state.value,
        "detail": compiled.detail,
        "error": trouble,
        "sources": [_retrieval_json(one) for one in report.retrievals],
        "is_new_snapshot": compiled.snapshot is not None,
        "snapshot": snapshot_json(device.policy.current),
        "urls": device_urls(device),
    }


def _retrieval_json(one: Retrieval) -> dict[str, object]:
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
