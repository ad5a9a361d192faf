"""Kill a run at any line of the code that puts an apply in order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import enforcement.kernel

_FOLDER = Path(enforcement.kernel.__file__).parent


def files_of(*names: str) -> frozenset[str]:
    """Return the paths of modules of the kernel package, as their code objects name them."""
    return frozenset(str(_FOLDER / f"{name}.py") for name in names)


ORDER = files_of("apply", "boot", "ground", "heal", "host", "recover", "state", "verify")


class Killed(BaseException):
    """Ends a run as SIGKILL does, as far as one process can: nobody catches it."""


@contextmanager
def at_line(
    number: int, deed: Callable[[], None], *, files: frozenset[str] = ORDER
) -> Iterator[None]:
    """Do a deed, such as to kill, where the block comes to its n-th line of that code."""
    left = number

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                deed()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def killed_at(number: int, run: Callable[[], object]) -> bool:
    """Run until its n-th line; tell whether it was killed there. Its own errors are its own."""

    def kill() -> None:
        raise Killed

    try:
        with at_line(number, kill):
            run()
    except Killed:
        return True
    return False
