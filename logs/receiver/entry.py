"""One device's spool as its writer keeps it, and what is told of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime

from logs.receiver.report import SpoolEntry
from logs.receiver.senders import KnownSender
from logs.spool.base import Manifest
from logs.spool.opening import AnySpool
from logs.spool.state import State

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Entry:
    """One device's spool; `spool` is None while it cannot be opened."""

    sender: KnownSender
    spool: AnySpool | None = None
    disk_bytes: int = 0  # of its closed batches
    closing: dict[int, State] = field(default_factory=dict)  # rotated, not closed yet
    closed: list[Manifest] = field(default_factory=list)  # and not told yet
    asked_at: datetime | None = None  # the asking to rotate that is not answered yet
    is_answered: bool = False  # its batch is rotated, if there was one
    refused: int = 0  # while there is no spool
    trouble: str = ""
    is_unread: bool = False  # the trouble is that another program's file cannot be read
    reopen_at: float = 0.0
    is_changed: bool = False  # since it was told last; before it is opened there is nothing to tell

    @property
    def taken(self) -> int:
        """How many bytes of its quota it has."""
        active = self.spool.state.bytes if self.spool is not None else 0
        # A copy, made in one go: the closer takes batches out of it meanwhile.
        closing = tuple(self.closing.values())
        return self.disk_bytes + active + sum(state.bytes for state in closing)

    def told(self, key: int) -> SpoolEntry:
        """Return how a spool does, all of one moment; what is told is not told again."""
        self.is_changed = False
        if self.spool is None:
            return SpoolEntry(key, None, 0, 0, None, None, trouble=self.trouble)
        state, closing = self.spool.state, self.closing.values()
        closed, self.closed = tuple(self.closed), []
        rotated = None
        if self.is_answered and not closing:
            rotated, self.asked_at = self.asked_at, None
        return SpoolEntry.of(
            key, state,
            closing=closing, trouble=self.trouble, closed=closed, rotated=rotated,
        )  # fmt: skip

    def say(self, trouble: str) -> None:
        """Log a trouble once, and keep it for the report."""
        if trouble != self.trouble:
            log.error("receive: %s", trouble)
            self.trouble = trouble
        self.is_changed = True
