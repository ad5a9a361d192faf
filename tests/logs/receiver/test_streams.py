"""Syslog by TCP and TLS: whatever senders do, the lines that came are there."""

from __future__ import annotations

import fcntl
import os
import resource
import socket
import ssl
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from logs.receiver import streams
from logs.receiver.framing import MOST
from logs.receiver.senders import shown
from logs.receiver.streams import USUAL, Limits, StreamLoop
from tests.fakes.appliance import CHECKOUT
from tests.logs.receiver.desk import SECONDS, Desk, sender, wait_for

QUICK = Limits(idle_seconds=0.1, handshake_seconds=0.1)


@contextmanager
def listening(
    desk: Desk,
    *,
    tls: ssl.SSLContext | None = None,
    limits: Limits = USUAL,
    host: str = "127.0.0.1",
) -> Iterator[StreamLoop]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family, backlog=512)
    loop = StreamLoop(listener, desk.intake, tls=tls, limits=limits)
    loop.start()
    try:
        yield loop
    finally:
        stop(loop)


def stop(loop: StreamLoop) -> None:
    loop.stop()
    loop.join(SECONDS)
    assert not loop.is_alive()


def connected(loop: StreamLoop) -> socket.socket:
    return socket.create_connection(loop._listener.getsockname()[:2], timeout=SECONDS)


