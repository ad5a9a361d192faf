"""Where somebody sits who types a command: what SSH and sudo say of it."""

from __future__ import annotations

import os
from pathlib import Path

from policies.origin import Origin

_CHANNEL = "tsadmin"
_MOST_PARENTS = 32


def origin() -> Origin:
    """Return where the command comes from: its own machine, or the address of the SSH client.

    sudo leaves out what SSH said; then the programs that started this one are asked, as far as
    they may be.
    """
    caller = os.environ.get("SUDO_USER", "")
    channel = f"{_CHANNEL}, sudo by {caller}" if caller else _CHANNEL
    address = _client(os.environ.get("SSH_CONNECTION", ""))
    return Origin(channel, address or _of_parents(os.getppid()))


def _client(connection: str) -> str:
    """Return the client of "client port server port"; "" where it is not that."""
    return connection.split(" ", 1)[0] if connection.count(" ") == 3 else ""


def _of_parents(pid: int) -> str:
    for _ in range(_MOST_PARENTS):
        try:
            told = (Path("/proc") / str(pid) / "environ").read_bytes()
            status = (Path("/proc") / str(pid) / "status").read_text(errors="replace")
        except OSError:  # gone, or another user's
            return ""
        for pair in told.split(b"\0"):
            if pair.startswith(b"SSH_CONNECTION="):
                return _client(pair.partition(b"=")[2].decode(errors="replace"))
        found = [line for line in status.splitlines() if line.startswith("PPid:")]
        pid = int(found[0].removeprefix("PPid:")) if found else 0
        if pid <= 1:
            return ""
    return ""
