"""A disk that is really full or really read-only: a small tmpfs in a mount namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.fakes.appliance import CHECKOUT

# What programs on a small disk may use: the disk's folder, and how to fill it and make room again.
_PROLOGUE = """
import os, subprocess, sys
from pathlib import Path
disk = Path(sys.argv[1])

def fill(leave=0):
    "Leave so many bytes of room."
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 4096)
        except OSError as error:
            assert error.errno == 28, error
        ballast.truncate(max(0, ballast.tell() - leave))

def make_room():
    (disk / "ballast").unlink()

def remount(how):
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True, timeout=10)
"""


@cache
def _cannot() -> str:
    """Return why no disk can be mounted here; "" where one can."""
    if os.geteuid() != 0:
        return "needs root, to mount a small disk of its own"
    tried = subprocess.run(
        ["unshare", "--mount", "true"], capture_output=True, timeout=10, check=False
    )
    return "" if tried.returncode == 0 else "this machine allows no mount namespace"


def run_on_small_disk(program: str, folder: Path, *, kilobytes: int = 512) -> None:
    """Run a Python program whose `disk` is a small disk mounted on `folder`; it must end well."""
    if why := _cannot():
        pytest.skip(why)
    mount = f'mount -t tmpfs -o size={kilobytes}k tmpfs "$0" && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, str(folder),
         sys.executable, "-c", _PROLOGUE + program, str(folder)],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
