"""logs and senders beside a real receiver process, and without one; the collector speaks TLS."""

from __future__ import annotations

import gzip
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.appliance import CHECKOUT, Appliance, appliance, wait_until
from tests.fakes.collector import Collector
from tests.logs.shippers.uploads import AUTHORITY, ca_file
from tests.tsadmin.conftest import Appliance as Prepared

pytestmark = pytest.mark.timeout(180)
MAKE = """
from tests.factories import make_device, make_policy
policy = make_policy(now=timezone.now(), name="edge")
make_device(policy=policy, now=timezone.now(), nickname="fmc", management_ip="127.0.0.1")
"""


class Site:
    """An appliance with a device at 127.0.0.1, and a collector of its own."""

    def __init__(self, made: Appliance, port: int, store: Path) -> None:
        self.made, self.port, self.store = made, port, store

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run tsadmin as a person does."""
        done = subprocess.run(
            [sys.executable, "-m", "tsadmin", *arguments],
            cwd=CHECKOUT, env=self.made.environment, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def told(self, *arguments: str) -> dict[str, Any]:
        """Run it with --json."""
        found: dict[str, Any] = json.loads(self.run(*arguments, "--json").stdout)
        return found

    @contextmanager
    def receiver(self) -> Iterator[None]:
        """A receiver that listens, until the block ends."""
        process = self.made.start("receiver")
        try:
            wait_until(lambda: _listens(self.port), what="the receiver listens")
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)

    @contextmanager
    def sender(self, address: str = "127.0.0.1") -> Iterator[socket.socket]:
        """A TCP connection of a sensor."""
        where = ("127.0.0.1", self.port)
        with socket.create_connection(where, timeout=10, source_address=(address, 0)) as sock:
            yield sock

    def received(self) -> int:
        """How many lines the rows tell of."""
        found = self.made.row("SELECT received FROM logs_spool")
        return int(found[0]) if found else 0

    def has_refused(self, lines: int) -> bool:
        """Tell whether the rows tell of so many lines of an unknown sender."""
        return self.made.row("SELECT lines FROM logs_sender") == (lines,)

    def collected(self) -> list[bytes]:
        """The lines that arrived at the collector, batch after batch."""
        files = sorted(self.store.glob("*/*.log.gz"), key=lambda path: int(path.name.split(".")[0]))
        return [line for path in files for line in gzip.decompress(path.read_bytes()).splitlines()]


@pytest.fixture
def site(prepared: Prepared, tmp_path: Path) -> Iterator[Site]:
    shutil.copytree(prepared.data, tmp_path / "data")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    store = tmp_path / "store"
    certificate = AUTHORITY.issue_cert("127.0.0.1")
    with Collector(store, certificate=certificate, workers=1) as collector:
        environment = {
            "TSCM_SYSLOG_BIND": f"127.0.0.1:{port}",
            "TSCM_LOG_UPLOAD_URL": collector.url(),
            "TSCM_LOG_CA": str(ca_file(tmp_path)),
            "TSCM_LOG_FREE_MB": "1",
        }
        with appliance(tmp_path / "data", **environment) as made:
            made.python(MAKE)
            yield Site(made, port, store)


def numbered(first: int, last: int) -> list[bytes]:
    return [b"<113>2026-11-21T12:00:00Z fmc line %d" % number for number in range(first, last)]


def framed(lines: list[bytes]) -> bytes:
    return b"".join(b"%b\n" % line for line in lines)


def adopt(site: Site, address: str) -> None:
    """Have lines of an unknown sender refused, make it known, and have lines of it kept."""
    kept = site.received()
    with site.sender(address) as stranger:
        stranger.sendall(framed(numbered(0, 3)))
        wait_until(lambda: site.has_refused(3), what="the sender is told")
        (one,) = site.told("senders")["senders"]
        assert (one["address"], one["suggested"]) == (address, "fmc")
        assert one["sample"] == numbered(0, 1)[0].decode()
        done = site.run("senders", "adopt", address, "fmc")
        assert done.returncode == 0, done.stderr

        def is_kept() -> bool:
            stranger.sendall(b"<113>adopted\n")
            return site.received() > kept

        wait_until(is_kept, what="its lines are kept")


def test_logs_beside_a_receiver_and_without_one_uploads_every_line_once(site: Site) -> None:
    with site.receiver():
        with site.sender() as sensor:
            sensor.sendall(framed(numbered(0, 1000)))
            wait_until(lambda: site.received() == 1000, what="the lines are told")
            done = site.run("logs")
            assert (done.returncode, done.stderr) == (0, "")
            assert "Upload was successful [200 OK]" in done.stdout
            assert site.collected() == numbered(0, 1000)
            idle = site.run("logs", "fmc")
            assert idle.stdout.splitlines() == [
                "[INFO ] : Starting log upload client",
                "[INFO ] : Log upload client exited",
            ]
            sensor.sendall(framed(numbered(1000, 1500)))
            wait_until(lambda: site.received() == 1500, what="the lines are told")
        assert site.told("show", "fmc")["logs"]["syslog"] == [
            f"udp 127.0.0.1:{site.port}",
            f"tcp 127.0.0.1:{site.port}",
        ]
    # Nobody has the spool any more: the command closes the file itself.
    assert site.run("logs", "fmc").returncode == 0
    assert site.collected() == numbered(0, 1500)
    with site.receiver(), site.sender() as sensor:
        sensor.sendall(framed(numbered(1500, 1600)))
        wait_until(lambda: site.received() == 1600, what="the lines are told")
        adopt(site, "127.0.0.2")
        assert site.run("logs").returncode == 0
    assert site.collected()[:1600] == numbered(0, 1600)
    assert set(site.collected()[1600:]) == {b"<113>adopted"}
    (found,) = site.told("logs", "--verify")["devices"]
    assert found["received"] == found["uploaded"] + found["open"] > 1600
    assert found["batches"] == 3
    assert found["differences"] == []


def test_a_recount_agrees_while_lines_come_batches_close_and_are_uploaded(site: Site) -> None:
    with site.receiver(), site.sender() as sensor:
        stop, sent = threading.Event(), 0

        def send() -> None:
            nonlocal sent
            while not stop.is_set():
                sensor.sendall(framed(numbered(sent, sent + 200)))
                sent += 200
                stop.wait(0.01)

        thread = threading.Thread(target=send)
        thread.start()
        try:
            assert site.run("logs").returncode == 0
            for _ in range(2):
                done = site.run("logs", "--verify")
                assert done.returncode == 0, done.stdout + done.stderr
        finally:
            stop.set()
            thread.join()
        wait_until(lambda: site.received() == sent, what="the lines are told")
        assert site.run("logs").returncode == 0
    assert site.collected() == numbered(0, sent)


def test_lines_of_a_receiver_that_was_killed_are_told_and_then_taken_along(site: Site) -> None:
    with site.receiver(), site.sender() as sensor:
        sensor.sendall(framed(numbered(0, 300)))
        wait_until(lambda: site.received() == 300, what="the lines are told")
        active = site.made.data_dir / "log" / "devices" / "fmc" / "syslog"
        site.made.processes["receiver"].kill()
    with active.open("ab") as file:  # written, and neither counted nor told
        file.write(framed(numbered(300, 310)))
    assert site.run("logs").returncode == 0
    assert site.collected() == numbered(0, 310)
    done = site.run("logs", "--verify")
    assert done.returncode == 0, done.stdout
    active.with_name("syslog.1").write_bytes(framed(numbered(0, 309)))
    spoilt = site.run("logs", "--verify")
    assert spoilt.returncode == 1
    assert "fmc: Batch 1 holds 309 lines" in spoilt.stdout
    assert spoilt.stderr.splitlines()[-1].startswith("Error: 1 difference between ")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
