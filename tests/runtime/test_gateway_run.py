"""A gateway from `make run` to a stop: the real queue, the real enforcer and its two powers."""

from __future__ import annotations

import errno
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.enforcement.kernel.packets import error_of_sending
from tests.fakes.gateway import clean, sh
from tests.fakes.namespace_log import namespaces_log
from tests.fakes.network import SERVER4, Lab, lab
from tests.runtime.running import Run, new_environ, started, until
from tscm_site.env import CHECKOUT

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(400)]
LISTED = "198.51.100.7"
HEALED_WITHIN = 100.0


@pytest.fixture
def network() -> Iterator[Lab]:
    """A network whose gateway is this namespace, with a way out; no rule and no set outlives it."""
    with lab() as made:
        sh("ip", "route", "add", "default", "via", SERVER4)
        try:
            yield made
        finally:
            clean()


@pytest.fixture
def run(network: Lab, tmp_path: Path) -> Iterator[Run]:
    """A running appliance on that gateway; it may enforce."""
    environ = new_environ(tmp_path) | {"TSCM_ENFORCE": "auto", "TSCM_NODE": "edge-gw"}
    with started(environ) as made:
        made.wait_until_it_runs()
        yield made


def test_what_is_listed_is_refused_from_the_start_to_after_a_stop(network: Lab, run: Run) -> None:
    assert error_of_sending(network, LISTED) == 0
    assert "In force on edge-gw: snapshot 1" in tsadmin(run, "demo", "--type", "iptables")
    assert is_refused(network)

    sh("ipset", "flush")
    assert not is_refused(network)
    make_check_older(run)
    until(lambda: is_refused(network), seconds=HEALED_WITHIN)
    until(lambda: healings(run) != [], seconds=HEALED_WITHIN)
    [healed] = healings(run)
    assert "TSblockaddr held 0 of" in healed["detail"]
    assert shown(run)["healed"] == 1

    with namespaces_log():
        checked = tsadmin(run, "check", "sample-gateway")
    assert "This host refuses what is listed, counts and logs it" in checked

    run.process.terminate()
    run.ends_with(0)
    assert is_refused(network)


def is_refused(network: Lab) -> bool:
    """Tell whether this machine may not send to the listed address."""
    return error_of_sending(network, LISTED) == errno.EPERM


def tsadmin(run: Run, *arguments: str) -> str:
    """Run a command as a person beside the appliance does; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tsadmin", *arguments],
        cwd=CHECKOUT,
        env=run.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + enforcer_log(run)
    return done.stdout


def enforcer_log(run: Run) -> str:
    return (run.data / "log" / "enforcer.log").read_text(errors="replace")


def shown(run: Run) -> dict[str, Any]:
    """Return what `tsadmin show` tells of the gateway."""
    found: dict[str, Any] = json.loads(tsadmin(run, "show", "sample-gateway", "--json"))
    told: dict[str, Any] = found["gateway"]
    return told


def healings(run: Run) -> list[dict[str, Any]]:
    return [one for one in shown(run)["applications"] if one["outcome"] == "healed"]


def make_check_older(run: Run) -> None:
    """Let the last check be some minutes ago: the timer then comes to it within ten seconds."""
    with closing(sqlite3.connect(run.data / "tscm.sqlite3", timeout=20)) as connection, connection:
        connection.execute(
            "UPDATE devices_gateway SET checked_at = datetime(checked_at, '-5 minutes')"
        )
