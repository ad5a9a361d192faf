"""Who holds a claim on a row, and whether that process still lives.

A claim is an owner's name and an end. It is taken by one conditional UPDATE, so that any number of
workers are safe on any database. A claim whose owner was killed is free at once on the owner's own
host; elsewhere it is free when it ends.
"""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path


def new_owner() -> str:
    """Return a name for one claim of this process: host, pid, start of the process, a token."""
    pid = os.getpid()
    return f"{socket.gethostname()}|{pid}|{_start(pid)}|{secrets.token_hex(4)}"


def is_gone(owner: str) -> bool:
    """Tell whether the process behind `owner` is surely dead: on this host, and not running."""
    host, _, rest = owner.partition("|")
    if host != socket.gethostname():
        return False
    pid, _, rest = rest.partition("|")
    # A pid is used again: only the same pid with the same start is the same process.
    return _start(int(pid)) != rest.partition("|")[0]


def _start(pid: int) -> str:
    """Return when a process started, in ticks since this boot; "" where none with this pid runs.

    Not as a time of day: that one moves when the clock is set, and a living owner would look dead.
    proc(5) has the fields: the state is the third, the start the 22nd.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else f"{fields[19]}@{boot[:8]}"
