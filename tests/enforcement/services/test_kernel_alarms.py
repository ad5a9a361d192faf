"""What goes wrong with a kernel is told once, with its own word, and is over by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from devices.models import Gateway, GatewayState
from enforcement.services import review_kernel_alarms
from policies.models import Alarm, Clock
from policies.states import AlarmKind
from tests.enforcement.rows import enforce
from tests.factories import make_gateway

pytestmark = pytest.mark.django_db
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def kernel(now: datetime) -> Gateway:
    return enforce(make_gateway(now=now, nickname="gw"), now=now)


def alarms(at: datetime) -> list[tuple[str, str]]:
    review_kernel_alarms(now=at)
    return sorted(Alarm.objects.still_open().values_list("kind", "subject"))


def put(kernel: Gateway, **columns: object) -> None:
    Gateway.objects.filter(pk=kernel.pk).update(**columns)


def test_a_kernel_that_holds_what_it_should_is_no_alarm(kernel: Gateway, now: datetime) -> None:
    assert alarms(now) == []


TROUBLES = [
    ({"state": GatewayState.REFUSED, "detail": "No room."}, AlarmKind.NOT_ENFORCED),
    (
        {"state": GatewayState.FAILED, "detail": "ipset is missing.", "failures": 3},
        AlarmKind.NOT_ENFORCED,
    ),
    ({"state": GatewayState.ROLLED_BACK, "detail": "192.0.2.53 was lost."}, AlarmKind.ROLLED_BACK),
]


@pytest.mark.parametrize(("columns", "kind"), TROUBLES)
def test_a_kernel_in_trouble_is_told_with_the_enforcers_words(
    kernel: Gateway, columns: dict[str, object], kind: AlarmKind, now: datetime
) -> None:
    put(kernel, **columns)
    assert alarms(now) == [(kind, "device gw")]
    assert Alarm.objects.get().message == columns["detail"]
    put(kernel, state=GatewayState.ENFORCED)
    assert alarms(now) == []


def test_one_failure_that_may_pass_is_no_alarm(kernel: Gateway, now: datetime) -> None:
    put(kernel, state=GatewayState.FAILED, detail="Busy.", failures=2)
    assert alarms(now) == []


def test_an_enforcer_that_is_away_is_told_and_not_while_the_appliance_just_came_back(
    kernel: Gateway, now: datetime
) -> None:
    away = [(AlarmKind.ENFORCER_AWAY, "device gw")]
    assert alarms(now + 4 * MINUTE) == []
    back = now + 30 * MINUTE
    clock = Clock.objects.create(node="n", boot="a", uptime=1, checked_at=back, back_at=back)
    assert alarms(back + 4 * MINUTE) == []
    assert alarms(back + 5 * MINUTE) == away
    assert "last read back 2026-11-21 12:00 UTC" in Alarm.objects.get().message
    clock.delete()
    put(kernel, checked_at=back + 6 * MINUTE)
    alarms(back + 6 * MINUTE)
    put(kernel, checked_at=back + 9 * MINUTE)
    assert alarms(back + 9 * MINUTE) == []


def test_a_new_gateway_that_no_enforcer_takes_up_is_told_unless_it_is_paused(
    now: datetime,
) -> None:
    kernel = Gateway.objects.get(device=make_gateway(now=now, nickname="new"))
    assert alarms(now + 14 * MINUTE) == []
    assert alarms(now + 15 * MINUTE) == [(AlarmKind.ENFORCER_AWAY, "device new")]
    put(kernel, paused_until=now + HOUR)
    alarms(now + 16 * MINUTE)
    assert alarms(now + 19 * MINUTE) == []


def test_a_kernel_that_somebody_else_changes_is_told_for_an_hour(
    kernel: Gateway, now: datetime
) -> None:
    put(kernel, healed_at=now, healed=7)
    assert alarms(now) == [(AlarmKind.KERNEL_DIFFERS, "device gw")]
    assert "put right, 7 times in all" in Alarm.objects.get().message
    put(kernel, checked_at=now + HOUR)
    assert alarms(now + HOUR) == []


def test_a_sample_is_nobodys_worry(kernel: Gateway, now: datetime) -> None:
    type(kernel.device).objects.update(is_sample=True)
    put(kernel, state=GatewayState.REFUSED)
    assert alarms(now + 9 * HOUR) == []
