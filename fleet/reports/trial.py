"""How the first group of a rollout does: each device entry of it, judged since the change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from devices.services.own_policy import LIST_SETTINGS
from fleet.models import Entry, Rollout
from fleet.reports.effective import steered
from fleet.reports.health import EntryHealth, health_of, status_of
from policies.states import Told, Toned

# Five minutes until a device asks, ten until it reports: three times that is no accident.
_TAKEN_WITHIN = timedelta(minutes=30)


class Stand(Toned):
    """How an entry does since the change."""

    WAITING = "waiting", "info", "not taken over yet"
    HEALTHY = "healthy", "success", "healthy"
    TROUBLED = "troubled", "danger", "in trouble"


@dataclass(frozen=True, slots=True)
class Standing:
    """One device entry on trial, and how it does."""

    entry: Entry
    said: Told[Stand]
    takes_it: bool  # the change: nothing of its own, or set on the device, stands before it

    @property
    def sentence(self) -> str:
        """What to say of it, by its name."""
        return f"{self.entry.nickname}: {self.said.detail}"


def standings_of(rollout: Rollout, *, now: datetime) -> list[Standing]:
    """Return how each entry of the first group does since the rollout began.

    Entries that came into the group later are not on trial.
    """
    entries = Entry.objects.filter(group=rollout.canary_id).select_related("status")
    read = entries.defer("secrets", "note", "resolved", "registration_digest")
    return [
        Standing(entry, _said(entry, rollout, now=now), takes(entry, rollout))
        for entry in read.order_by("nickname", "id")
        if rollout.begun_at is None or str(entry.pk) in rollout.begun_with
    ]


def takes(entry: Entry, rollout: Rollout) -> bool:
    """Tell whether anything of the change comes into force there."""
    status = status_of(entry)
    elsewhere = {*entry.settings, *(status.overrides if status is not None else ())}
    if entry.policy_id is not None or "policy" in elsewhere:
        elsewhere |= {"policy", *LIST_SETTINGS}
    names = {setting.name for setting in steered(entry.kind)}
    takes_policy = elsewhere.isdisjoint(("policy", "block_list"))
    return bool(names & {*rollout.settings} - elsewhere) or (
        rollout.policy_id is not None and takes_policy
    )


def was_heard(standings: Sequence[Standing], *, since: datetime) -> bool:
    """Tell whether each of these devices told of itself at that moment or later."""
    heard = (status_of(one.entry) for one in standings)
    return all(status is not None and status.received_at >= since for status in heard)


def taken_within(rollout: Rollout) -> timedelta:
    """Return how long a device may take to take a change over."""
    return max(_TAKEN_WITHIN, timedelta(minutes=rollout.minutes))


def of_state(standings: Sequence[Standing], state: Stand) -> list[Standing]:
    """Return those of which this is said."""
    return [one for one in standings if one.said.state == state]


def _said(entry: Entry, rollout: Rollout, *, now: datetime) -> Told[Stand]:
    health = health_of(entry, now=now)
    begun_at = rollout.begun_at or now
    missing = _missing(entry, rollout, begun_at=begun_at)
    # Once all had taken it over, what is published anew meanwhile need not be in force at once.
    is_proven = rollout.healthy_since is not None and status_of(entry) is not None
    if missing and not is_proven:
        is_late = now - begun_at > taken_within(rollout)
        return Told(Stand.TROUBLED if is_late else Stand.WAITING, missing)
    is_well = health.state is EntryHealth.HEALTHY
    return Told(Stand.HEALTHY if is_well else Stand.TROUBLED, health.detail)


def _missing(entry: Entry, rollout: Rollout, *, begun_at: datetime) -> str:
    """Return what is missing until the change is in force there, "" for nothing.

    Settings that were published after those with the change have it as well.
    """
    status = status_of(entry)
    if entry.write_error:
        return f"its settings cannot be written: {entry.write_error}"
    if _is_unwritten(entry, begun_at=begun_at):
        return "its settings are not written yet"
    if status is None:
        return "it has never linked"
    if status.received_at < begun_at:
        return "it has not reported since the change"
    first = min(entry.serial, int(rollout.begun_with.get(str(entry.pk), 0)) + 1)
    if status.serial < first:
        return f"settings {status.serial} are in force there, {entry.serial} are published"
    return ""


def _is_unwritten(entry: Entry, *, begun_at: datetime) -> bool:
    """Tell whether what is due is the change itself, and not only what came after it."""
    if entry.due_at is None:
        return False
    return entry.written_at is None or min(entry.due_at, entry.written_at) <= begun_at
