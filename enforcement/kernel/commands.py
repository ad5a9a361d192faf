"""The only place that starts a process: an argument list, a time limit, bounded output.

A program is given its text as a finished file in memory: a kill of this process cannot leave it
with a part of the text, which might be read as a whole one.
"""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from enforcement.kernel.errors import EnforceUnavailable

SECONDS = 30.0
# The folders of administration are not on every user's PATH, nor on a service's.
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"
_SHOWN = 300  # characters of a program's complaint
_MOST_OUTPUT = 1 << 29  # bytes; ten times what a list of a million entries is told in
_BLOCK = 1 << 16
_handed: ContextVar[tuple[int, ...]] = ContextVar("_handed", default=())


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended."""

    code: int
    output: bytes
    complaint: str  # the end of what it said on stderr, on one line


@contextmanager
def handing_down(descriptor: int) -> Iterator[None]:
    """Have every program that is started in the block keep a descriptor open until it ends.

    What the descriptor locks stays locked where this process is killed and a program lives on.
    """
    token = _handed.set((*_handed.get(), descriptor))
    try:
        yield
    finally:
        _handed.reset(token)


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

    Raises EnforceUnavailable where it is not installed, cannot be started, says more than half a
    gigabyte or takes too long; it is then killed.
    """
    program = find(command[0])
    if program is None:
        raise EnforceUnavailable(f"{command[0]} is not installed: install the package that has it")
    ends = time.monotonic() + seconds
    try:
        with _file(given) as text, _started([program, *command[1:]], text, folder) as process:
            try:
                output, said = _heard(process, command[0], ends)
                code = process.wait(max(0.0, ends - time.monotonic()))
            except BaseException:
                process.kill()
                raise
    except (TimeoutError, subprocess.TimeoutExpired) as error:
        raise EnforceUnavailable(
            f"{' '.join(command)[:_SHOWN]} did not end within {seconds:g} s and was killed: see"
            " what else keeps this machine or its kernel busy, then try again"
        ) from error
    except OSError as error:
        raise EnforceUnavailable(
            f"{program} cannot be run: {error.strerror or error}: see that this machine has memory"
            " left and that the program can be started by hand"
        ) from error
    return Done(code, output, " ".join(said.decode(errors="replace").split())[-_SHOWN:])


@contextmanager
def _file(content: bytes) -> Iterator[int]:
    """Yield a descriptor of a file in memory that holds the content, at its beginning."""
    descriptor = os.memfd_create("given")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.seek(0)  # which writes what is not yet written
        yield descriptor


def _started(command: Sequence[str], text: int, folder: Path | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  a list of our own making, no shell
        command,
        stdin=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        pass_fds=_handed.get(),
        cwd=folder,
        env={"PATH": _PATH, "LC_ALL": "C", "TZ": "UTC"},  # times are told for us to read
    )


def _heard(process: subprocess.Popen[bytes], called: str, ends: float) -> tuple[bytes, bytes]:
    """Return what a program says until it closes both, and the end of its complaints.

    Raises TimeoutError, and EnforceUnavailable where it says too much.
    """
    output, complaint, size = [], b"", 0
    with selectors.DefaultSelector() as open_ones:
        for pipe in (process.stdout, process.stderr):
            open_ones.register(pipe, selectors.EVENT_READ)  # type: ignore[arg-type]
        while open_ones.get_map():
            ready = open_ones.select(max(0.0, ends - time.monotonic()))
            if not ready and time.monotonic() >= ends:
                raise TimeoutError
            for key, _ in ready:
                block = os.read(key.fd, _BLOCK)
                if not block:
                    open_ones.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    output.append(block)
                    size += len(block)
                else:
                    complaint = (complaint + block)[-_BLOCK:]
            if size > _MOST_OUTPUT:
                raise EnforceUnavailable(
                    f"{called} says more than {_MOST_OUTPUT >> 20} MiB and was killed: see by hand"
                    " what it has to tell"
                )
    return b"".join(output), complaint
