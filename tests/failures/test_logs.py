"""What becomes of lines when something goes wrong on their way: row 25, a whole appliance each."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.appliance import Appliance, appliance
from tests.logs.shippers.sinks import Sink
from tests.runtime.running import free_port, until

PORT, TARGET = free_port(), free_port()
SECONDS = 60.0
DEVICE = f"""
from devices.services import add_device
settings = {{"device_id": "tdid_edge", "management_ip": "127.0.0.1",
             "syslog_forward": "127.0.0.1:{TARGET}/tcp"}}
add_device(kind="firepower", nickname="edge", settings=settings, actor="test", now=timezone.now())
"""
LOOK = """
import json
from logs.models import Forward, Receiver, Spool
from logs.reports.ledger import ledgers
# There are none before the receiver has told of them.
spool, receiver = Spool.objects.first() or Spool(), Receiver.objects.first() or Receiver()
print(json.dumps({
    "received": spool.received, "spooled": spool.spooled,
    "is_balanced": all(one.is_balanced for one in ledgers(Spool.objects.all()).values()),
    "kernel_drops": receiver.kernel_drops,
    "targets": Forward.objects.filter(state="forwarding").count(),
}))
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Appliance]:
    with appliance(tmp_path / "data", TSCM_SYSLOG_BIND=f"127.0.0.1:{PORT}") as made:
        made.python(DEVICE)
        yield made


def start(site: Appliance, name: str) -> None:
    site.start(name)
    if name == "receiver":
        until(lambda: _connects(PORT), seconds=SECONDS)


def _connects(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def send(*numbers: int) -> bytes:
    """Send numbered lines by TCP; return them as they were sent."""
    text = b"".join(b"<13>line %d\n" % number for number in numbers)
    with socket.create_connection(("127.0.0.1", PORT), timeout=SECONDS) as connection:
        connection.sendall(text)
    return text


def told(site: Appliance, name: str, at_least: int) -> dict[str, Any]:
    """Wait until the rows tell so much; return all that they tell."""
    found: dict[str, Any] = {}

    def is_told() -> bool:
        found.update(site.python(LOOK))
        return int(found[name]) >= at_least

    until(is_told, seconds=SECONDS)
    return found


def kill(site: Appliance, name: str) -> None:
    os.killpg(site.processes[name].pid, signal.SIGKILL)
    site.processes[name].wait()


@pytest.mark.timeout(180)
def test_failure_25_no_line_is_lost_in_a_second_outage_nor_by_kills_in_it(site: Appliance) -> None:
    start(site, "receiver")
    start(site, "forwarder")
    with Sink(port=TARGET) as first:
        told(site, "targets", 1)  # which gets what comes from then on
        sent = send(*range(100))
        until(lambda: first.received == sent, seconds=SECONDS)
    sent += send(*range(100, 200))
    with Sink(port=TARGET) as second:
        until(lambda: sent.endswith(second.received[-20:] or b"-"), seconds=SECONDS)
    kill(site, "forwarder")
    sent += send(*range(200, 300))
    told(site, "received", 300)
    kill(site, "receiver")
    start(site, "receiver")
    sent += send(*range(300, 400))
    start(site, "forwarder")
    with Sink(port=TARGET) as third:
        until(lambda: third.received.endswith(b"line 399\n"), seconds=SECONDS)
        after = third.received
    # Each line once at least, in order; what the target did not acknowledge comes twice.
    came = first.received + second.received + after
    assert list(dict.fromkeys(came.splitlines())) == sent.splitlines()
    ledger = told(site, "received", 400)
    assert (ledger["received"], ledger["spooled"], ledger["is_balanced"]) == (400, 400, True)


@pytest.mark.timeout(180)
def test_failure_25_datagrams_that_the_kernel_drops_are_counted_to_the_last(
    site: Appliance,
) -> None:
    start(site, "receiver")
    process = site.processes["receiver"]
    os.killpg(process.pid, signal.SIGSTOP)
    sent, line = 60_000, b"<13>" + b"x" * 1_000
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", PORT))
        for _ in range(sent):
            sender.send(line)
    os.killpg(process.pid, signal.SIGCONT)
    found: dict[str, Any] = {}

    def adds_up() -> bool:
        found.update(site.python(LOOK))
        return int(found["received"] + found["kernel_drops"]) == sent

    until(adds_up, seconds=SECONDS)
    assert found["kernel_drops"] > 0
    assert found["received"] > 0
    assert found["is_balanced"]
