"""What waits to be done, how long things took, and how the appliance itself does."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from celery import current_app
from django.conf import settings
from django.db import connection
from prometheus_client.core import Metric

from devices.models import Device
from enforcement import services as enforcement
from enforcement.tasks import queue_of
from logs.models import Batch, SavedReport, Spool
from logs.parsers.one import VERSION as PARSERS
from policies.models import AlarmTarget, Policy, Source
from policies.readiness import Readiness
from tscm_site.health import readiness
from tscm_site.metrics.families import by_word, counter, gauge, histogram, number
from tscm_site.queue import QueueAway, queue_lengths
from tscm_site.runs import REPORTS, timings

# Each is a question to the queue.
_MOST_QUEUES = 20
# The work that people wait for, by the words they know it by.
_TASKS = {
    "policies.tasks.retrieve_source": "retrieve",
    "policies.tasks.compile_policy": "compile",
    "enforcement.tasks.work": "enforce",
    "logs.tasks.ship": "ship",
    "logs.tasks.parse": "parse",
    "logs.tasks.tidy": "tidy",
    "logs.tasks.mail_saved": "mail",
    "policies.tasks.tell_target": "notify",
    REPORTS: "report",
}


def due_metrics(*, now: datetime) -> Iterator[Metric]:
    """Yield how much is due in rows, which are the truth about it."""
    yield by_word(
        "tscm_due",
        "What is to be done now and is not done yet.",
        "what",
        {
            "sources": Source.objects.due(now=now).count(),
            "policies": Policy.objects.due(now=now).count(),
            "kernels": len(enforcement.due_nodes(now=now)),
            "uploads": _batches_due(now),
            "batches_to_parse": _to_parse(),
            "alarm_targets": AlarmTarget.objects.due(now=now).count(),
            "reports_to_mail": SavedReport.objects.due(now=now).count(),
        },
    )


def _batches_due(now: datetime) -> int:
    """Return how many devices have a batch to upload now."""
    waiting = Spool.objects.filter(waiting_batches__gt=0, stopped_at=None)
    waiting = waiting.filter(device__send_logs=True, device__is_sample=False)
    return waiting.filter(batches__state="waiting", batches__due_at__lte=now).distinct().count()


def _to_parse() -> int:
    return Batch.objects.filter(parsed_version__lt=PARSERS, removed_at=None).count()


def queue_metrics(*, with_nodes: bool) -> Iterator[Metric]:
    """Yield how many jobs wait in the queue; nothing where it is away.

    `with_nodes`: those of enforcers too, whose names are in rows.
    """
    names = [current_app.conf.task_default_queue]
    if with_nodes:
        nodes = Device.objects.exclude(node="").order_by("pk").values_list("node", flat=True)
        names += [queue_of(node) for node in nodes[:_MOST_QUEUES]]
    try:
        lengths = queue_lengths(names)
    except QueueAway:
        lengths = {}
    yield by_word("tscm_queue_jobs", "Jobs that wait in the queue.", "queue", lengths)


def timing_metrics() -> Iterator[Metric]:
    """Yield how long the processes of this machine took for what they did."""
    counted = {_TASKS[name]: one for name, one in timings().read().items() if name in _TASKS}
    yield histogram("tscm_work_seconds", "How long work took on this machine.", "work", counted)
    yield counter(
        "tscm_work_failures",
        "How often that failed.",
        ("work",),
        [((word,), one.failures) for word, one in counted.items()],
    )


def site_metrics() -> Iterator[Metric]:
    """Yield how the appliance does: the parts of /readyz, its disk, its version."""
    parts = readiness().parts
    yield gauge(
        "tscm_check_ready",
        "The checks of /readyz: 1 ready, 0.5 ready with trouble, 0 not ready.",
        ("check",),
        [((part.name,), _WORTH[part.state]) for part in parts],
    )
    for folder, path in (("data", settings.DATA_DIR), ("log", settings.TSCM_LOG_DIR)):
        yield from _disk(folder, Path(path))
    yield gauge(
        "tscm_build_info",
        "The program.",
        ("version", "python", "database"),
        [((settings.TSCM_VERSION, platform.python_version(), connection.vendor), 1)],
    )


_WORTH = {Readiness.READY: 1.0, Readiness.DEGRADED: 0.5, Readiness.NOT_READY: 0.0}


def _disk(folder: str, path: Path) -> Iterator[Metric]:
    try:
        usage = shutil.disk_usage(path)
    except OSError:
        return
    yield number(
        f"tscm_{folder}_disk_free_bytes", f"Free on the disk of the {folder} folder.", usage.free
    )
    yield number(
        f"tscm_{folder}_disk_bytes", f"Size of the disk of the {folder} folder.", usage.total
    )
