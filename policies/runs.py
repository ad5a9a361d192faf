"""One id for all that follows from one thing: a request, a command, a round of the schedule.

Log lines bear it, and jobs hand it on to the jobs that they send; so one search gives the whole
story, from the click to the kernel.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass

# What others may choose: nothing that could end a line or look like two fields.
RUN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

# In the environment of a request: the id of its run, for who logs the request when it is over.
RUN_KEY = "tscm.run"


@dataclass(frozen=True, slots=True)
class Run:
    """A run, and whether jobs that are sent now belong to it."""

    id: str
    is_handed_on: bool = True


_now: ContextVar[Run | None] = ContextVar("run", default=None)


def new_run_id() -> str:
    """Return an id that nobody had."""
    return str(uuid.uuid4())


def current_run() -> Run | None:
    """Return the run at hand; None outside of any."""
    return _now.get()


def begin(run: Run) -> Token[Run | None]:
    """Have everything from now on belong to `run`, until `end`."""
    return _now.set(run)


def end(token: Token[Run | None]) -> None:
    """Go back to what was before `begin`."""
    _now.reset(token)


@contextmanager
def in_run(run: Run) -> Iterator[None]:
    """Have everything inside belong to `run`."""
    token = begin(run)
    try:
        yield
    finally:
        end(token)
