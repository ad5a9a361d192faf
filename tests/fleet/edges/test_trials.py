"""What a trial proves: the change is in force, on devices that live, until its time is over."""

from __future__ import annotations

from datetime import datetime

import pytest

from fleet.models import Entry, GroupSettings, RolloutState
from fleet.reports.health import SILENT_AFTER
from fleet.services.groups import set_group_settings
from fleet.services.rollouts import (
    add_rollout,
    resume_rollout,
    start_rollout,
    step_rollouts,
    stop_rollout,
    undo_rollout,
)
from policies.services import Refused
from tests.factories import make_policy
from tests.fleet.edges.rows import make_entry, make_group, report, written
from tests.fleet.edges.trials import MINUTE, Fleet, value

pytestmark = pytest.mark.django_db


@pytest.fixture
def fleet(now: datetime) -> Fleet:
    return Fleet(now)


def test_devices_that_die_after_their_last_report_take_nothing_onward(
    fleet: Fleet, now: datetime
) -> None:
    fleet.rollout.minutes = 10
    fleet.rollout.save()
    fleet.start(now=now)
    fleet.take_over(now=now + MINUTE)
    for number in range(1, 16):
        step_rollouts(now=now + number * MINUTE)
        assert fleet.state == RolloutState.CANARY
    step_rollouts(now=now + 2 * MINUTE + SILENT_AFTER)
    assert (fleet.state, value(fleet.rest)) == (RolloutState.STOPPED, "drop")
    assert "told of itself last" in fleet.rollout.detail


def test_one_that_is_heard_after_its_time_goes_onward(fleet: Fleet, now: datetime) -> None:
    """Devices report every ten minutes: the last report may come a while later."""
    fleet.start(now=now)
    fleet.take_over(now=now + MINUTE)
    fleet.stay(since=now + MINUTE, minutes=55)
    step_rollouts(now=now + 62 * MINUTE)
    assert fleet.state == RolloutState.CANARY
    first, second = fleet.canaries
    report(first, now=now + 63 * MINUTE)
    step_rollouts(now=now + 63 * MINUTE)
    assert fleet.state == RolloutState.CANARY
    report(second, now=now + 64 * MINUTE)
    step_rollouts(now=now + 64 * MINUTE)
    assert fleet.state == RolloutState.DONE


def test_devices_that_follow_what_is_published_all_the_time_prove_the_change(
    fleet: Fleet, now: datetime
) -> None:
    """A policy that changes every five minutes: whenever it is looked, something newer is there."""
    fleet.start(now=now)
    for number in range(1, 16):
        moment = now + 5 * number * MINUTE
        for entry in fleet.canaries:
            held = Entry.objects.get(pk=entry.pk).serial
            written(entry, now=moment)
            report(entry, now=moment, serial=held)
            Entry.objects.filter(pk=entry.pk).update(due_at=moment + MINUTE)
        step_rollouts(now=moment + 2 * MINUTE)
    assert fleet.state == RolloutState.DONE


def test_one_that_never_links_is_late_whatever_is_published(fleet: Fleet, now: datetime) -> None:
    fleet.start(now=now)
    for number in range(1, 14):
        for entry in fleet.canaries:
            written(entry, now=now + 5 * number * MINUTE)
        step_rollouts(now=now + 5 * number * MINUTE)
    assert fleet.state == RolloutState.STOPPED
    assert "it has never linked" in fleet.rollout.detail


def test_old_settings_on_a_device_stop_it_when_it_is_proven(fleet: Fleet, now: datetime) -> None:
    fleet.start(now=now)
    fleet.take_over(now=now + MINUTE)
    step_rollouts(now=now + 2 * MINUTE)
    for entry in fleet.canaries:
        report(entry, now=now + 20 * MINUTE, serial=0)
    step_rollouts(now=now + 20 * MINUTE)
    assert fleet.state == RolloutState.STOPPED
    assert "Settings 0 are in force there" in fleet.rollout.detail


@pytest.mark.parametrize("is_proven", [False, True])
def test_a_change_that_somebody_takes_back_by_hand_goes_nowhere(
    fleet: Fleet, now: datetime, is_proven: bool
) -> None:
    fleet.start(now=now)
    if is_proven:
        fleet.take_over(now=now + MINUTE)
        fleet.stay(since=now + MINUTE, minutes=2)
    set_group_settings(
        group=fleet.first, settings={"verdict": "drop"}, actor="bob", now=now + 4 * MINUTE
    )
    fleet.take_over(now=now + 5 * MINUTE)
    step_rollouts(now=now + 6 * MINUTE)
    assert (fleet.state, value(fleet.rest)) == (RolloutState.STOPPED, "drop")
    assert "verdict of first" in fleet.rollout.detail


def test_a_policy_that_the_first_group_follows_no_more_goes_nowhere(
    fleet: Fleet, now: datetime
) -> None:
    policy = make_policy(now=now, name="edge")
    fleet.rollout = add_rollout(
        intended=fleet.intended(name="policy", settings={}, policy=policy), actor="a", now=now
    )
    fleet.start(now=now)
    set_group_settings(group=fleet.first, settings={}, policy=None, actor="bob", now=now)
    step_rollouts(now=now + MINUTE)
    assert fleet.state == RolloutState.STOPPED
    assert "the policy of first" in fleet.rollout.detail