def reset(sock: socket.socket) -> None:
    """End a connection as a machine does that is switched off and on again."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_lines_come_with_their_sender(host: str) -> None:
    desk = Desk()
    with listening(desk, host=host) as loop, connected(loop) as sender:
        sender.sendall(b"<13>a\n7 <13>b c<13>d\r\n")
        assert desk.taken(3) == [b"<13>a", b"<13>b c", b"<13>d"]
        assert shown(desk.chunks[0][1].address) == host
        assert desk.chunks[0][1].transport == "tcp"


def test_a_connection_is_kept_however_long_it_says_nothing() -> None:
    desk = Desk()
    with listening(desk, limits=QUICK) as loop, connected(loop) as sender:
        sender.sendall(b"<13>a\n")
        desk.taken(1)
        loop._look_up(1e12)  # as if the sender had been silent for years
        sender.sendall(b"<13>b\n")
        assert desk.taken(2) == [b"<13>a", b"<13>b"]


def test_a_line_without_an_end_is_taken_after_a_pause() -> None:
    desk = Desk()
    with listening(desk, limits=QUICK) as loop, connected(loop) as sender:
        sender.sendall(b"<13>no end")
        assert desk.taken(1) == [b"<13>no end"]
        assert loop.tally.unterminated == 1


def test_a_line_without_an_end_is_taken_when_the_connection_ends() -> None:
    desk = Desk()
    with listening(desk) as loop:
        with connected(loop) as sender:
            sender.sendall(b"<13>a\n<13>no end")
        assert desk.taken(2) == [b"<13>a", b"<13>no end"]
        wait_for(lambda: loop.open_connections == 0)


def test_lines_before_a_reset_are_kept() -> None:
    desk = Desk()
    with listening(desk) as loop:
        sender = connected(loop)
        sender.sendall(b"<13>a\n<13>b")
        desk.taken(1)
        reset(sender)
        assert desk.taken(2) == [b"<13>a", b"<13>b"]
        wait_for(lambda: loop.open_connections == 0)
        with connected(loop) as another:
            another.sendall(b"<13>c\n")
            desk.taken(3)


def test_a_line_without_end_is_cut_and_the_next_line_is_whole() -> None:
    desk = Desk()
    with listening(desk) as loop, connected(loop) as sender:
        for _ in range(32):
            sender.sendall(b"x" * 65_536)
        assert loop._held <= MOST
        sender.sendall(b"\n<13>next\n")
        cut, following = desk.taken(2)
        assert cut == b"x" * MOST + b" [cut here, %d bytes more]" % (32 * 65_536 - MOST)
        assert following == b"<13>next"


def test_binary_garbage_does_no_harm_to_it_or_to_others() -> None:
    desk = Desk()
    with listening(desk) as loop, connected(loop) as good, connected(loop) as bad:
        bad.sendall(os.urandom(1 << 20))
        good.sendall(b"<13>still here\n")
        reset(bad)

        def there() -> bool:
            desk.take()
            return any(b"<13>still here\n" in chunk.data for _, chunk in desk.chunks)

        wait_for(there)
        wait_for(lambda: loop.open_connections == 1)


def test_very_many_unfinished_lines_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_MOST_HELD", 100_000)
    desk = Desk()
    with listening(desk) as loop, ExitStack() as stack:
        for _ in range(20):
            sender = stack.enter_context(connected(loop))
            sender.sendall(b"x" * 30_000)
        wait_for(lambda: loop.tally.bytes == 600_000)
        assert loop._held <= 100_000
    assert sum(len(line) for line in desk.taken(loop.tally.messages)) == 600_000


def test_a_slow_sender_does_not_keep_another_waiting() -> None:
    desk = Desk()
    with listening(desk) as loop, connected(loop) as slow, connected(loop) as quick:
        for byte in b"<13>by and by":
            slow.sendall(bytes((byte,)))
            quick.sendall(b"<13>at once\n")
        assert desk.taken(13) == [b"<13>at once"] * 13
        slow.sendall(b"\n")
        assert desk.taken(14)[-1] == b"<13>by and by"


def test_strangers_leave_connections_to_known_senders() -> None:
    desk = Desk(sender(1, "127.0.0.2"))
    with listening(desk, limits=Limits(connections=8)) as loop, ExitStack() as opened:
        for _ in range(8):
            opened.enter_context(connected(loop))
        wait_for(lambda: loop.tally.refused_connections == 2)
        where, own = loop._listener.getsockname()[:2], ("127.0.0.2", 0)
        known = opened.enter_context(socket.create_connection(where, source_address=own))
        known.sendall(b"<13>a\n")
        assert desk.taken(1) == [b"<13>a"]


def test_the_unfinished_lines_of_strangers_break_none_of_a_known_sender() -> None:
    desk = Desk(sender(1, "127.0.0.2"))
    with listening(desk) as loop, connected(loop) as stranger:
        where, own = loop._listener.getsockname()[:2], ("127.0.0.2", 0)
        with socket.create_connection(where, source_address=own) as known:
            known.sendall(b"<13>a good mess")
            stranger.sendall(b"x" * 100_000)
            wait_for(lambda: desk.intake.refused_lines)
            known.sendall(b"age of a known sender\n")
            assert desk.taken(1) == [b"<13>a good message of a known sender"]


def test_a_pause_in_the_midst_of_a_counted_frame_breaks_nothing() -> None:
    desk = Desk()
    with listening(desk, limits=QUICK) as loop, connected(loop) as sender:
        sender.sendall(b"<13>a\n28 <13>in its")
        desk.taken(1)
        loop._look_up(1e12)  # as if the network had been away for years
        sender.sendall(b" midst a pause was6 <13>bc")
        assert desk.taken(3) == [b"<13>a", b"<13>in its midst a pause was", b"<13>bc"]


def test_a_flood_of_connections_keeps_those_that_are_there_waiting_for_a_moment_only() -> None:
    desk = Desk()
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    loop = StreamLoop(listener, desk.intake)
    with ExitStack() as opened:
        for _ in range(100):
            opened.enter_context(connected(loop))
        assert loop._accept()
        assert loop.open_connections == 64
        loop.start()
        wait_for(lambda: loop.open_connections == 100)
        stop(loop)


def test_one_connection_too_many_is_refused_and_counted() -> None:
    desk = Desk()
    with listening(desk, limits=Limits(connections=2)) as loop:
        with connected(loop) as one, connected(loop) as two, connected(loop) as three:
            assert three.recv(1) == b""
            one.sendall(b"<13>a\n")
            two.sendall(b"<13>b\n")
            desk.taken(2)
            assert (loop.tally.connections, loop.tally.refused_connections) == (2, 1)
        wait_for(lambda: loop.open_connections == 0)
        with connected(loop) as again:
            again.sendall(b"<13>c\n")
            desk.taken(3)


def test_connections_leave_descriptors_for_the_spools() -> None:
    desk = Desk()
    with listening(desk) as loop:
        loop._most_descriptor = 0
        with connected(loop) as sender:
            assert sender.recv(1) == b""
        assert loop.tally.refused_connections == 1


def test_stopping_takes_all_that_had_arrived_also_of_connections_not_taken_yet() -> None:
    desk = Desk()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    loop = StreamLoop(listener, desk.intake)
    with ExitStack() as stack:
        senders = [stack.enter_context(connected(loop)) for _ in range(8)]
        sent = [filled(sender) for sender in senders]
        arrived = sum(sent) - sum(map(unacknowledged, senders))
        assert arrived > 100_000
        loop.stop()
        loop.start()
        loop.join(SECONDS)
        assert not loop.is_alive()
    assert arrived <= loop.tally.bytes <= sum(sent)
    lines = desk.taken(loop.tally.messages)
    assert sum(len(line) + 1 for line in lines) == loop.tally.bytes + loop.tally.unterminated


def filled(sender: socket.socket) -> int:
    """Send as much as the kernel takes and return how much that is."""
    sender.setblocking(False)
    sent, block = 0, b"<13>a line of some length, and nothing else\n" * 20_000
    with suppress(BlockingIOError):
        while True:
            sent += sender.send(block[sent % 44 :])
    return sent


def unacknowledged(sender: socket.socket) -> int:
    """Return how many bytes of a connection have not arrived at the other side's kernel."""
    left = fcntl.ioctl(sender, termios.TIOCOUTQ, bytes(4))  # SIOCOUTQ
    return int.from_bytes(left, sys.byteorder)


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_side(authority: trustme.CA, *, clients: trustme.CA | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    if clients is not None:
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_side(authority: trustme.CA, *, known: trustme.CA | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if known is not None:
        known.issue_cert("fw-a.example").configure_cert(context)
    return context


def secured(loop: StreamLoop, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(connected(loop), server_hostname="127.0.0.1")


def test_lines_by_tls_come_whole_also_large_ones(authority: trustme.CA) -> None:
    desk = Desk()
    sent = [b"<13>%d " % number + b"x" * 65_536 for number in range(40)]
    with listening(desk, tls=server_side(authority)) as loop:
        with secured(loop, client_side(authority)) as sender:
            sender.sendall(b"".join(b"%d %b" % (len(line), line) for line in sent))
            assert desk.taken(40) == sent
        assert desk.chunks[0][1].transport == "tls"
        assert loop.tally.failed_handshakes == 0


def test_a_sender_by_tls_that_breaks_off_loses_nothing_it_sent(authority: trustme.CA) -> None:
    desk = Desk()
    with listening(desk, tls=server_side(authority)) as loop:
        sender = secured(loop, client_side(authority))
        sender.sendall(b"<13>a\n<13>no end")
        desk.taken(1)
        sender.close()  # without a word
        assert desk.taken(2) == [b"<13>a", b"<13>no end"]


@pytest.mark.parametrize("whose", ["nobody's", "another authority's"])
def test_where_client_certificates_are_wanted_others_get_nowhere(
    authority: trustme.CA, whose: str
) -> None:
    desk = Desk()
    clients = trustme.CA()
    stranger = trustme.CA() if whose == "another authority's" else None
    with listening(desk, tls=server_side(authority, clients=clients)) as loop:
        # In TLS 1.3 a client is done before it is refused: it may see so now or a little later.
        with suppress(OSError), secured(loop, client_side(authority, known=stranger)) as refused:
            refused.sendall(b"<13>let me in\n")
        wait_for(lambda: loop.tally.failed_handshakes == 1)
        with secured(loop, client_side(authority, known=clients)) as sender:
            sender.sendall(b"<13>known\n")
            assert desk.taken(1) == [b"<13>known"]


def test_plain_text_at_the_tls_port_ends_that_connection_only(authority: trustme.CA) -> None:
    desk = Desk()
    with (
        listening(desk, tls=server_side(authority)) as loop,
        connected(loop) as plain,
        secured(loop, client_side(authority)) as sender,
    ):
        plain.sendall(b"<13>no TLS at all\n")
        wait_for(lambda: loop.tally.failed_handshakes == 1)
        sender.sendall(b"<13>a\n")
        assert desk.taken(1) == [b"<13>a"]


def test_a_handshake_that_takes_too_long_is_ended_and_keeps_nobody_waiting(
    authority: trustme.CA,
) -> None:
    desk = Desk()
    with listening(desk, tls=server_side(authority), limits=QUICK) as loop:
        with connected(loop) as slow:
            slow.sendall(b"\x16\x03\x01")  # the beginning of a greeting, and nothing more
            with secured(loop, client_side(authority)) as sender:
                sender.sendall(b"<13>a\n")
                assert desk.taken(1) == [b"<13>a"]
            assert slow.recv(1) == b""
        assert loop.tally.failed_handshakes == 1


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01", b"<13>a\n"])
def test_a_connection_that_was_reset_before_it_was_taken_ends_nothing_else(
    authority: trustme.CA, sent: bytes
) -> None:
    desk = Desk()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    loop = StreamLoop(listener, desk.intake, tls=server_side(authority))
    for _ in range(10):
        early = connected(loop)
        early.sendall(sent)
        reset(early)
    loop.start()
    try:
        with secured(loop, client_side(authority)) as sender:
            sender.sendall(b"<13>a\n")
            assert desk.taken(1) == [b"<13>a"]
    finally:
        stop(loop)


# --- very many ------------------------------------------------------------------------------------

MANY = 10_000
SENDERS = """
import socket, sys
port, many = map(int, sys.argv[1:])
held = []
for number in range(many):
    sock = socket.create_connection(
        ("127.0.0.1", port), timeout=20, source_address=(f"127.0.0.{2 + number % 5}", 0)
    )
    sock.sendall(b"<13>%d begins" % number)
    held.append(sock)
print("connected", flush=True)
sys.stdin.readline()
for number, sock in enumerate(held):
    sock.sendall(b" and ends\\n")
print("sent", flush=True)
sys.stdin.readline()
"""


def resident() -> int:
    """Return how many bytes of memory this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[0] < MANY + 1000,
    reason=f"needs {MANY + 1000} descriptors (ulimit -n)",
)
def test_ten_thousand_connections_each_deliver_their_line_in_little_memory() -> None:
    desk = Desk()
    before = resident()
    with listening(desk, limits=Limits(idle_seconds=60)) as loop:
        command = [sys.executable, "-c", SENDERS, str(loop._listener.getsockname()[1]), str(MANY)]
        with subprocess.Popen(
            command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as senders:
            assert senders.stdin is not None
            assert senders.stdout is not None
            assert senders.stdout.readline() == b"connected\n"
            wait_for(lambda: loop.open_connections == MANY)
            grown = resident() - before
            senders.stdin.write(b"\n")
            senders.stdin.flush()
            assert senders.stdout.readline() == b"sent\n"
            lines = desk.taken(MANY)
            senders.stdin.close()
        wait_for(lambda: loop.open_connections == 0)
    assert sorted(lines) == sorted(b"<13>%d begins and ends" % number for number in range(MANY))
    assert loop.tally.refused_connections == 0
    assert grown < MANY * 4096, f"{grown / MANY:.0f} bytes a connection"
