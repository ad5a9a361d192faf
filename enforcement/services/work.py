"""What the enforcer of a machine does when it is nudged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime


def work(*, node: str, clock: Callable[[], datetime]) -> str:
    """Do what is due on this machine and return what was done, in a word."""
    raise NotImplementedError(node)
