"""SIGKILL while nft is at work: what comes next finds one list or the other, and it stays."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from enforcement.kernel.base import Content, Rules
from enforcement.kernel.nftables import NftablesEnforcer
from enforcement.kernel.state import StateFolder
from tests.enforcement.kernel.nft_table import proves, ruleset
from tests.fakes.gateway import clean

pytestmark = pytest.mark.kernel
ENTRIES = 100_000
# Blocks every second address of 2.0.0.0/8 and what follows.
APPLIES = f"""
import sys
from pathlib import Path
import numpy as np
from enforcement.kernel.base import Content, Rules
from enforcement.kernel.nftables import NftablesEnforcer
from enforcement.kernel.state import StateFolder
from netsets.cidr import AddressSet, from_prefixes4
first = np.arange({ENTRIES}, dtype=np.uint32) * 2 + (2 << 24)
block = from_prefixes4(first, np.full(len(first), 32, np.uint8))
enforcer, rules = NftablesEnforcer(), Rules()
with StateFolder(Path(sys.argv[1])).locked("an apply"):
    enforcer.apply(enforcer.plan(None, Content(block, AddressSet.empty()), rules))
"""


@pytest.fixture
def _no_table() -> Iterator[None]:
    yield
    clean()


def loading(parent: int) -> int:
    """Return the process id of the nft that a process has started to load a text; waits for it."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        for child in children.read_text().split():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
                words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                if words[1:2] == [b"-f"]:
                    return int(child)
    raise AssertionError("nft was not started")


def is_at_work(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.usefixtures("_no_table")
def test_nothing_comes_into_force_after_the_next_run_has_begun(tmp_path: Path) -> None:
    folder, enforcer = StateFolder(tmp_path / "enforcer"), NftablesEnforcer()
    enforcer.write_rules(Rules())
    command = [sys.executable, "-c", APPLIES, str(folder.path)]
    with subprocess.Popen(command) as applying:
        nft = loading(applying.pid)
        applying.kill()
    assert is_at_work(nft)
    with folder.locked("the next", seconds=60):
        assert not is_at_work(nft)
        # It had its text whole, and nobody stopped it; but nobody is left to make the rules ask.
        assert ruleset().sets["TSblockaddr"].loaded == ENTRIES
        assert enforcer.states()["TSblockaddr"].entries == 0
        proves(enforcer, Content.empty())
