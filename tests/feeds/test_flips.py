"""A snapshot flips while firewalls pull."""

from __future__ import annotations

import hashlib
import threading

from tests.feeds.server import Appliance, FeedServer, read, read_all, until

BLOCK = "threatstop-block.txt"


def test_a_download_under_way_ends_with_the_list_it_began_with(
    server: FeedServer, appliance: Appliance
) -> None:
    device = appliance.add(block=2000)
    old = server.get(f"/{device}/{BLOCK}").body
    with server.connected(receive_buffer=4096) as raw:
        request = f"GET /{device}/{BLOCK} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        raw.sendall(request.encode())
        begun = read(raw, 1000)
        appliance.publish(device, block=["24.0.0.0/24"])
        until(lambda: server.get(f"/{device}/{BLOCK}").body == b"24.0.0.0/24\n", "the flip")
        rest = read_all(raw)
    assert (begun + rest).partition(b"\r\n\r\n")[2] == old
    checksum = server.get(f"/{device}/{BLOCK}.md5").body
    assert checksum == hashlib.md5(b"24.0.0.0/24\n").hexdigest().encode() + b"\n"  # noqa: S324


def test_who_has_read_a_checksum_never_gets_a_list_older_than_it(
    server: FeedServer, appliance: Appliance
) -> None:
    """Else a firewall would hold the old list beside the new checksum, and see no change."""
    device = appliance.add(block=["24.1.0.0"])
    order = {_md5(b"24.1.0.0\n"): 0}
    bodies = {b"24.1.0.0\n": 0}
    pairs: list[tuple[int, int]] = []
    ended = threading.Event()

    def poll() -> None:
        while not ended.is_set():
            checksum = server.get(f"/{device}/{BLOCK}.md5").body
            body = server.get(f"/{device}/{BLOCK}").body
            pairs.append((order[checksum], bodies[body]))

    readers = [threading.Thread(target=poll) for _ in range(3)]
    for number in range(1, 8):
        body = f"24.1.0.{number}\n".encode()
        order[_md5(body)] = bodies[body] = number
    for reader in readers:
        reader.start()
    try:
        until(lambda: bool(pairs), "the first list")
        for number in range(1, 8):
            appliance.publish(device, block=[f"24.1.0.{number}"])
            until(lambda: bool(pairs) and pairs[-1][1] == number, f"list {number}")  # noqa: B023
    finally:
        ended.set()
        for reader in readers:
            reader.join(20)
    assert {body for _, body in pairs} == set(range(8))
    assert [pair for pair in pairs if pair[1] < pair[0]] == []


def _md5(body: bytes) -> bytes:
    return hashlib.md5(body).hexdigest().encode() + b"\n"  # noqa: S324
