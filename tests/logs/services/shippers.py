"""A shipper that ends each attempt as a test says, and remembers what it was given."""

from __future__ import annotations

from collections.abc import Callable

from logs.shippers.base import Batch, OnProgress, Receipt
from policies.sources.base import Deadline

Ending = Exception | Callable[[Batch], object] | None


class ScriptedShipper:
    """Delivers, unless its script has another ending for the attempt."""

    def __init__(self, *endings: Ending, was_duplicate: bool = False) -> None:
        self.endings = list(endings)
        self.given: list[int] = []
        self._was_duplicate = was_duplicate

    def ship(
        self, batch: Batch, *, deadline: Deadline, on_progress: OnProgress | None = None
    ) -> Receipt:
        """Take the next ending."""
        self.given.append(batch.manifest.number)
        ending = self.endings.pop(0) if self.endings else None
        if isinstance(ending, Exception):
            raise ending
        if ending is not None:
            ending(batch)
        return Receipt(
            200, "200 OK", bytes_sent=10, lines=batch.manifest.lines, seconds=0.1,
            was_duplicate=self._was_duplicate,
        )  # fmt: skip
