"""Clients that are slow, silent or endless take nothing from the others."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.feeds.server import Appliance, FeedServer, read, read_all

ALLOW = "threatstop-allow.txt"
MANY = 24  # three times the threads of both workers


@pytest.fixture(scope="module")
def quick(appliance: Appliance) -> Iterator[FeedServer]:
    """A feed server with little patience."""
    server = FeedServer(appliance.data_dir, config="python:tests.feeds.quick")
    yield server
    server.stop()


def test_a_head_that_never_ends_is_cut_off(quick: FeedServer) -> None:
    with quick.connected() as raw:
        began = time.monotonic()
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert _dripped_until_cut(raw) < 15
        assert time.monotonic() - began < 15
    assert "cut off 127.0.0.1" in quick.log()


@pytest.mark.parametrize("said", [b"", b"GET /"], ids=["silent", "half a line"])
def test_many_who_never_finish_do_not_lock_the_others_out(
    quick: FeedServer, device: str, said: bytes
) -> None:
    with ExitStack() as stack:
        for _ in range(MANY):
            stack.enter_context(quick.connected()).sendall(said)
        assert quick.get(f"/{device}/{ALLOW}").status == 200


def test_many_who_never_hang_up_do_not_hold_the_others_up(quick: FeedServer, device: str) -> None:
    with ExitStack() as stack:
        for _ in range(6):
            raw = stack.enter_context(quick.connected())
            raw.sendall(f"GET /{device}/{ALLOW} HTTP/1.0\r\n\r\n".encode())
            assert read(raw, 15) == b"HTTP/1.0 200 OK"
        began = time.monotonic()
        for _ in range(4):
            assert quick.get(f"/{device}/{ALLOW}").status == 200
        # gunicorn alone waits two seconds for each of the six, and for everybody behind them.
        assert time.monotonic() - began < 6


def test_who_asks_and_never_reads_is_cut_off_and_recorded(
    quick: FeedServer, appliance: Appliance
) -> None:
    large = appliance.add(block=2000)
    with quick.connected(receive_buffer=4096) as raw:
        raw.sendall(f"GET /{large}/threatstop-block.txt HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        (pull,) = appliance.pulls(large, count=1)
    assert not pull["is_complete"]
    assert pull["sent"] > 0


def test_a_body_in_a_request_does_not_become_the_next_request(
    server: FeedServer, device: str
) -> None:
    request = (
        f"GET /{device}/{ALLOW} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
        f"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    said = server.say(request.encode())
    assert said.count(b"HTTP/1.1 200 OK") == 1
    assert said.count(b"HTTP/1.1 404 Not Found") == 1


@pytest.mark.parametrize(
    "head",
    [
        b"".join(b"X-%d: y\r\n" % n for n in range(60)),
        b"X-Long: " + b"y" * 5000 + b"\r\n",
        b"X Bad: y\r\n",
        b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    ],
    ids=["too many fields", "too long a field", "no name", "two lengths"],
)
def test_a_head_out_of_bounds_is_refused(server: FeedServer, device: str, head: bytes) -> None:
    with server.connected() as raw:
        raw.sendall(f"GET /{device}/{ALLOW} HTTP/1.1\r\n".encode() + head + b"\r\n")
        status = read(raw, 12)
        assert status.startswith(b"HTTP/1.1 4"), status
        read_all(raw)


def _dripped_until_cut(raw: socket.socket) -> int:
    """Send a byte now and then until the other side hangs up; return how many were sent."""
    raw.settimeout(0.5)
    for count in range(60):
        try:
            raw.sendall(b"y")
            if raw.recv(1000) == b"":
                return count
        except TimeoutError:
            continue
        except OSError:
            return count
    return 60
