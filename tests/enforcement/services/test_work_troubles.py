"""What once left a host open, closed or unread: each of these was found by a reader of the code."""

from __future__ import annotations

import importlib
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from devices.models import Device, Gateway, GatewayRelease, GatewayState
from devices.services import (
    GatewayRefused,
    assign_policy,
    configure_device,
    pack_for_devices,
    pause_gateway,
    remove_device,
    request_enforcement,
)
from enforcement.kernel.base import Content
from enforcement.kernel.errors import EnforceUnavailable
from enforcement.models import Application, Outcome
from enforcement.services import work
from enforcement.services.canaries import ProbedCanaries
from netsets.cidr import AddressSet
from tests.enforcement.machines import NODE, PretendedMachine
from tests.enforcement.services.site import MINUTE, fresh, gateway, policy_of
from tests.factories import make_policy, republish

pytestmark = pytest.mark.django_db
WORK = importlib.import_module("enforcement.services.work")  # its name is that of its function


def test_a_pause_brings_no_new_list_into_force_unseen(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    pause_gateway(device=fresh(), until=now + 5 * MINUTE, actor="ann", now=now)
    republish(policy_of(device), "7.7.7.0/24", now=now + MINUTE)
    there.work(now + MINUTE)
    assert there.kernel.content is not None
    assert there.kernel.content.block == AddressSet.of("1.2.3.4", "5.6.0.0/16")
    there.work(now + 5 * MINUTE)
    assert there.kernel.content.block == AddressSet.of("7.7.7.0/24")


def test_a_pause_reaches_a_kernel_whose_policy_has_published_nothing(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    assign_policy(device=fresh(), policy=make_policy(now=now), actor="test", now=now)
    pause_gateway(device=fresh(), until=now + 5 * MINUTE, actor="ann", now=now)
    assert there.work(now) == "applied"
    assert there.kernel.rules is not None
    assert there.kernel.rules.paused_until == now + 5 * MINUTE


def test_a_pause_does_not_make_a_change_that_was_rolled_back_good(
    device: Device, there: PretendedMachine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.work(now)
    republish(policy_of(device), "7.7.7.0/24", now=now + MINUTE)
    monkeypatch.setattr(ProbedCanaries, "answering", lambda _: frozenset({"site 7.7.7.9"}))
    monkeypatch.setattr(ProbedCanaries, "lost", lambda _, answered: answered)
    assert there.work(now + MINUTE) == "rolled back"
    monkeypatch.undo()
    pause_gateway(device=fresh(), until=now + 5 * MINUTE, actor="ann", now=now + 2 * MINUTE)
    there.work(now + 2 * MINUTE)
    for minutes in (5, 6, 7):
        there.work(now + minutes * MINUTE)
    assert there.kernel.content is not None
    assert there.kernel.content.block == AddressSet.of("1.2.3.4", "5.6.0.0/16")
    row = gateway()
    assert row.state == GatewayState.ROLLED_BACK
    assert "site 7.7.7.9 answered before" in row.detail


def test_nothing_is_applied_by_hand_while_a_pause_runs(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    pause_gateway(device=fresh(), until=now + 5 * MINUTE, actor="ann", now=now)
    with pytest.raises(GatewayRefused, match="resume it first"):
        request_enforcement(device=fresh(), actor="ann", now=now)


def test_a_paused_gateway_that_never_enforced_has_nothing_to_do(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    pause_gateway(device=fresh(), until=now + 5 * MINUTE, actor="ann", now=now)
    assert there.work(now) == "nothing"
    assert (gateway().due_at, gateway().state) == (None, GatewayState.PAUSED)
    assert there.work(now + 5 * MINUTE) == "applied"


def test_a_device_that_moves_takes_no_truths_of_its_old_machine_along(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    configure_device(device=fresh(), changes={"node": "gw2"}, actor="test", now=now)
    row = gateway()
    assert (row.state, row.target, row.snapshot_number, row.checked_at, row.sets) == (
        GatewayState.WAITING, "", None, None, {},
    )  # fmt: skip
    assert row.due_at == now


def test_what_an_enforcer_learned_of_a_device_that_moved_meanwhile_is_not_written(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    def move(_newly_blocked: AddressSet, _allowed: AddressSet) -> int:
        configure_device(device=fresh(), changes={"node": "gw2"}, actor="test", now=now)
        return 0

    moving = replace(there.machine(), cut=move)  # while the list comes into force
    assert work(node=NODE, clock=lambda: now, machine=moving) == "applied"
    assert (gateway().state, gateway().target) == (GatewayState.WAITING, "")
    assert gateway().device.node == "gw2"


def test_a_read_back_that_fails_waits_and_does_not_keep_a_new_snapshot_out(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    there.refusal = EnforceUnavailable("the folder cannot be read")
    assert there.work(now + MINUTE) == "failed"
    failures = gateway().failures
    there.work(now + MINUTE + timedelta(seconds=10))
    assert gateway().failures == failures  # not at every nudge
    republish(policy_of(device), "7.7.7.0/24", now=now + 2 * MINUTE)
    there.refusal = None
    assert there.work(now + 3 * MINUTE) == "applied"
    assert gateway().state == GatewayState.ENFORCED


def test_after_a_failed_read_back_the_list_is_written_anew(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    (there.folder / "state.json").write_text("{")
    assert there.work(now + MINUTE) == "failed"
    assert "state.json" in gateway().detail
    assert there.work(now + 2 * MINUTE) == "unchanged"
    assert (gateway().state, gateway().detail) == (GatewayState.ENFORCED, "")


def test_what_nobody_thought_of_is_told_and_not_tried_at_every_nudge(
    device: Device, there: PretendedMachine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(WORK, "enforce", fail)
    assert there.work(now) == "failed"
    assert gateway().detail == "It failed; the cause is in enforcer.log."
    assert there.work(now + timedelta(seconds=10)) == "nothing"


def test_an_enforcer_that_is_killed_at_work_does_not_try_again_at_once(
    device: Device, there: PretendedMachine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_arguments: object, **_options: object) -> None:
        raise SystemExit  # as a kill: nothing is written after it

    monkeypatch.setattr(WORK, "enforce", die)
    with pytest.raises(SystemExit):
        there.work(now)
    monkeypatch.undo()
    assert there.work(now + timedelta(seconds=10)) == "nothing"
    assert there.work(now + MINUTE) == "applied"


def test_a_clock_that_is_set_during_a_check_does_not_stop_the_checks(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    Gateway.objects.update(check_seconds=3600.0)
    assert there.work(now + 10 * MINUTE) == "read back"


def test_the_same_difference_again_and_again_is_one_row_that_says_how_often(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    for minutes in (1, 2, 3):
        there.kernel.content = Content.empty()
        assert there.work(now + minutes * MINUTE) == "healed"
    told = Application.objects.get(outcome=Outcome.HEALED)
    assert (told.times, told.at, gateway().healed) == (3, now + 3 * MINUTE, 3)


def test_a_larger_size_does_not_bring_back_an_old_list_while_it_is_packed(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    many = [f"7.0.0.{last}" for last in range(0, 40, 2)]
    republish(policy_of(device), *many, now=now + MINUTE)
    configure_device(device=fresh(), changes={"max_policy_size": 10}, actor="test", now=now)
    pack_for_devices(now=now)
    assert there.work(now + MINUTE) == "applied"
    held = there.kernel.content
    configure_device(device=fresh(), changes={"max_policy_size": 12}, actor="test", now=now)
    there.work(now + 2 * MINUTE)
    assert there.kernel.content is not None
    assert held is not None
    assert there.kernel.content.block == held.block
    assert gateway().snapshot_number == 2
    pack_for_devices(now=now)
    assert there.work(now + 3 * MINUTE) == "applied"
    assert gateway().entries == 12


def test_a_removed_gateway_whose_first_apply_was_cut_short_is_emptied(
    device: Device, there: PretendedMachine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_self: object, _plan: object) -> None:
        raise SystemExit

    monkeypatch.setattr(type(there.kernel), "apply", die)
    with pytest.raises(SystemExit):
        there.work(now)
    monkeypatch.undo()
    assert there.kernel.content is not None
    remove_device(device=fresh(), actor="test", now=now)
    assert there.work(now + MINUTE) == "let go"
    assert there.kernel.content is None


def test_a_release_that_fails_says_why(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    remove_device(device=fresh(), actor="test", now=now)
    there.refusal = EnforceUnavailable("iptables is held by another program")
    assert there.work(now) == "nothing"
    assert GatewayRelease.objects.get().detail == "iptables is held by another program"


def test_a_gateway_whose_updates_are_off_has_something_new_to_plan(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    configure_device(device=fresh(), changes={"policy_updates": "no"}, actor="test", now=now)
    assert not policy_of(device).is_paused
    republish(policy_of(device), "7.7.7.0/24", now=now + MINUTE)
    there.work(now + MINUTE)
    assert gateway().snapshot_number == 1
