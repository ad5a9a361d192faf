"""Data folders and appliances for the tests of the runner."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.running import Run, new_environ, started
from tscm_site.env import CHECKOUT


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a kernel test where the kernel's tables would be the machine's own."""
    if item.get_closest_marker("kernel") is None:
        return
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if any(name != "lo" for _, name in socket.if_nameindex()):
        pytest.skip("needs a network namespace of its own, as deploy/test.sh makes it")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which everything was prepared once: a start from a copy is quick."""
    folder = tmp_path_factory.mktemp("prepared")
    command = (sys.executable, "-m", "deploy.prepare")
    subprocess.run(command, cwd=CHECKOUT, env=new_environ(folder), check=True, timeout=120)
    return folder / "data"


@pytest.fixture
def environ(tmp_path: Path, prepared: Path) -> dict[str, str]:
    shutil.copytree(prepared, tmp_path / "data")
    return new_environ(tmp_path)


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Iterator[Run]:
    """One running appliance for the tests that leave it running."""
    folder = tmp_path_factory.mktemp("appliance")
    shutil.copytree(prepared, folder / "data")
    with started(new_environ(folder)) as run:
        run.wait_until_it_runs()
        yield run
