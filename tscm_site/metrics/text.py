"""All of it in one text, in the format that is asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime

from django.db import Error
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import (
    CONTENT_TYPE_LATEST as OPENMETRICS,
    generate_latest as generate_openmetrics,
)
from prometheus_client.registry import Collector

from policies.readiness import Remembered
from tscm_site.metrics.of_devices import device_metrics
from tscm_site.metrics.of_fleet import fleet_metrics
from tscm_site.metrics.of_hits import hit_metrics
from tscm_site.metrics.of_logs import log_metrics, receiver_metrics, upload_metrics
from tscm_site.metrics.of_policies import alarm_metrics, policy_metrics, source_metrics
from tscm_site.metrics.of_work import due_metrics, queue_metrics, site_metrics, timing_metrics

# Less than any interval of scraping: who scrapes sees no counter go back, whichever worker answers.
REMEMBERED_SECONDS = 2.0

log = logging.getLogger(__name__)


def exposition(*, accept: str) -> tuple[bytes, str]:
    """Return the metrics, at most two seconds old, and their content type.

    OpenMetrics to who asks for it, else Prometheus' own text.
    """
    measured = _Measured(_remembered.get())
    if "application/openmetrics-text" in accept:
        text: bytes = generate_openmetrics(measured)  # type: ignore[no-untyped-call]
        return text, OPENMETRICS
    return generate_latest(measured), CONTENT_TYPE_PLAIN_0_0_4


def measure(*, now: datetime) -> tuple[Metric, ...]:
    """Return all metrics. Where the database is away, what files and the machine tell is left."""
    try:
        of_rows = tuple(_of_rows(now=now))
    except Error as error:
        log.warning("metrics of rows are left out, the database is away: %s", error)
        of_rows = ()
    return (*of_rows, *queue_metrics(with_nodes=bool(of_rows)), *timing_metrics(), *site_metrics())


def _of_rows(*, now: datetime) -> Iterator[Metric]:
    yield from device_metrics(now=now)
    yield from fleet_metrics(now=now)
    yield from policy_metrics()
    yield from source_metrics(now=now)
    yield from alarm_metrics()
    yield from log_metrics()
    yield from upload_metrics()
    yield from receiver_metrics()
    yield from hit_metrics(now=now)
    yield from due_metrics(now=now)


class _Measured(Collector):
    """What was measured, as the formats want to be given it."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        """Return the metrics."""
        return self._metrics


_remembered = Remembered(lambda: measure(now=timezone.now()), seconds=REMEMBERED_SECONDS)  # noqa: TID251  an edge
