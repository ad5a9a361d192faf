"""Syslog by UDP (RFC 5426): a thread that does nothing but drain its socket."""

from __future__ import annotations

import logging
import math
import socket
import struct
import threading
import time
from collections.abc import Sequence

from logs.receiver.framing import escaped, mark_of_cut
from logs.receiver.intake import Intake
from logs.receiver.mmsg import SO_RXQ_OVFL, Datagrams, ManyReader
from logs.receiver.oddities import Tally

log = logging.getLogger(__name__)

# One more than IPv4 can carry would never come; jumbograms aside this takes every datagram whole.
_MOST = 65_536
_AT_ONCE = 512
_RECEIVE_BYTES = 64 << 20
_LOOK_UP_SECONDS = 0.5
_DRAIN_SECONDS = 1.0
_AGAIN_SECONDS = 0.5
_SO_RCVBUFFORCE = 33


class DatagramLoop(threading.Thread):
    """Reads one socket until it is stopped."""

    def __init__(self, sock: socket.socket, intake: Intake) -> None:
        super().__init__(name=f"udp {sock.getsockname()[:2]}", daemon=True)
        self.tally = Tally()
        self.receive_bytes = widen(sock)
        # Not settimeout(): Python would then make the socket non-blocking, and the thread spin.
        sock.settimeout(None)
        seconds = struct.pack("@ll", 0, int(_LOOK_UP_SECONDS * 1e6))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
        sock.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        self._sock = sock
        self._hand = intake.hand
        self._stopping = threading.Event()

    @property
    def descriptor(self) -> int:
        """The socket's."""
        return self._sock.fileno()

    def stop(self) -> None:
        """Have it end within a second or two, with all that the kernel holds taken."""
        self._stopping.set()

    def run(self) -> None:
        """Read until stopped, then what is left."""
        reader = ManyReader(self._sock, count=_AT_ONCE, most=_MOST)
        until = math.inf
        while time.monotonic() < until:
            try:
                found = reader.read()
            except OSError as error:
                log.error("receive: %s cannot be read (%s)", self.name, error.strerror)  # noqa: TRY400
                if self._stopping.wait(_AGAIN_SECONDS):
                    return
                continue
            if found.views:
                self._pass_on(found)
            elif self._stopping.is_set():
                return
            if self._stopping.is_set():  # and what still comes has no end
                until = min(until, time.monotonic() + _DRAIN_SECONDS)

    def _pass_on(self, found: Datagrams) -> None:
        tally = self.tally
        views: list[bytes | memoryview] = [*found.views]
        tally.kernel_drops = found.drops
        tally.bytes += int(found.true_lengths.sum())
        if found.true_lengths.max() > _MOST:
            tally.cut += int((found.true_lengths > _MOST).sum())
            pairs = zip(found.views, found.true_lengths, strict=True)
            views = [_marked(view, int(length)) for view, length in pairs]
        addresses = found.addresses
        if (addresses == addresses[0]).all():
            self._hand_lines(addresses[0].tobytes(), views)
            return
        by_address: dict[bytes, list[bytes | memoryview]] = {}
        for address, view in zip(addresses.tolist(), views, strict=True):
            by_address.setdefault(address, []).append(view)
        for address, some in by_address.items():
            self._hand_lines(address, some)

    def _hand_lines(self, address: bytes, messages: Sequence[bytes | memoryview]) -> None:
        data, lines = lines_of(messages, self.tally)
        self.tally.messages += lines
        self._hand(address, "udp", data, lines)


def lines_of(messages: Sequence[bytes | memoryview], tally: Tally) -> tuple[bytes, int]:
    """Return datagrams as lines, each ended by LF, and how many they are."""
    data = b"\n".join(messages) + b"\n"
    count = len(messages)
    is_plain = data.count(b"\n") == count and b"\0" not in data and b"\r" not in data
    if is_plain and data[:1] != b"\n" and b"\n\n" not in data:
        return data, count
    lines = [line for line in (escaped(bytes(message), tally) for message in messages) if line]
    tally.empty += count - len(lines)
    return b"".join(line + b"\n" for line in lines), len(lines)


def widen(sock: socket.socket) -> int:
    """Give the kernel as much room for the socket as it lets us; return how many bytes that is."""
    for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, _RECEIVE_BYTES)
        except PermissionError:
            continue
        break
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def _marked(view: memoryview, true_length: int) -> bytes | memoryview:
    return view if true_length <= _MOST else bytes(view) + mark_of_cut(true_length - _MOST)
