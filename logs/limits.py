"""What this machine lets a process have."""

from __future__ import annotations

import resource


def allow_many_files() -> None:
    """Let the process have as many connections and files open as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
