"""How often forwarding does things and how long it waits, and what all of it shares."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from logs.shippers.forward_crew import Crew


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds, where nothing else is said."""

    poll: float = 0.1  # until new lines are looked for again
    save: float = 1.0  # between two savings of a cursor: what a crash has us send again
    first_retry: float = 1.0
    longest_retry: float = 60.0
    connect: float = 10.0  # for each address of a target, its TLS handshake included
    probation: float = 2.0  # until a connection is trusted to take what it was given
    probation_bytes: int = 1024 * 1024  # given to a connection before it is trusted
    hold: float = 30.0  # until files of which nothing is read are let go of
    datagrams: int = 20_000  # a second: UDP cannot say that it is too fast
    stop: float = 0.5  # for what is on its way to be acknowledged

    def retry_after(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row: longer each time, at random."""
        most = min(self.longest_retry, self.first_retry * 2.0 ** min(failures, 16))
        return random.uniform(self.first_retry, most)  # noqa: S311, apart is all they need to be


@dataclass(frozen=True, slots=True)
class Means:
    """What all links share."""

    pace: Pace
    clock: Callable[[], datetime]
    names: Crew  # resolves names and reads certificates
    disk: Crew  # saves cursors
