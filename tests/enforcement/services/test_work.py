"""The enforcer brings its kernel to what the rows want, and the rows to what its kernel holds."""

from __future__ import annotations

import importlib
import itertools
from datetime import datetime, timedelta

import pytest

from devices.models import Device, Gateway, GatewayRelease, GatewayState
from devices.services import (
    assign_policy,
    configure_device,
    make_due,
    pause_gateway,
    remove_device,
    request_enforcement,
)
from enforcement.kernel.base import Content, Counters, Rules
from enforcement.kernel.errors import EnforceRefused, EnforceUnavailable
from enforcement.models import Application, Outcome, Trigger
from enforcement.services import due_nodes, work
from enforcement.services.canaries import ProbedCanaries, canaries_of
from netsets.cidr import AddressSet
from policies.appliance import Surrounding
from policies.models import ProtectedAddress
from tests.enforcement.machines import NODE, PretendedMachine
from tests.enforcement.services.site import MINUTE, fresh, gateway, policy_of
from tests.factories import make_policy, republish

pytestmark = pytest.mark.django_db
WORK = importlib.import_module("enforcement.services.work")  # its name is that of its function


def test_a_published_snapshot_is_brought_into_force(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    assert there.work(now) == "applied"
    assert there.kernel.content is not None
    assert there.kernel.content.block == AddressSet.of("1.2.3.4", "5.6.0.0/16")
    row, told = gateway(), Application.objects.get()
    assert (row.state, row.snapshot_number, row.entries) == (GatewayState.ENFORCED, 1, 2)
    assert (row.block_digest, row.checked_at, row.due_at) == (
        policy_of(device).current.block_digest, now, None,  # type: ignore[union-attr]
    )  # fmt: skip
    assert (told.outcome, told.trigger, told.added, told.removed, told.cut) == (
        Outcome.APPLIED, Trigger.POLICY, 2, 0, 2,
    )  # fmt: skip


def test_nothing_is_done_twice(device: Device, there: PretendedMachine, now: datetime) -> None:
    there.work(now)
    assert due_nodes(now=now) == []
    assert there.work(now) == "nothing"
    assert Application.objects.count() == 1


def test_a_new_snapshot_goes_in_as_a_difference_and_only_what_is_new_is_cut(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    republish(policy_of(device), "1.2.3.4", "5.6.0.0/16", "7.7.7.7", now=now + MINUTE)
    assert due_nodes(now=now) == [NODE]
    assert there.work(now + MINUTE) == "applied"
    told = Application.objects.first()
    assert told is not None
    assert (told.added, told.removed, told.way, told.snapshot_number) == (1, 0, "difference", 2)
    assert there.cut[-1] == AddressSet.of("7.7.7.7")


def test_open_connections_stay_where_the_site_wants_it(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    configure_device(device=device, changes={"cut_connections": "no"}, actor="test", now=now)
    there.work(now)
    assert (there.cut, Application.objects.get().cut) == ([], 0)


def test_the_kernel_is_read_back_every_minute_and_what_differs_is_healed_and_told(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    there.kernel.content = Content.empty()  # somebody flushed the sets
    assert due_nodes(now=now + MINUTE) == [NODE]
    assert there.work(now + MINUTE) == "healed"
    assert there.kernel.content.block == AddressSet.of("1.2.3.4", "5.6.0.0/16")
    row, told = gateway(), Application.objects.first()
    assert (row.healed, row.healed_at, row.checked_at) == (1, now + MINUTE, now + MINUTE)
    assert told is not None
    assert (told.outcome, told.trigger) == (Outcome.HEALED, Trigger.DIFFERENCE)
    assert "TSblock" in told.detail
    assert there.work(now + 2 * MINUTE) == "read back"
    assert gateway().healed == 1


def test_a_change_of_settings_changes_the_rules_alone(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    changes = {"verdict": "reject", "log_limit": "10/second"}
    configure_device(device=fresh(), changes=changes, actor="test", now=now)
    assert there.work(now) == "applied"
    assert there.kernel.rules is not None
    assert (there.kernel.rules.verdict, there.kernel.rules.log_limit) == ("reject", "10/second")
    told = Application.objects.first()
    assert told is not None
    assert (told.trigger, told.way, told.added) == (Trigger.SETTINGS, "nothing", 0)


def test_a_pause_reaches_the_rules_and_ends_by_itself(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    pause_gateway(device=fresh(), until=now + 5 * MINUTE, actor="ann", now=now)
    there.work(now)
    assert there.kernel.rules is not None
    assert there.kernel.rules.paused_until == now + 5 * MINUTE
    assert gateway().state == GatewayState.PAUSED
    assert due_nodes(now=now + 5 * MINUTE) == [NODE]
    there.work(now + 5 * MINUTE)
    assert there.kernel.rules == Rules()
    assert (gateway().state, gateway().paused_until) == (GatewayState.ENFORCED, None)


def test_a_change_that_cuts_off_a_canary_is_rolled_back_and_not_tried_again(
    device: Device, there: PretendedMachine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.work(now)
    old = there.kernel.content
    republish(policy_of(device), "9.9.9.0/24", now=now + MINUTE)
    lost = frozenset({"site 9.9.9.9"})
    monkeypatch.setattr(ProbedCanaries, "answering", lambda _: lost)
    monkeypatch.setattr(ProbedCanaries, "lost", lambda _, answered: answered)
    assert there.work(now + MINUTE) == "rolled back"
    assert old is not None
    assert there.kernel.content is not None
    assert there.kernel.content.block == old.block
    row = gateway()
    assert (row.state, row.snapshot_number) == (GatewayState.ROLLED_BACK, 1)
    assert "site 9.9.9.9 answered before" in row.detail
    make_due(device=fresh(), now=now + MINUTE)  # to look again is not to ask for it
    assert there.work(now + 2 * MINUTE) == "read back"
    assert (gateway().state, gateway().due_at) == (GatewayState.ROLLED_BACK, None)
    monkeypatch.undo()
    request_enforcement(device=fresh(), actor="ann", now=now + 3 * MINUTE)
    assert there.work(now + 3 * MINUTE) == "applied"
    assert gateway().state == GatewayState.ENFORCED


@pytest.mark.parametrize(
    ("error", "state", "outcome"),
    [
        (EnforceUnavailable("ipset is not installed"), GatewayState.FAILED, Outcome.FAILED),
        (EnforceRefused("3 GB are needed"), GatewayState.REFUSED, Outcome.REFUSED),
    ],
)
def test_a_kernel_that_cannot_be_changed_is_told_once_and_tried_again_later(
    device: Device,
    there: PretendedMachine,
    now: datetime,
    error: EnforceUnavailable | EnforceRefused,
    state: GatewayState,
    outcome: Outcome,
) -> None:
    there.refusal = error
    assert there.work(now) == ("failed" if outcome == Outcome.FAILED else "refused")
    row = gateway()
    assert row.state == state
    assert row.retry_at is not None
    assert row.retry_at > now
    there.work(row.retry_at)
    assert Application.objects.get().outcome == outcome
    there.refusal = None
    row = gateway()
    assert row.retry_at is not None
    assert there.work(row.retry_at) == "applied"
    assert (gateway().failures, gateway().detail) == (0, "")


def test_while_it_fails_it_is_not_tried_at_every_nudge(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.refusal = EnforceUnavailable("ipset is not installed")
    there.work(now)
    failures = gateway().failures
    there.work(now + timedelta(seconds=10))
    assert gateway().failures == failures


def test_what_was_asked_for_meanwhile_stays_due(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    asked = itertools.count(1)

    def clock() -> datetime:
        Gateway.objects.update(due_at=now + next(asked) * MINUTE)  # as if during the work
        return now

    assert work(node=NODE, clock=clock, machine=there.machine()) == "applied"
    assert gateway().due_at is not None


def test_a_removed_gateway_leaves_nothing_in_the_kernel(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    remove_device(device=fresh(), actor="test", now=now)
    assert due_nodes(now=now) == [NODE]
    assert there.work(now) == "let go"
    assert there.kernel.content is None
    assert not GatewayRelease.objects.exists()
    assert due_nodes(now=now) == []


def test_an_empty_database_lets_no_kernel_go(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    Device.objects.all().delete()  # no service: as after the loss of the database
    assert there.work(now) == "nothing"
    assert there.kernel.content is not None


def test_a_policy_that_has_published_nothing_leaves_in_force_what_is(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    assign_policy(device=fresh(), policy=make_policy(now=now), actor="test", now=now)
    assert there.work(now + MINUTE) == "read back"
    assert there.kernel.content is not None
    assert there.kernel.content.block


def test_what_a_machine_stands_on_is_protected_while_it_enforces(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.surroundings = (Surrounding("192.0.2.1", "gateway", "eth0"),)
    there.work(now)
    row = ProtectedAddress.objects.get(network="192.0.2.1")
    assert (row.origin, row.reason) == ("machine gw1", "the appliance's default gateway, gw1")
    remove_device(device=fresh(), actor="test", now=now)
    there.work(now)
    assert not ProtectedAddress.objects.filter(origin="machine gw1").exists()


def test_who_is_logged_in_to_a_gateway_is_never_blocked_and_must_still_be_reached(
    device: Device, there: PretendedMachine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProbedCanaries, "answering", lambda _: frozenset())  # nobody is asked
    there.sessions = ("7.7.7.9",)
    there.work(now)
    row = ProtectedAddress.objects.get(network="7.7.7.9")
    assert (row.origin, row.reason) == (
        "session on gw1", "somebody was logged in to gw1 from here",
    )  # fmt: skip
    assert row.until is not None
    assert "console 7.7.7.9" in canaries_of(fresh(), there.machine(), now=now).by_name
    assert canaries_of(fresh(), there.machine(), now=row.until).by_name == {}
    republish(policy_of(device), "7.7.7.0/24", now=now + MINUTE)
    there.work(now + MINUTE)
    assert there.kernel.content is not None
    assert there.kernel.content.block == AddressSet.of("7.7.7.0/24") - AddressSet.of("7.7.7.9")


def test_dropped_packets_add_up_over_rules_that_count_from_zero_again(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    for number, counted in enumerate((Counters(5, 1), Counters(9, 4), Counters(2, 0))):
        there.kernel.counters = counted
        there.work(now + number * MINUTE)
    assert (gateway().dropped_in, gateway().dropped_out) == (9 + 2, 4)
    assert gateway().dropped_since == now
