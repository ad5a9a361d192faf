"""Carry one change to what groups inherit: to a first group on trial, then to the others.

    draft ── start ─▶ canary ── healthy for its minutes ─▶ done
                        │  ▲                                │
            in trouble, │  │ resume                         │ undo
            late, stop  ▼  │                                ▼
                      stopped ───────── undo ────────────▶ undone

Every move is one conditional UPDATE, so that two workers, or a worker and a person, never both
make it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from devices.kinds import KINDS
from devices.kinds.base import SettingRefused
from devices.models import DeviceGroup
from fleet.models import Entry, GroupSettings, Rollout, RolloutState
from fleet.reports.trial import Stand, Standing, of_state, standings_of, takes, was_heard
from fleet.services.groups import checked_settings
from fleet.services.rollout_groups import lay_down, put_back, set_otherwise
from fleet.services.steering import Change, steer
from policies.fields import DecryptionFailed
from policies.models import Policy
from policies.services import InUse, Outdated, Refused, record_change
from policies.services.rows import check_columns, save_row

MOST_REASONS = 5  # are told in full
_SYSTEM = "system"
_NOBODY_TRIES = (
    "no device entry of the first group takes the change: each has a value of its own, or sets it "
    "otherwise on the device"
)
_RUNNING = (RolloutState.CANARY,)
_CHANGED = (RolloutState.CANARY, RolloutState.STOPPED, RolloutState.DONE)


@dataclass(frozen=True, slots=True)
class Intended:
    """A change to what groups inherit, and in what order."""

    name: str
    canary: DeviceGroup
    onward: tuple[DeviceGroup, ...]
    minutes: int  # that the first group has to stay healthy
    settings: Mapping[str, object] = field(default_factory=dict)  # None: inherited no more
    policy: Policy | None = None  # None: whatever it is, it stays


def add_rollout(*, intended: Intended, actor: str, now: datetime) -> Rollout:
    """Lay down a change to groups; nothing is changed before it is started.

    Raises SettingRefused and Refused.
    """
    others = {group.pk for group in intended.onward} - {intended.canary.pk}
    if not intended.settings and intended.policy is None:
        raise Refused("a rollout changes a setting or the policy; name one", setting="settings")
    if not others:
        raise Refused("name a group to go onward to, other than the first", setting="onward")
    rollout = Rollout(
        name=" ".join(intended.name.split()), settings=_kept(intended.settings),
        policy=intended.policy, canary=intended.canary, minutes=intended.minutes,
        created_at=now, created_by=actor,
    )  # fmt: skip
    check_columns(rollout, ("name", "minutes"))
    # Held to what any group is held to, before anybody waits for the first one.
    steer(GroupSettings(), Change(intended.settings, policy=intended.policy), kinds=KINDS)
    with transaction.atomic():
        save_row(rollout)
        rollout.onward.set(others)
        record_change(
            actor=actor, verb="add", subject=subject_of(rollout), now=now, after=_told(rollout)
        )
    return rollout


def start_rollout(*, rollout: Rollout, actor: str, now: datetime) -> Rollout:
    """Change what the first group inherits, and watch its devices from now on.

    Raises Refused: for a first group without device entries, and while another rollout is on trial
    in one of the groups.
    """
    return _try(rollout, since=(RolloutState.DRAFT,), verb="start", actor=actor, now=now)


def resume_rollout(*, rollout: Rollout, actor: str, now: datetime) -> Rollout:
    """Try a rollout that was stopped again, from the beginning. Raises Refused."""
    return _try(rollout, since=(RolloutState.STOPPED,), verb="resume", actor=actor, now=now)


def stop_rollout(*, rollout: Rollout, actor: str, now: datetime) -> Rollout:
    """Let nothing go onward; what the first group got stays. Raises Refused."""
    with transaction.atomic():
        _move(
            rollout, _RUNNING, RolloutState.STOPPED,
            detail=f"Stopped by {actor}.", ended_at=now, healthy_since=None,
        )  # fmt: skip
        record_change(actor=actor, verb="stop", subject=subject_of(rollout), now=now)
    return rollout


def undo_rollout(*, rollout: Rollout, actor: str, now: datetime) -> Rollout:
    """Put back what each changed group inherited before.

    What somebody has set otherwise meanwhile stays, and is told in `detail`. Raises Refused: also
    while another rollout is on trial in one of the groups.
    """
    with transaction.atomic():
        _move(rollout, _CHANGED, RolloutState.UNDONE, ended_at=now, healthy_since=None)
        _refuse_overlap(rollout)
        stayed = put_back(rollout, actor=actor, now=now)
        rollout.detail = f"Set otherwise since, and left so: {', '.join(stayed)}." if stayed else ""
        rollout.save(update_fields=["detail"])
        record_change(actor=actor, verb="undo", subject=subject_of(rollout), now=now)
    return rollout


def remove_rollout(*, rollout: Rollout, actor: str, now: datetime) -> None:
    """Remove a rollout that is not on trial; what it changed stays. Raises InUse."""
    subject = subject_of(rollout)
    with transaction.atomic():
        gone, _ = Rollout.objects.filter(pk=rollout.pk).exclude(state__in=_RUNNING).delete()
        if not gone:
            raise InUse(f"{rollout.name} is on trial; stop it first")
        record_change(actor=actor, verb="remove", subject=subject, now=now, before=_told(rollout))


def step_rollouts(*, now: datetime) -> int:
    """Look at every rollout on trial, and let it go onward or stop it; return how many moved."""
    running = Rollout.objects.filter(state__in=_RUNNING).select_related("canary", "policy")
    return sum(_step(rollout, now=now) for rollout in running.order_by("id"))


def subject_of(rollout: Rollout) -> str:
    """Return how the record names a rollout."""
    return f"rollout {rollout.name}"


def _kept(settings: Mapping[str, object]) -> dict[str, object]:
    """Return settings as they are laid down later; raises SettingRefused and Refused."""
    secret = {one.name for kind in KINDS.values() for one in kind.settings if one.is_secret}
    for name in sorted(secret & {*settings}):
        raise Refused(
            f"{name} is a secret, which no rollout keeps; set it for each group", setting=name
        )
    return {
        # An empty value that a setting takes is none that is inherited no more.
        name: "" if value is None and settings[name] is not None else value
        for name, value in checked_settings(settings).items()
    }


def _step(rollout: Rollout, *, now: datetime) -> bool:
    standings = standings_of(rollout, now=now)
    if why := _why_to_stop(rollout, standings):
        return _stop(rollout, why, now=now)
    if rollout.healthy_since is None:
        if not of_state(standings, Stand.WAITING):
            _same_trial(rollout).update(healthy_since=now)
        return False
    until = rollout.healthy_since + timedelta(minutes=rollout.minutes)
    # A device that fell silent meanwhile is no healthy one: all have to be heard afterwards.
    if now < until or not was_heard(standings, since=until):
        return False
    try:
        return _go_onward(rollout, now=now)
    except (Refused, SettingRefused, DecryptionFailed) as error:
        return _stop(rollout, f"It cannot go onward: {error}.", now=now)


def _why_to_stop(rollout: Rollout, standings: Sequence[Standing]) -> str:
    """Return why a trial proves nothing, or how it failed; "" where it goes on."""
    if not standings:
        return "None of the device entries that were on trial is in its first group any more."
    if changed := set_otherwise(rollout, rollout.canary):
        return f"Set otherwise since it began: {', '.join(changed)}. So nothing is on trial."
    if not any(one.takes_it for one in standings):
        return f"{_NOBODY_TRIES.capitalize()}."
    if not rollout.onward.exists():
        return "None of the groups that it goes on to is left."
    return _reasons([one.sentence for one in of_state(standings, Stand.TROUBLED)])


def _try(
    rollout: Rollout, *, since: tuple[RolloutState, ...], verb: str, actor: str, now: datetime
) -> Rollout:
    entries = list(Entry.objects.filter(group=rollout.canary_id).select_related("status"))
    if not entries:
        raise Refused(
            f"the group {rollout.canary} has no device entries, so nothing would be tried; put "
            f"some into it, or choose another first group",
            setting="canary",
        )
    if not any(takes(entry, rollout) for entry in entries):
        raise Refused(f"{_NOBODY_TRIES}; choose another first group", setting="canary")
    with transaction.atomic():
        _move(
            rollout, since, RolloutState.CANARY,
            begun_at=now, healthy_since=None, ended_at=None, detail="",
            begun_with={str(entry.pk): entry.serial for entry in entries},
        )  # fmt: skip
        _refuse_overlap(rollout)
        lay_down([rollout.canary], rollout, actor=actor, now=now)
        record_change(actor=actor, verb=verb, subject=subject_of(rollout), now=now)
    return rollout


def _refuse_overlap(rollout: Rollout) -> None:
    """Refuse a group that another rollout may change any moment: neither could be judged."""
    # Locked, so that of two that start at once one finds the other.
    mine = {rollout.canary_id, *rollout.onward.values_list("pk", flat=True)}
    list(DeviceGroup.objects.select_for_update().filter(pk__in=mine).order_by("pk"))
    running = Rollout.objects.filter(state__in=_RUNNING).exclude(pk=rollout.pk)
    for other in running.prefetch_related("onward"):
        # Its name is not told: who changes these groups may see no other of its groups.
        both = mine & {other.canary_id, *(group.pk for group in other.onward.all())}
        if group := DeviceGroup.objects.filter(pk__in=both).order_by("name").first():
            raise Refused(
                f"another rollout is on trial and changes the group {group} too; wait for its end, "
                f"or stop it"
            )


def _move(
    rollout: Rollout, since: tuple[RolloutState, ...], to: RolloutState, **columns: object
) -> None:
    """Move a rollout that stands where it was seen; raises Refused and Outdated."""
    if rollout.state_word not in since:
        raise Refused(f"{rollout.name} is {rollout.state_word.label}; nothing is left to do so")
    rows = Rollout.objects.filter(pk=rollout.pk, state=rollout.state)
    if rows.update(state=to, **columns) != 1:
        raise Outdated(f"{rollout.name} has just moved; look at it again")
    rollout.refresh_from_db()


def _same_trial(rollout: Rollout) -> QuerySet[Rollout]:
    """Return the row if it still is on the trial that was looked at."""
    return Rollout.objects.filter(pk=rollout.pk, state=rollout.state, begun_at=rollout.begun_at)


def _stop(rollout: Rollout, why: str, *, now: datetime) -> bool:
    with transaction.atomic():
        moved = _same_trial(rollout).update(
            state=RolloutState.STOPPED, detail=why, ended_at=now, healthy_since=None
        )
        if moved:
            record_change(
                actor=_SYSTEM, verb="stop", subject=subject_of(rollout), now=now,
                after={"detail": why},
            )  # fmt: skip
    return bool(moved)


def _go_onward(rollout: Rollout, *, now: datetime) -> bool:
    with transaction.atomic():
        if not _same_trial(rollout).update(state=RolloutState.DONE, ended_at=now):
            return False
        lay_down(rollout.onward.order_by("name", "id"), rollout, actor=_SYSTEM, now=now)
        record_change(actor=_SYSTEM, verb="finish", subject=subject_of(rollout), now=now)
    return True


def _reasons(sentences: list[str]) -> str:
    """Return the first of some sentences, and how many more there are; "" for none."""
    told = " ".join(f"{one.rstrip('.')}." for one in sentences[:MOST_REASONS])
    more = len(sentences) - MOST_REASONS
    return f"{told} And {more:,} more." if more > 0 else told


def _told(rollout: Rollout) -> dict[str, object]:
    """Return what the record tells of a rollout."""
    return {
        **rollout.settings,
        "policy": rollout.policy.name if rollout.policy else None,
        "canary": rollout.canary.name,
        "onward": [group.name for group in rollout.onward.order_by("name", "id")],
        "minutes": rollout.minutes,
    }
