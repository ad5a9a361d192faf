"""A real rsyslog writes the files of devices while they are parted: every line once, in order."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from logs.receiver.closing import Closer
from logs.receiver.intake import Backlog
from logs.receiver.report import SpoolEntry
from logs.receiver.rsyslog import Site, drop_in
from logs.receiver.senders import KnownSender
from logs.receiver.writing import SpoolWriter
from logs.spool.base import Place
from logs.spool.opening import open_spool
from logs.spool.other import OtherSpool
from tests.fakes.foreground import Foreground, program

SECONDS = 40
SENSOR = KnownSender(
    1, "edge-1", "tdid_0123abcd", ("127.0.0.1",), log_size=200_000, quota=100_000_000, is_other=True
)
GATEWAY = KnownSender(2, "gw", "tdid_00000002", (), is_kernel=True, is_other=True)
LINES, BURST, SENDERS, ROTATIONS = 4_000, 150, 4, 20


class RsyslogOfASite(Foreground):
    """rsyslog of a site: its own inputs, our drop-ins, and a file for all that is left."""

    def __init__(self, *senders: KnownSender) -> None:
        super().__init__()
        self.log_dir = self.folder / "log"
        self.log_dir.mkdir()
        self._senders = senders
        # What imklog reads in place of the kernel's own log: the real module, with its own name.
        os.mkfifo(self.folder / "kmsg")
        self._kernel = os.open(self.folder / "kmsg", os.O_RDWR)

    @property
    def rest(self) -> bytes:
        """What went elsewhere."""
        path = self.folder / "rest"
        return path.read_bytes() if path.exists() else b""

    def command(self) -> list[str]:
        """Write the configuration, and return what starts it."""
        site = Site(self.log_dir, "edge-gw", os.getuid(), os.getgid())
        drop_ins = [drop_in(one, self._senders, site, inputs=False) for one in self._senders]
        head = (
            f'global(workDirectory="{self.folder}" net.enableDNS="off")\n'
            'module(load="imtcp")\nmodule(load="imudp")\n'
            'module(load="imuxsock" SysSock.Use="off")\n'
            f'input(type="imuxsock" Socket="{self.folder}/log.socket")\n'
            f'module(load="imklog" LogPath="{self.folder}/kmsg")\n'
            f'input(type="imtcp" address="127.0.0.1" port="{self.port}")\n'
            f'input(type="imudp" address="127.0.0.1" port="{self.port}")\n'
        )
        rest = f'action(type="omfile" file="{self.folder}/rest")\n'
        configuration = self.folder / "rsyslog.conf"
        configuration.write_text("".join([head, *drop_ins, rest]))
        return [
            program("rsyslogd", "rsyslog"),
            *("-n", "-i", str(self.folder / "pid"), "-f", str(configuration)),
        ]

    def send(self, lines: Iterator[bytes]) -> None:
        """Give it lines by one TCP connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as connection:
            for line in lines:
                connection.sendall(line + b"\n")

    def log_as_kernel(self, *records: bytes) -> None:
        """Have the kernel log something."""
        for record in records:
            os.write(self._kernel, record + b"\n")

    def log_as_program(self, *messages: bytes) -> None:
        """Log what a program of any user may, as syslog(3) does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(str(self.folder / "log.socket"))
            for message in messages:
                sender.send(message)

    def _end(self) -> None:
        super()._end()
        os.close(self._kernel)


class Pace:
    """Keeps senders no more than two rotations ahead: the load lasts over all of them."""

    def __init__(self) -> None:
        self.rotations = LINES

    def wait(self, number: int) -> None:
        """Return when this line may be sent."""
        if number % BURST == 0:
            until(lambda: self.rotations + 1 >= number // BURST)


def numbered(sender: int, pace: Pace) -> Iterator[bytes]:
    for number in range(LINES):
        pace.wait(number)
        yield b"<134>Mar  1 01:02:36 fw-%d %%FTD-1-430002: line %d of %d" % (sender, number, sender)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # polled: nothing tells when another program is that far


def batches(place: Place) -> bytes:
    return b"".join(place.batch(number).read_bytes() for number in place.numbers())


@contextmanager
def loaded(site: RsyslogOfASite, pace: Pace) -> Iterator[None]:
    """Have senders send beside each other."""
    lines = [numbered(one, pace) for one in range(SENDERS)]
    senders = [threading.Thread(target=site.send, args=(one,)) for one in lines]
    for one in senders:
        one.start()
    yield
    for one in senders:
        one.join(SECONDS)


def assert_every_line_once(text: bytes) -> None:
    found = re.findall(rb"line ([0-9]+) of ([0-9]+)\n", text)
    assert len(found) == text.count(b"\n")
    for sender in range(SENDERS):
        numbers = [int(number) for number, of in found if int(of) == sender]
        assert numbers == list(range(LINES))


def test_every_line_is_in_one_batch_over_rotations_under_load() -> None:
    with RsyslogOfASite(SENSOR) as site:
        place = SENSOR.place(site.log_dir)
        spool = open_spool(place, device_id="tdid_0123abcd", now=time.time_ns(), is_other=True)
        assert isinstance(spool, OtherSpool)
        pace, deadline = Pace(), time.monotonic() + SECONDS
        pace.rotations = 0
        with loaded(site, pace):
            while spool.state.counters.received < LINES * SENDERS and time.monotonic() < deadline:
                spool.look(now=time.time_ns())
                pace.rotations += spool.rotate() is not None
        spool.rotate()
        assert pace.rotations >= ROTATIONS
        assert_every_line_once(batches(place))
        assert spool.state.counters.spooled == LINES * SENDERS
        assert place.active.stat().st_blocks * 512 < 32_768
        assert site.rest == b""
        spool.close()


def test_the_receiver_parts_what_rsyslog_writes_and_tells_of_it() -> None:
    with RsyslogOfASite(SENSOR) as site:
        backlog, closer = Backlog(1 << 20), Closer(clock=time.time_ns)
        writer = SpoolWriter(
            backlog, closer,
            log_dir=site.log_dir, clock=time.time_ns, sync_seconds=0.1, least_free_bytes=0,
        )  # fmt: skip
        closer.start()
        writer.start()
        writer.follow([SENSOR])
        told: list[SpoolEntry] = []

        def all_told() -> bool:
            told.extend(writer.entries())
            counters = told[-1].counters if told else None
            return counters is not None and counters.received == LINES * SENDERS

        with loaded(site, Pace()):
            until(all_told)
        writer.stop()
        writer.join(SECONDS)
        closer.stop()
        closer.join(SECONDS)
        told.extend(writer.entries())
        last, closed = told[-1], [manifest for entry in told for manifest in entry.closed]
        assert {manifest.writer for manifest in closed} == {"other"}
        assert [manifest.number for manifest in closed] == list(range(1, len(closed) + 1))
        assert last.counters is not None
        assert last.counters.is_balanced
        assert last.open_lines + sum(one.lines for one in closed) == LINES * SENDERS
        assert last.trouble == ""


def test_logger_reaches_the_file_of_its_device_and_no_other() -> None:
    with RsyslogOfASite(SENSOR) as site:
        place = SENSOR.place(site.log_dir)
        command = ["logger", "--server", "127.0.0.1", "--port", str(site.port), "--udp"]
        for text in ("one", "two"):
            subprocess.run([*command, "--rfc3164", "--tag", "test", text], check=True, timeout=20)
        until(lambda: place.active.exists() and place.active.read_bytes().count(b"\n") == 2)
        first, second = place.active.read_bytes().splitlines()
        assert first.startswith(b"<13>")
        assert first.endswith(b" test: one")
        assert second.endswith(b" test: two")
        assert site.rest == b""
        assert place.active.stat().st_mode & 0o777 == 0o640


def test_only_what_the_kernel_itself_logged_goes_into_its_file() -> None:
    with RsyslogOfASite(GATEWAY) as site:
        place = GATEWAY.place(site.log_dir)
        drop = b"ThreatSTOP-TSblock IN= OUT=eth0 SRC=192.0.2.4 DST=198.51.100.133"
        forged = b"<4>Aug 28 01:28:46 acmeipfw1 kernel: [ 1806.463962] " + drop + b" FORGED"
        site.log_as_program(forged)
        site.send(iter([forged]))
        until(lambda: site.rest.count(b" FORGED\n") == 2)
        site.log_as_kernel(b"<4>[ 1806.463961] eth0: link up", b"<4>[ 1806.463962] " + drop)
        until(lambda: place.active.exists() and place.active.read_bytes() != b"")
        line = place.active.read_bytes()
        assert re.fullmatch(
            rb"[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d edge-gw kernel: \[ 1806\.463962\] %b\n" % drop,
            line,
        )
        until(lambda: b"link up" in site.rest)


def test_rsyslogs_own_time_is_written_in_utc(tmp_path: Path) -> None:
    """On a machine with a zone of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Pacific/Kiritimati")  # fourteen hours ahead
        with RsyslogOfASite(GATEWAY) as site:
            place = GATEWAY.place(site.log_dir)
            site.log_as_kernel(b"<4>[ 1806.463962] ThreatSTOP-TSblock IN= OUT=eth0")
            until(lambda: place.active.exists() and place.active.read_bytes() != b"")
            stamp = place.active.read_bytes()[:15].decode()
            logged = time.strptime(f"{time.gmtime().tm_year} {stamp}", "%Y %b %d %H:%M:%S")
            assert abs(time.mktime(logged) - time.mktime(time.gmtime())) < 300
