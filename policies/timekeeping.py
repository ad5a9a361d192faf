"""How the clock of this machine is kept, as its kernel tells: nobody is asked over the network."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# adjtimex(2): nothing is set where modes is 0; this comes back where nobody disciplines the clock.
_TIME_ERROR = 5
_TIMEX_BYTES = 256  # struct timex has 208 on 64 bits and fewer on 32


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What a machine's clocks say at one moment."""

    boot: str  # which boot the uptime is of
    uptime: float  # seconds; it runs on while the machine sleeps, and nobody can set it
    is_kept: bool | None  # in step with the time of the world; None where the kernel does not say


def read_clock() -> ClockReading:
    """Return what the clocks of this machine say now."""
    return ClockReading(
        boot=BOOT_ID.read_text(encoding="ascii").strip(),
        uptime=time.clock_gettime(time.CLOCK_BOOTTIME),
        is_kept=_is_kept(),
    )


def _is_kept() -> bool | None:
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(ctypes.byref(ctypes.create_string_buffer(_TIMEX_BYTES)))
    # Some sandboxes do not let one ask.
    return None if state < 0 else state != _TIME_ERROR
