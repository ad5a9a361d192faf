"""The promise every shipper keeps, and how it fails.

ShipError
├── ShipUnavailable   no connection, TLS trouble, 5xx, cut short: tried again later, for days
└── ShipRefused       refused by the other side, or not what was closed: a person must look

`ShipperMisconfigured` stands outside the tree on purpose: no retry may hide it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from logs.spool.base import Manifest, Place
from policies.sources.base import Deadline

# In the order in which `tsadmin logs` prints them, which is that of the product we follow.
Step = Literal["verify", "process", "send", "prepare", "connect", "done"]
OnProgress = Callable[[Step], None]


class ShipError(Exception):
    """A batch that did not arrive; it stays where it is."""

    # Whether other batches may fare better on the same way: False where the way itself is at fault.
    is_about_batch: ClassVar[bool] = False
    retry_after: float | None = None  # seconds that the other side asked us to wait


class ShipUnavailable(ShipError):
    """It could not be sent now; trying again later may help."""


class ShipRefused(ShipError):
    """Trying again will not help before a person has looked."""


class ShipperMisconfigured(ValueError):
    """A setting that cannot work; the message names it and what it accepts."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A closed batch, and whose it is."""

    device_id: str
    place: Place
    manifest: Manifest

    @property
    def path(self) -> Path:
        """Where its lines are."""
        return self.place.batch(self.manifest.number)

    def __str__(self) -> str:
        """Return the batch for a message."""
        return f"batch {self.manifest.number} of {self.device_id} ({self.path.name})"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the other side said to a batch that arrived whole."""

    status: int
    message: str  # "200 OK"
    bytes_sent: int  # of the body, as compressed
    lines: int
    seconds: float
    was_duplicate: bool = False  # an earlier attempt had arrived, though we were not told


class Shipper(Protocol):
    """One place that closed batches are sent to."""

    def ship(
        self, batch: Batch, *, deadline: Deadline, on_progress: OnProgress | None = None
    ) -> Receipt:
        """Send the batch whole and have it acknowledged.

        Raises `ShipUnavailable` or `ShipRefused`, never anything else, for whatever the other side
        does, and never much later than `deadline`. To send a batch again does no harm.
        """
        ...
