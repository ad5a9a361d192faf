"""Who holds a claim on a row, and whether that process still lives.

A claim is an owner's name and an end. It is taken by one conditional UPDATE, so that any number of
workers are safe on any database. A claim whose owner was killed is free at once on the owner's own
host; elsewhere it is free when it ends.
"""

from __future__ import annotations

import secrets
import socket

import psutil


def new_owner() -> str:
    """Return a name for one claim of this process: host, pid, start of the process, a token."""
    process = psutil.Process()
    return (
        f"{socket.gethostname()}|{process.pid}|{process.create_time():.2f}|{secrets.token_hex(4)}"
    )


def is_gone(owner: str) -> bool:
    """Tell whether the process behind `owner` is surely dead: on this host, and not running."""
    host, _, rest = owner.partition("|")
    if host != socket.gethostname():
        return False
    pid, _, rest = rest.partition("|")
    started = rest.partition("|")[0]
    try:
        # A pid is used again: only the same pid with the same start is the same process.
        process = psutil.Process(int(pid))
        return f"{process.create_time():.2f}" != started or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
