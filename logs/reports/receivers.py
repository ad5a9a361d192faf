"""How a receiver does, and where senders are to send."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from logs.models import Receiver
from logs.spool.base import TRANSPORTS
from policies.states import Toned


class ReceiverState(Toned):
    """The word for a receiver."""

    RUNNING = "running", "success", "running"
    TROUBLED = "troubled", "warning", "running, with trouble"
    STOPPED = "stopped", "warning", "stopped"
    SILENT = "silent", "danger", "silent"


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a receiver takes lines."""

    node: str
    transport: str
    host: str  # as it is bound, such as "::"
    port: int


def receiver_state(row: Receiver, *, now: datetime) -> ReceiverState:
    """Return how a receiver does."""
    if row.stopped_at is not None:
        return ReceiverState.STOPPED
    if row.is_silent(now=now):
        return ReceiverState.SILENT
    return ReceiverState.TROUBLED if row.trouble else ReceiverState.RUNNING


def listeners(*, now: datetime) -> list[Listener]:
    """Return where the receivers that run really listen."""
    rows = [row for row in Receiver.objects.order_by("node", "id") if _runs(row, now=now)]
    return [one for row in rows for text in row.listeners for one in _read(row.node, text)]


def _runs(row: Receiver, *, now: datetime) -> bool:
    return receiver_state(row, now=now) in {ReceiverState.RUNNING, ReceiverState.TROUBLED}


def _read(node: str, text: str) -> list[Listener]:
    """Return a listener such as "udp [::]:514"; nothing for one that reads a file."""
    transport, _, address = text.partition(" ")
    host, _, port = address.rpartition(":")
    if transport not in TRANSPORTS or not port.isdecimal():
        return []
    return [Listener(node, transport, host.strip("[]"), int(port))]