def test_where_every_device_has_its_own_value_nothing_is_tried(fleet: Fleet, now: datetime) -> None:
    Entry.objects.filter(group=fleet.first).update(settings={"verdict": "drop"})
    with pytest.raises(Refused, match="value of its own"):
        fleet.start(now=now)
    assert fleet.state == RolloutState.DRAFT


def test_where_every_device_sets_it_otherwise_itself_nothing_is_tried(
    fleet: Fleet, now: datetime
) -> None:
    fleet.start(now=now)
    fleet.take_over(now=now + MINUTE, overrides=["verdict"])
    step_rollouts(now=now + 2 * MINUTE)
    assert fleet.state == RolloutState.STOPPED
    assert "otherwise on the device" in fleet.rollout.detail


def test_devices_with_a_policy_of_their_own_try_no_other(fleet: Fleet, now: datetime) -> None:
    own, new = make_policy(now=now, name="own"), make_policy(now=now, name="new")
    Entry.objects.filter(group=fleet.first).update(policy=own)
    told = fleet.intended(name="policy", settings={}, policy=new)
    rollout = add_rollout(intended=told, actor="a", now=now)
    with pytest.raises(Refused, match="value of its own"):
        start_rollout(rollout=rollout, actor="a", now=now)


def test_an_entry_that_comes_into_the_first_group_later_is_not_on_trial(
    fleet: Fleet, now: datetime
) -> None:
    fleet.start(now=now)
    fleet.take_over(now=now + 25 * MINUTE)
    fleet.stay(since=now + 25 * MINUTE, minutes=40)
    make_entry(now=now + 66 * MINUTE, group=fleet.first)
    fleet.stay(since=now + 66 * MINUTE, minutes=20)
    assert fleet.state == RolloutState.DONE


def test_a_first_group_that_loses_what_was_on_trial_stops_it(fleet: Fleet, now: datetime) -> None:
    fleet.start(now=now)
    Entry.objects.filter(group=fleet.first).update(group=fleet.others)
    make_entry(now=now, group=fleet.first)
    step_rollouts(now=now + MINUTE)
    assert fleet.state == RolloutState.STOPPED
    assert "None of the device entries" in fleet.rollout.detail


def test_a_second_trial_keeps_what_somebody_set_after_the_first(
    fleet: Fleet, now: datetime
) -> None:
    set_group_settings(
        group=fleet.first, settings={"verdict": "reject", "log_size": "1M"}, actor="bob", now=now
    )
    told = fleet.intended(name="two", settings={"verdict": "reject", "log_size": "2M"})
    rollout = add_rollout(intended=told, actor="alice", now=now)
    start_rollout(rollout=rollout, actor="alice", now=now)
    stop_rollout(rollout=rollout, actor="alice", now=now)
    set_group_settings(group=fleet.first, settings={"verdict": "drop"}, actor="bob", now=now)
    resume_rollout(rollout=rollout, actor="alice", now=now)
    undo_rollout(rollout=rollout, actor="alice", now=now)
    held = GroupSettings.objects.get(group=fleet.first).settings
    assert held == {"verdict": "drop", "log_size": 1_000_000}


def test_none_is_undone_under_another_that_is_on_trial(fleet: Fleet, now: datetime) -> None:
    fleet.start(now=now)
    fleet.take_over(now=now + MINUTE)
    fleet.stay(since=now + MINUTE, minutes=60)
    assert fleet.state == RolloutState.DONE
    told = fleet.intended(name="other", settings={"log_size": "1M"})
    other = add_rollout(intended=told, actor="bob", now=now)
    start_rollout(rollout=other, actor="bob", now=now + 70 * MINUTE)
    with pytest.raises(Refused, match="another rollout is on trial"):
        undo_rollout(rollout=fleet.rollout, actor="alice", now=now + 71 * MINUTE)
    assert (fleet.state, value(fleet.rest)) == (RolloutState.DONE, "reject")


def test_one_that_has_no_group_left_to_go_to_stops(fleet: Fleet, now: datetime) -> None:
    fleet.start(now=now)
    fleet.rest.delete()
    fleet.others.delete()
    step_rollouts(now=now + MINUTE)
    assert fleet.state == RolloutState.STOPPED
    assert "is left" in fleet.rollout.detail


def test_a_policy_of_one_device_is_rolled_out_nowhere(fleet: Fleet, now: datetime) -> None:
    private = make_policy(now=now, name="own", is_private=True)
    told = fleet.intended(name="private", settings={}, policy=private)
    with pytest.raises(Refused, match="made from the lists of the device"):
        add_rollout(intended=told, actor="a", now=now)


def test_a_policy_and_lists_at_once_are_refused_before_any_trial(
    fleet: Fleet, now: datetime
) -> None:
    policy, lists = make_policy(now=now, name="edge"), {"block_list": "list.example.net"}
    told = fleet.intended(name="both", settings=lists, policy=policy)
    with pytest.raises(Refused, match="exclude each other"):
        add_rollout(intended=told, actor="a", now=now)


def test_another_rollout_is_not_named_to_who_may_not_see_it(fleet: Fleet, now: datetime) -> None:
    hidden = make_group("hidden", now=now)
    make_entry(now=now, group=hidden)
    told = fleet.intended(name="hush", canary=hidden, onward=(fleet.first,))
    hush = add_rollout(intended=told, actor="bob", now=now)
    start_rollout(rollout=hush, actor="bob", now=now)
    with pytest.raises(Refused, match="another rollout is on trial") as refused:
        fleet.start(now=now)
    assert "hush" not in str(refused.value)
    assert "hidden" not in str(refused.value)
