"""A gateway at a terminal: what is asked, and what Ctrl-C ends."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.tsadmin.conftest import Appliance
from tests.tsadmin.enforcer import PLAN

ADD = ("add", "gw", "--type", "iptables")


def test_add_asks_the_settings_of_a_gateway_and_no_management_address(
    appliance: Appliance,
) -> None:
    with appliance.at_terminal(*ADD) as terminal:
        terminal.expect("Configuring 'Linux gateway'")
        terminal.expect("Device ID (tdid) : ")
        terminal.type("tdid_1")
        for question in (
            "Block list name : [default basic.threatstop.local] ",
            "Allow list name (empty for none) : [default none] ",
            "Send logs to ThreatSTOP : [default yes] ",
            "DNS servers (empty for the site's own) : [default the site's own] ",
            "DNS port : [default 53] ",
        ):
            terminal.expect(question)
            terminal.type("")
        terminal.expect("Added gw.")
        assert terminal.finish() == 0
    assert "management" not in terminal.seen
    assert "syslog" not in terminal.seen


def test_remove_names_the_kernel_that_is_let_go(appliance: Appliance) -> None:
    assert appliance.run(*ADD, "--device_id", "tdid_1", "--node", "gw1").code == 0
    with appliance.at_terminal("remove", "gw", TERM="xterm") as terminal:
        terminal.expect("Remove gw? Its sets and rules are taken out of the kernel of gw1:")
        terminal.expect("(y or n) [default n] ")
        terminal.type("n")
        assert terminal.finish() == 1


def test_apply_shows_the_plan_and_no_is_the_careful_default(appliance: Appliance) -> None:
    assert appliance.run(*ADD, "--device_id", "tdid_1", "--node", "gw1").code == 0
    with (
        _answering(appliance.data / "tscm.sqlite3"),
        appliance.at_terminal("apply", "gw") as terminal,
    ):
        terminal.expect("edge-block #2 on gw1: +1,204 -37")
        terminal.expect("Apply it? (y or n) [default n] ")
        terminal.type("")
        terminal.expect("Error: nothing was changed")
        assert terminal.finish() == 1


def test_ctrl_c_while_an_enforcer_is_waited_for_ends_quietly(appliance: Appliance) -> None:
    assert appliance.run(*ADD, "--device_id", "tdid_1", "--node", "gw1").code == 0
    with appliance.at_terminal("plan", "gw", TERM="xterm") as terminal:
        terminal.expect("ask the enforcer of gw1")
        terminal.press("\x03")
        assert terminal.finish() == 130
    assert "Error" not in terminal.seen
    assert "Traceback" not in terminal.seen


@contextmanager
def _answering(database: Path) -> Iterator[None]:
    """Answer every question in another process's database, as an enforcer elsewhere would."""
    over = threading.Event()
    thread = threading.Thread(target=_answer, args=(database, over))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _answer(database: Path, over: threading.Event) -> None:
    deadline = time.monotonic() + 50
    with closing(sqlite3.connect(database, timeout=10)) as connection:
        while not over.wait(0.05) and time.monotonic() < deadline:
            with connection:
                connection.execute(
                    "UPDATE enforcement_inquiry SET answered_at = ?, answer = ?"
                    " WHERE answered_at IS NULL",
                    (f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}", json.dumps(PLAN.json())),
                )
