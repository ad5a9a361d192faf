"""The rows of logs: what was received, spooled and shipped, line for line."""

from __future__ import annotations

from logs.models.batch import Batch, Delivery
from logs.models.forward import Forward
from logs.models.receiver import Receiver, Sender
from logs.models.spool import Spool

__all__ = ["Batch", "Delivery", "Forward", "Receiver", "Sender", "Spool"]
