"""A program at a terminal: what it asks is read, what a person would type is typed."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

SECONDS = 50


class Terminal:
    """One program with a terminal as input, output and controlling terminal."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        # getpass asks /dev/tty, so the terminal must be the controlling one.
        self._process = subprocess.Popen(
            # A shell that runs tests in the background leaves them deaf to Ctrl-C.
            ["env", "--default-signal=INT", "setsid", "--ctty", *command],
            env=dict(env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        self.seen = ""
        self._unread = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(SECONDS)
        os.close(self._master)

    def expect(self, text: str) -> None:
        """Read until `text` appears."""
        deadline = time.monotonic() + SECONDS
        while text not in self._unread:
            assert self._read(deadline), f"{text!r} never came; seen: {self.seen!r}"
        self._unread = self._unread.partition(text)[2]

    def type(self, text: str) -> None:
        """Type a line."""
        self.press(f"{text}\n")

    def press(self, keys: str) -> None:
        """Type without ENTER."""
        os.write(self._master, keys.encode())

    def interrupt(self) -> int:
        """Press Ctrl-C until the program has ended, as a person would; return the exit code.

        One may get lost: Python waits for a key without another look at signals when one comes
        right between its last look and the wait.
        """
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError):
                self.press("\x03")
            while self._read(time.monotonic() + 1):
                pass
            if self._process.poll() is not None:
                break
        return self._process.wait(1)

    def finish(self) -> int:
        """Read to the end and return the exit code."""
        deadline = time.monotonic() + SECONDS
        while self._read(deadline):
            pass
        return self._process.wait(SECONDS)

    def _read(self, deadline: float) -> bool:
        """Read some more; False at the end of the output or the deadline."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            text = os.read(self._master, 4096).decode(errors="replace")
        except OSError:  # what Linux says when the program has closed the terminal
            return False
        self.seen += text
        self._unread += text
        return bool(text)
