"""Programs that are started: what they are given, what they may say, what outlives a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from enforcement.kernel import commands
from enforcement.kernel.commands import run
from enforcement.kernel.errors import EnforceUnavailable
from enforcement.kernel.state import StateFolder

# Holds the lock and starts a program that says that it runs, then waits for its own end.
HOLDER = """
import sys
from pathlib import Path
from enforcement.kernel.commands import run
from enforcement.kernel.state import StateFolder
with StateFolder(Path(sys.argv[1])).locked("an apply"):
    run(["sh", "-c", "echo $$ >&2 >" + sys.argv[2] + "; exec sleep 60"], seconds=60)
"""


def test_a_program_gets_its_text_whole_before_it_begins() -> None:
    text = os.urandom(1 << 20)
    done = run([sys.executable, "-c", "import os; print(os.fstat(0).st_size)"], given=text)
    assert int(done.output) == len(text)
    assert run(["cat"], given=text).output == text
    assert run(["cat"]).output == b""


def test_a_program_that_says_too_much_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_MOST_OUTPUT", 1 << 20)
    with pytest.raises(EnforceUnavailable, match="yes says more than 1 MiB and was killed"):
        run(["yes"])


def test_of_many_complaints_the_last_are_told() -> None:
    done = run(["sh", "-c", "yes | head -c 300000 >&2; echo at last >&2; exit 3"])
    assert (done.code, done.complaint[-9:], len(done.complaint)) == (3, "y at last", 300)


def test_a_program_that_does_not_end_is_killed_and_told_of() -> None:
    with pytest.raises(EnforceUnavailable, match=r"sleep 60 did not end within 0.1 s.*try again"):
        run(["sleep", "60"], seconds=0.1)


def test_a_program_that_is_not_there_is_told_of() -> None:
    with pytest.raises(EnforceUnavailable, match="no-such-program is not installed"):
        run(["no-such-program"])


def test_who_comes_after_a_killed_process_waits_for_the_program_that_it_started(
    tmp_path: Path,
) -> None:
    folder, told = StateFolder(tmp_path / "enforcer"), tmp_path / "told"
    os.mkfifo(told)
    with subprocess.Popen([sys.executable, "-c", HOLDER, folder.path, told]) as holder:
        orphan = int(told.read_text())
        holder.kill()
    try:
        with (
            pytest.raises(EnforceUnavailable, match="or by a program that it started"),
            folder.locked("the next", seconds=0.1),
        ):
            pass
    finally:
        os.kill(orphan, signal.SIGKILL)
    with folder.locked("the next", seconds=10):
        pass
