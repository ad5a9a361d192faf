"""The sums that a spool keeps of its batches are those of their rows, whatever happens."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st
from pytest_django import DjangoAssertNumQueries, Settings

from logs.models import Batch, Spool
from logs.reports.ledger import ledger_of
from logs.reports.sums import wrong_sums
from logs.reports.totals import unsent_batches
from logs.services import make_room, prune, retry_uploads, ship_spool
from logs.shippers.base import ShipRefused, ShipUnavailable
from logs.states import BatchState
from tests.factories import stopped
from tests.logs.services.shippers import Ending, ScriptedShipper
from tests.logs.services.site import Sensor, make_sensor

pytestmark = pytest.mark.django_db

PLENTY = 10**15


class OfTheBatch(ShipRefused):
    """A refusal of one batch alone."""

    is_about_batch = True


ENDINGS: dict[str, Ending] = {
    "ship": None,
    "fail": ShipUnavailable("Away."),
    "refuse": ShipRefused("No."),
    "refuse one": OfTheBatch("Not this one."),
    "remove while it is sent": lambda _batch: make_room(now=_batch.manifest.closed_at, free=0),
}
STEPS = (*ENDINGS, "close", "retry", "expire", "prune")


def take(sensor: Sensor, step: str, *, now: datetime) -> None:
    """Do one of the things that change batches."""
    if step in ENDINGS:
        ship_spool(
            spool_id=sensor.spool.pk,
            clock=stopped(now),
            until=now + timedelta(seconds=1),
            shipper=ScriptedShipper(ENDINGS[step], ShipUnavailable("Away.")),
        )
    elif step == "close":
        sensor.close_batches(3, 2)
    elif step == "retry":
        retry_uploads(device=sensor.device, actor="test", now=now)
    elif step == "expire":
        make_room(now=now, free=PLENTY - 50)
    else:
        prune(now=now + timedelta(days=100))


@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(STEPS), max_size=15))
def test_the_sums_are_those_of_the_rows_whatever_happens(
    settings: Settings, now: datetime, steps: list[str]
) -> None:
    settings.TSCM_LOG_FREE_BYTES = PLENTY
    sensor = make_sensor(now=now)
    sensor.close_batches(4)
    for number, step in enumerate(steps):
        take(sensor, step, now=now + timedelta(hours=3 * number))
        assert wrong_sums(Spool.objects.all()) == ()
        assert ledger_of(sensor.device).is_balanced
    sensor.files.close()


def test_the_start_page_adds_up_spools_and_reads_no_batch(
    now: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    sensors = [make_sensor(now=now) for _ in range(2)]
    for sensor in sensors:
        sensor.close_batches(1, 1)
    take(sensors[0], "refuse", now=now)
    with django_assert_num_queries(1):
        assert unsent_batches() == {BatchState.WAITING: 3, BatchState.REFUSED: 1}
    assert Batch.objects.count() == 4
