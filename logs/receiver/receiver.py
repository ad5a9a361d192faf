"""The receiver as a whole: its listeners, its spools, and what it says of them."""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from logs.receiver.datagrams import DatagramLoop
from logs.receiver.drops import kernel_drops
from logs.receiver.intake import Intake, Stranger
from logs.receiver.keeper import Keeper
from logs.receiver.listening import Certificates, Listen, ListenRefused, open_socket
from logs.receiver.oddities import Tally
from logs.receiver.report import EPOCH, Report, SenderEntry, moment_of
from logs.receiver.senders import KnownSender, SenderTable, shown
from logs.receiver.streams import StreamLoop
from logs.receiver.threads import ended, join

log = logging.getLogger(__name__)

_LISTEN_AGAIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What a receiver is started with."""

    log_dir: Path
    listen: tuple[Listen, ...]
    certificates: Certificates | None = None  # what TLS is spoken with
    memory_bytes: int = 128 << 20  # for lines that the disk has not taken yet
    sync_seconds: float = 1.0
    least_free_bytes: int = 1_000_000_000  # below it nothing more is written


@dataclass(frozen=True, slots=True)
class Run:
    """Which run of which machine's receiver this is."""

    node: str
    started_at: datetime


class Receiver(Keeper):
    """Receives from `start` to `stop`. Its methods are for one thread."""

    def __init__(self, settings: Settings, run: Run, *, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._run = run
        self._reports = 0
        super().__init__(
            log_dir=settings.log_dir, memory_bytes=settings.memory_bytes,
            sync_seconds=settings.sync_seconds, least_free_bytes=settings.least_free_bytes,
            clock=clock,
        )  # fmt: skip
        self._intake = Intake(self._backlog, clock=clock)
        self._loops: dict[Listen, DatagramLoop | StreamLoop] = {}
        self._sockets: dict[Listen, socket.socket] = {}
        self._where: dict[Listen, Listen] = {}
        self._troubles: dict[Listen, str] = {}
        self._listened_at = 0.0

    @property
    def listening(self) -> tuple[Listen, ...]:
        """Where it really listens."""
        return tuple(self._where.values())

    def start(self, senders: Iterable[KnownSender]) -> None:
        """Open the spools of these senders' devices, then the sockets."""
        self._start_keeping()
        self.follow(senders)
        self.listen()

    def follow(self, senders: Iterable[KnownSender]) -> None:
        """Keep lines of these senders from now on."""
        table = SenderTable(senders)
        self._writer.follow(table.known.values())
        self._intake.table = table

    def listen(self) -> None:
        """Open the sockets that are not open yet; those that fail are tried again by `tend`."""
        self._listened_at = time.monotonic()
        for listen in self._settings.listen:
            if listen not in self._loops:
                self._open(listen)

    @property
    def is_alive(self) -> bool:
        """Whether none of its threads ended by itself."""
        return not ended([*self._threads, *self._loops.values()])

    def tend(self) -> None:
        """Do what is due from time to time: open what could not be listened on before."""
        if time.monotonic() - self._listened_at > _LISTEN_AGAIN_SECONDS:
            self.listen()

    def report(self, *, is_last: bool = False) -> Report:
        """Return how things stand, and what came since the last time."""
        self._reports += 1
        # First: what is in the spools by now has been counted where it was read.
        spools = tuple(self._writer.entries())
        return Report(
            node=self._run.node,
            number=self._reports,
            started_at=self._run.started_at,
            listeners=tuple(map(str, self._where.values())),
            counters=self._counters(),
            trouble="; ".join(self._troubles.values()),
            spools=spools,
            senders=tuple(map(_told, self._intake.drain_strangers())),
            is_last=is_last,
        )

    def stop(self) -> None:
        """Take what the sockets hold, write it, close every spool and end."""
        for loop in self._loops.values():
            loop.stop()
        join(self._loops.values())
        for sock in self._sockets.values():
            sock.close()
        self._stop_keeping()

    def _open(self, listen: Listen) -> None:
        try:
            tls = self._context() if listen.transport == "tls" else None
            sock, where = open_socket(listen)
        except ListenRefused as error:
            if self._troubles.get(listen) != str(error):
                log.error("receive: %s", error)  # noqa: TRY400  a sentence for an administrator
            self._troubles[listen] = str(error)
            return
        loop: DatagramLoop | StreamLoop
        if listen.transport == "udp":
            loop = DatagramLoop(sock, self._intake)
        else:
            loop = StreamLoop(sock, self._intake, tls=tls)
        self._troubles.pop(listen, None)
        self._sockets[listen] = sock
        port = sock.getsockname()[1]
        self._where[listen] = Listen(where.transport, where.host, port)
        self._loops[listen] = loop
        loop.start()
        log.info("receive: listening on %s", self._where[listen])

    def _context(self) -> ssl.SSLContext:
        if self._settings.certificates is None:
            raise ListenRefused("TLS: no certificate is given; give one, and its key")
        return self._settings.certificates.context()

    def _counters(self) -> dict[str, int]:
        """Return what is counted since the start, and a few levels as they are now."""
        loops = list(self._loops.values())
        tally = Tally.total([loop.tally for loop in loops])
        datagrams = [loop for loop in loops if isinstance(loop, DatagramLoop)]
        streams = [loop for loop in loops if isinstance(loop, StreamLoop)]
        # What a socket's last datagram said may be older than what the kernel's table says.
        drops = kernel_drops(loop.descriptor for loop in datagrams if loop.is_alive())
        return {
            **asdict(tally),
            "kernel_drops": max(tally.kernel_drops, drops),
            **self._levels(),
            "refused_lines": self._intake.refused_lines,
            "open_connections": sum(loop.open_connections for loop in streams),
            "receive_bytes": min((loop.receive_bytes for loop in datagrams), default=0),
        }


def _told(stranger: Stranger) -> SenderEntry:
    first, last = moment_of(stranger.first_at), moment_of(stranger.last_at)
    return SenderEntry(
        address=shown(stranger.address),
        lines=stranger.lines,
        bytes=stranger.bytes,
        transports=tuple(sorted(stranger.transports)),
        first_at=first or EPOCH,
        last_at=last or EPOCH,
        sample=stranger.sample,
    )
