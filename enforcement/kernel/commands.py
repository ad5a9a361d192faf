"""The only place that starts a process: an argument list, a time limit, bounded output."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from enforcement.kernel.errors import EnforceUnavailable

SECONDS = 30.0
# The folders of administration are not on every user's PATH, nor on a service's.
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"
_SHOWN = 300  # characters of a program's complaint


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended."""

    code: int
    output: bytes
    complaint: str  # the end of what it said on stderr, on one line


def find(program: str) -> str | None:
    """Return where a program lies, None where it is not installed."""
    return shutil.which(program, path=_PATH)


def run(
    command: Sequence[str],
    *,
    given: bytes = b"",
    seconds: float = SECONDS,
    folder: Path | None = None,
) -> Done:
    """Run a program to its end and return how it ended, whatever its exit code.

    It runs in `folder`, or in the one this process is in.

    Raises EnforceUnavailable where it is not installed, cannot be started or takes too long.
    """
    program = find(command[0])
    if program is None:
        raise EnforceUnavailable(f"{command[0]} is not installed: install the package that has it")
    try:
        done = subprocess.run(  # noqa: S603  a list of our own making, no shell
            [program, *command[1:]],
            input=given,
            capture_output=True,
            timeout=seconds,
            check=False,
            cwd=folder,
            env={"PATH": _PATH, "LC_ALL": "C", "TZ": "UTC"},  # times are told for us to read
        )
    except subprocess.TimeoutExpired as error:
        raise EnforceUnavailable(
            f"{' '.join(command)[:_SHOWN]} did not end within {seconds:g} s"
        ) from error
    except OSError as error:
        raise EnforceUnavailable(f"{program} cannot be started: {error.strerror}") from error
    complaint = " ".join(done.stderr.decode(errors="replace").split())
    return Done(done.returncode, done.stdout, complaint[-_SHOWN:])
