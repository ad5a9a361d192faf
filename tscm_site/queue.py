"""How much waits in the queue, asked once and briefly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from celery import current_app
from kombu import Connection
from kombu.exceptions import ChannelError, OperationalError

from policies.nudging import NUDGE_SECONDS


class QueueAway(Exception):
    """The queue does not answer."""


def queue_lengths(names: Iterable[str]) -> dict[str, int]:
    """Return how many jobs wait in each of these; 0 in one that is not there. Raises QueueAway.

    One attempt of a second: whoever asks is in no need of the queue.
    """
    connection: Connection = current_app.connection_for_write(
        connect_timeout=NUDGE_SECONDS,
        transport_options={
            "socket_timeout": NUDGE_SECONDS, "socket_connect_timeout": NUDGE_SECONDS,
        },
    )  # fmt: skip
    away: tuple[type[BaseException], ...] = (
        *connection.recoverable_connection_errors, OperationalError, OSError,
    )  # fmt: skip
    try:
        with connection:
            # Said here: whatever connects by itself waits two seconds for a second attempt.
            connection.ensure_connection(max_retries=0)
            return _lengths(connection, names)
    except away as error:
        raise QueueAway(type(error).__name__) from error


def _lengths(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    channel: Any = connection.channel()
    for name in names:
        try:
            found[name] = channel.queue_declare(name, passive=True).message_count
        except ChannelError:  # no such queue: with Redis, none that holds anything
            found[name] = 0
            if not getattr(channel, "is_open", True):  # so AMQP says no
                channel = connection.channel()
    return found
