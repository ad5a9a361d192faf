"""TERM and INT end a process at a moment of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from policies.stopping import stopping


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """What pytest itself does on these signals, put back afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_signal_sets_the_event_and_ends_nothing(number: signal.Signals) -> None:
    stop = stopping()
    assert not stop.is_set()
    os.kill(os.getpid(), number)
    assert stop.wait(10)
