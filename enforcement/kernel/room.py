"""Whether the kernel has the memory for what is to be loaded."""

from __future__ import annotations

from pathlib import Path

from enforcement.kernel.errors import EnforceRefused, EnforceUnavailable

MOST_SHARE = 0.5  # of what can be had without swapping
_MEMINFO = Path("/proc/meminfo")
_MIB = 1 << 20


def available_memory() -> int:
    """Return the bytes that can be had without swapping (MemAvailable of proc_meminfo(5))."""
    try:
        lines = _MEMINFO.read_text().splitlines()
        found = next(line.split() for line in lines if line.startswith("MemAvailable:"))
        return int(found[1]) << 10
    except (OSError, StopIteration, IndexError, ValueError) as error:
        raise EnforceUnavailable(f"{_MEMINFO} does not tell how much memory there is") from error


def refuse_beyond(available: int, *, needed: int) -> None:
    """Raise EnforceRefused where sets would take more than their share of the memory there is."""
    most = int(available * MOST_SHARE)
    if needed > most:
        raise EnforceRefused(
            f"the sets need {needed // _MIB:,} MiB of memory, and no more than"
            f" {most // _MIB:,} MiB, half of what is available, is taken: shorten the list or give"
            " this machine more memory"
        )
