"""A change goes to one group first, and onward only while its devices stay healthy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from fleet.models import Entry, GroupSettings, Rollout, RolloutState
from fleet.reports.health import SILENT_AFTER
from fleet.services.groups import set_group_settings
from fleet.services.rollouts import (
    add_rollout,
    remove_rollout,
    resume_rollout,
    start_rollout,
    step_rollouts,
    stop_rollout,
    undo_rollout,
)
from policies.models import Change
from policies.services import InUse, Outdated, Refused
from tests.factories import make_policy
from tests.fleet.edges.rows import make_group, report, written
from tests.fleet.edges.trials import MINUTE, Fleet, value

pytestmark = pytest.mark.django_db


@pytest.fixture
def fleet(now: datetime) -> Fleet:
    return Fleet(now)


def test_nothing_is_changed_before_it_is_started(fleet: Fleet) -> None:
    assert (fleet.state, value(fleet.canaries[0])) == (RolloutState.DRAFT, "drop")


def test_a_rollout_goes_to_the_first_group_and_onward_when_it_stayed_healthy(
    fleet: Fleet, now: datetime
) -> None:
    fleet.start(now=now)
    assert (value(fleet.canaries[0]), value(fleet.rest)) == ("reject", "drop")
    fleet.take_over(now=now + MINUTE)
    last = fleet.stay(since=now + MINUTE, minutes=59)
    assert (fleet.state, value(fleet.rest)) == (RolloutState.CANARY, "drop")
    fleet.stay(since=last + MINUTE, minutes=0)
    assert (fleet.state, value(fleet.rest)) == (RolloutState.DONE, "reject")
    told = list(Change.objects.filter(subject="rollout reject").order_by("id"))
    assert [(one.verb, one.actor) for one in told] == [
        ("add", "alice"), ("start", "alice"), ("finish", "system"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"errors": ["The kernel refuses it."]}, "The kernel refuses it."),
        ({"serial": 0}, "settings 0 are in force there"),
    ],
)
def test_a_device_in_trouble_stops_it_and_nothing_goes_onward(
    fleet: Fleet, now: datetime, told: dict[str, object], why: str
) -> None:
    fleet.start(now=now)
    fleet.take_over(now=now + MINUTE)
    for minutes in (1, 10, 20, 30, 40, 50, 62):
        report(fleet.canaries[0], now=now + minutes * MINUTE)
        report(fleet.canaries[1], now=now + minutes * MINUTE, **told)
        step_rollouts(now=now + minutes * MINUTE)
    assert (fleet.state, value(fleet.rest)) == (RolloutState.STOPPED, "drop")
    assert fleet.rollout.detail.startswith(f"{fleet.canaries[1].nickname}: ")
    assert why in fleet.rollout.detail


def test_one_that_falls_silent_while_it_is_watched_stops_it(fleet: Fleet, now: datetime) -> None:
    fleet.start(now=now)
    fleet.take_over(now=now + MINUTE)
    step_rollouts(now=now + 2 * MINUTE)
    step_rollouts(now=now + 2 * MINUTE + SILENT_AFTER)
    assert fleet.state == RolloutState.STOPPED
    assert "told of itself last" in fleet.rollout.detail


def test_one_that_never_takes_it_over_stops_it_after_its_time(fleet: Fleet, now: datetime) -> None:
    fleet.start(now=now)
    for entry in fleet.canaries:
        written(entry, now=now)
    step_rollouts(now=now + 60 * MINUTE)
    assert fleet.state == RolloutState.CANARY
    step_rollouts(now=now + 61 * MINUTE)
    assert fleet.state == RolloutState.STOPPED
    assert "it has never linked" in fleet.rollout.detail


def test_what_is_published_anew_while_it_is_watched_does_not_hold_it_up(
    fleet: Fleet, now: datetime
) -> None:
    """A policy that changes every few minutes makes new settings each time."""
    fleet.start(now=now)
    fleet.take_over(now=now + MINUTE)
    fleet.stay(since=now + MINUTE, minutes=58)
    old = {entry.pk: entry.serial for entry in Entry.objects.filter(group=fleet.first)}
    for entry in fleet.canaries:
        written(entry, now=now + 60 * MINUTE)
        report(entry, now=now + 61 * MINUTE, serial=old[entry.pk])
    step_rollouts(now=now + 62 * MINUTE)
    assert fleet.state == RolloutState.DONE


def test_a_first_group_without_devices_is_refused(fleet: Fleet, now: datetime) -> None:
    empty = make_group("empty", now=now)
    rollout = add_rollout(intended=fleet.intended(name="x", canary=empty), actor="a", now=now)
    with pytest.raises(Refused, match="no device entries"):
        start_rollout(rollout=rollout, actor="alice", now=now)
    rollout.refresh_from_db()
    assert rollout.state_word == RolloutState.DRAFT


def test_undoing_puts_back_what_each_group_inherited(fleet: Fleet, now: datetime) -> None:
    old, new = make_policy(now=now, name="old"), make_policy(now=now, name="new")
    set_group_settings(
        group=fleet.first, settings={"verdict": "drop"}, policy=old, actor="bob", now=now
    )
    rollout = add_rollout(intended=fleet.intended(name="both", policy=new), actor="alice", now=now)
    start_rollout(rollout=rollout, actor="alice", now=now)
    held = GroupSettings.objects.get(group=fleet.first)
    assert (held.settings["verdict"], held.policy) == ("reject", new)
    stop_rollout(rollout=rollout, actor="alice", now=now)
    resume_rollout(rollout=rollout, actor="alice", now=now)
    undo_rollout(rollout=rollout, actor="alice", now=now)
    held.refresh_from_db()
    assert (held.settings, held.policy) == ({"verdict": "drop"}, old)
    assert not GroupSettings.objects.filter(group=fleet.others).exists()


def test_undoing_leaves_what_somebody_set_since(fleet: Fleet, now: datetime) -> None:
    fleet.start(now=now)
    set_group_settings(group=fleet.first, settings={"verdict": "drop"}, actor="bob", now=now)
    undo_rollout(rollout=fleet.rollout, actor="alice", now=now)
    assert GroupSettings.objects.get(group=fleet.first).settings == {"verdict": "drop"}
    assert fleet.rollout.detail == "Set otherwise since, and left so: verdict of first."


def test_a_group_that_cannot_take_it_stops_it_before_any_other_has_it(
    fleet: Fleet, now: datetime
) -> None:
    policy, last = make_policy(now=now, name="edge"), make_group("zz last", now=now)
    set_group_settings(
        group=last, settings={"block_list": "list.example.net"}, actor="bob", now=now
    )
    intended = fleet.intended(name="policy", policy=policy, onward=(fleet.others, last))
    fleet.rollout = add_rollout(intended=intended, actor="alice", now=now)
    fleet.start(now=now)
    fleet.take_over(now=now + MINUTE)
    fleet.stay(since=now + MINUTE, minutes=60)
    assert (fleet.state, value(fleet.rest)) == (RolloutState.STOPPED, "drop")
    assert "exclude each other" in fleet.rollout.detail


def test_a_rollout_that_was_stopped_begins_its_trial_anew(fleet: Fleet, now: datetime) -> None:
    fleet.start(now=now)
    fleet.take_over(now=now + MINUTE)
    step_rollouts(now=now + 2 * MINUTE)
    stop_rollout(rollout=fleet.rollout, actor="alice", now=now + 3 * MINUTE)
    resume_rollout(rollout=fleet.rollout, actor="alice", now=now + 100 * MINUTE)
    fleet.take_over(now=now + 101 * MINUTE)
    fleet.stay(since=now + 101 * MINUTE, minutes=59)
    assert fleet.state == RolloutState.CANARY
    fleet.stay(since=now + 161 * MINUTE, minutes=0)
    assert fleet.state == RolloutState.DONE


def test_two_rollouts_in_one_group_at_a_time_are_refused(fleet: Fleet, now: datetime) -> None:
    other = add_rollout(
        intended=fleet.intended(name="other", canary=fleet.others, onward=(fleet.first,)),
        actor="bob", now=now,
    )  # fmt: skip
    fleet.start(now=now)
    with pytest.raises(
        Refused, match="another rollout is on trial and changes the group first too"
    ):
        start_rollout(rollout=other, actor="bob", now=now)
    other.refresh_from_db()
    assert (other.state_word, value(fleet.rest)) == (RolloutState.DRAFT, "drop")


@pytest.mark.parametrize("move", [start_rollout, stop_rollout, undo_rollout])
def test_who_comes_second_moves_nothing(
    fleet: Fleet, now: datetime, move: Callable[..., Rollout]
) -> None:
    if move is not start_rollout:
        fleet.start(now=now)
    seen_before = Rollout.objects.get(pk=fleet.rollout.pk)
    move(rollout=fleet.rollout, actor="alice", now=now)
    recorded = Change.objects.count()
    with pytest.raises(Outdated):
        move(rollout=seen_before, actor="bob", now=now)
    with pytest.raises(Refused):
        move(rollout=fleet.rollout, actor="bob", now=now)
    assert Change.objects.count() == recorded


def test_one_on_trial_is_not_removed(fleet: Fleet, now: datetime) -> None:
    fleet.start(now=now)
    with pytest.raises(InUse):
        remove_rollout(rollout=fleet.rollout, actor="alice", now=now)
    stop_rollout(rollout=fleet.rollout, actor="alice", now=now)
    remove_rollout(rollout=fleet.rollout, actor="alice", now=now)
    assert not Rollout.objects.exists()


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"settings": {}}, "a setting or the policy"),
        ({"onward": ()}, "a group to go onward to"),
        ({"settings": {"upload_proxy_password": "x"}}, "is a secret"),
        ({"minutes": 0}, "1"),
        ({"name": "reject"}, "already exists"),
        ({"name": " "}, "blank"),
    ],
)
def test_a_rollout_that_makes_no_sense_is_refused(
    fleet: Fleet, now: datetime, told: dict[str, object], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        add_rollout(intended=fleet.intended(**{"name": "x", **told}), actor="alice", now=now)
