"""The admin pages of logs: what came, what became of it, who was refused, how it is passed on."""

from __future__ import annotations

from logs.admin import batch, device, forward, receiver, saved, sender, shape, spool

__all__ = ["batch", "device", "forward", "receiver", "saved", "sender", "shape", "spool"]
