"""A forwarder as tests run it: quick to look, to save and to try again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from logs.shippers.forward import Forwarder, Status
from logs.shippers.forward_pace import Pace
from logs.shippers.forward_target import Target
from logs.spool.base import Place
from tests.logs.shippers.sinks import until
from tests.logs.spools import NOW

QUICK = Pace(
    poll=0.02, save=0.05, first_retry=0.05, longest_retry=0.2, connect=2.0, probation=0.2, stop=0.5
)
KEY = "device-1"


@contextmanager
def forwarding(
    cursors: Path, place: Place, *targets: Target, pace: Pace = QUICK
) -> Iterator[Forwarder]:
    """Forward a spool from its oldest line on."""
    with Forwarder(cursors, clock=lambda: NOW, pace=pace, begin="oldest") as forwarder:
        forwarder.follow({KEY: (place, targets)})
        yield forwarder


def status_of(forwarder: Forwarder, target: Target) -> Status | None:
    """Return how a target does, None where that is not known yet."""
    return forwarder.statuses().get((KEY, str(target)))


def done(forwarder: Forwarder, target: Target, *, sent: int) -> Status:
    """Wait until so many lines were acknowledged and none waits; return how the target does."""
    return _awaited(forwarder, target, lambda now: now.sent >= sent and now.lag_lines == 0)


def sending(forwarder: Forwarder, target: Target, *, sent: int) -> Status:
    """Wait until so many lines were acknowledged; return how the target does."""
    return _awaited(forwarder, target, lambda now: now.sent >= sent)


def failing(forwarder: Forwarder, target: Target) -> Status:
    """Wait until the target cannot be forwarded to; return how it does."""
    return _awaited(forwarder, target, lambda now: now.state == "failing")


def troubled(forwarder: Forwarder, target: Target, *, is_so: bool) -> Status:
    """Wait until something is wrong with the target, or nothing is; return how it does."""
    return _awaited(forwarder, target, lambda now: bool(now.error) == is_so)


def _awaited(forwarder: Forwarder, target: Target, true: Callable[[Status], bool]) -> Status:
    def is_true() -> bool:
        status = status_of(forwarder, target)
        return status is not None and true(status)

    until(is_true, lambda: status_of(forwarder, target))
    status = status_of(forwarder, target)
    assert status is not None
    return status


def local(port: int, protocol: str = "tcp", **settings: object) -> Target:
    """Return a target on loopback."""
    return replace(Target.parse(f"127.0.0.1:{port}/{protocol}"), **settings)  # type: ignore[arg-type]
