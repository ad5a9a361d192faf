"""The rows of logs: what was received, spooled and shipped, line for line."""

from __future__ import annotations

from logs.models.batch import Batch, Delivery
from logs.models.event import EventFile, HitHour, LineShape
from logs.models.forward import Forward
from logs.models.receiver import Receiver, Sender
from logs.models.saved import SavedReport
from logs.models.spool import Spool

__all__ = [
    "Batch",
    "Delivery",
    "EventFile",
    "Forward",
    "HitHour",
    "LineShape",
    "Receiver",
    "SavedReport",
    "Sender",
    "Spool",
]
