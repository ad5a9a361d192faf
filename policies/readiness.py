"""Whether a process can do its work: what it needs, piece by piece, and how the whole does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from policies.states import Toned

Value = TypeVar("Value")

_STANDS = 10  # times as long as an answer is remembered


class Readiness(Toned):
    """How well a process, or a part of what it needs, does; the best first."""

    READY = "ready", "success", "ready"
    DEGRADED = "degraded", "warning", "ready, with trouble"
    NOT_READY = "not-ready", "danger", "not ready"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a process needs, and how it does."""

    name: str
    state: Readiness
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a process says of itself."""

    parts: tuple[Part, ...]

    @property
    def state(self) -> Readiness:
        """The worst of its parts."""
        order = list(Readiness)
        return max((part.state for part in self.parts), key=order.index, default=Readiness.READY)

    @property
    def status(self) -> int:
        """The status of HTTP that it is answered with: 503 where the process is of no use."""
        return 503 if self.state == Readiness.NOT_READY else 200

    def body(self, *, with_parts: bool) -> bytes:
        """Return it as JSON; without its parts it says nothing of the site."""
        told: dict[str, object] = {"state": self.state.value}
        if with_parts:
            told["checks"] = {
                part.name: {"state": part.state.value, "detail": part.detail} for part in self.parts
            }
        return json.dumps(told).encode("ascii") + b"\n"


def ready(name: str, detail: str) -> Part:
    """Return a part that does well."""
    return Part(name, Readiness.READY, detail)


def degraded(name: str, detail: str) -> Part:
    """Return a part that is in trouble, without which the process still has its use."""
    return Part(name, Readiness.DEGRADED, detail)


def not_ready(name: str, detail: str) -> Part:
    """Return a part without which the process has no use."""
    return Part(name, Readiness.NOT_READY, detail)


class Remembered(Generic[Value]):
    """The last answer to a question that costs something, for a while. Safe from many threads.

    One thread at a time asks. Meanwhile the others get the answer before, where it is not ten times
    as old as it should be; else they wait.
    """

    def __init__(
        self,
        ask: Callable[[], Value],
        *,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._held: tuple[Value, float] | None = None

    def get(self) -> Value:
        """Return the answer, asked for again where it is too old."""
        held = self._held
        if held is None:
            self._lock.acquire()
        else:
            age = self._clock() - held[1]
            may_stand = age < _STANDS * self._seconds
            if age < self._seconds or not self._lock.acquire(blocking=not may_stand):
                return held[0]
        try:
            if self._held is not held and self._held is not None:
                return self._held[0]  # somebody else asked while this thread waited
            answer = self._ask()
            self._held = (answer, self._clock())
            return answer
        finally:
            self._lock.release()
