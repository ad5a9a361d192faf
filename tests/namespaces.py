"""A network namespace for each worker of the kernel tests, so that two may run beside each other.

A plugin (`-p tests.namespaces`, see deploy/test.sh). A worker runs its tests in its main thread,
whose namespace is what programs that it starts, and /proc, take for the process's own.
"""

from __future__ import annotations

import ctypes
import os
import subprocess

import pytest

_CLONE_NEWNET = 0x4000_0000  # linux/sched.h; os.unshare comes with Python 3.12


def pytest_configure(config: pytest.Config) -> None:
    """Leave the namespace of the other workers."""
    if not hasattr(config, "workerinput"):
        return
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "a worker gets no network namespace of its own")
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    command = ["ip", "link", "set", "lo", "up"]
    subprocess.run(command, check=True, timeout=10, env=environment)
