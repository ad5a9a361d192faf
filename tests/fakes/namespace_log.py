"""Let LOG rules of every network namespace write to the kernel log, for the time of a test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SWITCH = "net.netfilter.nf_log_all_netns"  # one for the whole machine
_SECONDS = 20


@contextmanager
def namespaces_log() -> Iterator[None]:
    """Turn the switch on, and back to what it was. Skips the test where it is out of reach."""
    host = _first_namespace()
    before = _sysctl(host, "-n", _SWITCH).strip()
    _sysctl(host, "-qw", f"{_SWITCH}=1")
    try:
        yield
    finally:
        _sysctl(host, "-qw", f"{_SWITCH}={before}")


def _first_namespace() -> int:
    """Return a process that lives where the switch is: one of those that led to this one.

    Process 1 may not let us in.
    """
    process = os.getppid()
    while process > 1:
        try:
            _sysctl(process, "-n", _SWITCH)
        except subprocess.CalledProcessError:
            status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
            process = int(status.split("PPid:")[1].split()[0])
        else:
            return process
    pytest.skip("the machine's own network namespace, where logging is switched, is out of reach")


def _sysctl(process: int, *arguments: str) -> str:
    command = ["nsenter", "--target", str(process), "--net", "sysctl", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    return done.stdout
