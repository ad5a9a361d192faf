"""Send a job at once for what a row says anyway: never fails its caller.

The rows are the truth: where the broker is away, the next beat finds them.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import Task, current_app
from django.db import transaction
from kombu.exceptions import OperationalError

# A person waits for a nudge: one short try on a connection of its own.
NUDGE_SECONDS = 1.0
_OPTIONS = {
    "max_retries": 0,
    "socket_timeout": NUDGE_SECONDS,
    "socket_connect_timeout": NUDGE_SECONDS,
}

log = logging.getLogger(__name__)


def send_on_commit(task: Task[..., Any], **options: Any) -> None:
    """Send a job once the transaction at hand is committed; `options` are those of apply_async."""
    transaction.on_commit(lambda: send_now(task, **options))


def send_now(task: Task[..., Any], **options: Any) -> None:
    """Send a job; `options` are those of apply_async."""
    try:
        connection = current_app.connection_for_write(
            connect_timeout=NUDGE_SECONDS, transport_options=_OPTIONS
        )
        with connection, current_app.amqp.Producer(connection) as producer:
            task.apply_async(producer=producer, retry=False, **options)
    except (OperationalError, OSError) as error:
        log.warning("nudge not sent, the next beat finds what is due: %s", error)
