"""Every pull is written down as it went."""

from __future__ import annotations

import socket
import sqlite3
import struct
from datetime import UTC, datetime, timedelta

from tests.feeds.server import Appliance, FeedServer, read, read_all, until

BLOCK = "threatstop-block.txt"
LARGE = 2000  # ranges: about 9 MB of feed, more than two socket buffers hold


def test_a_pull_is_recorded_with_who_when_what_and_how_much(
    server: FeedServer, appliance: Appliance
) -> None:
    device = appliance.add(block=["23.0.0.0/24", "23.0.2.1"])
    before = datetime.now(UTC)
    body = server.get(f"/{device}/{BLOCK}", User_Agent="FMC\t\x80\xe9").body
    (pull,) = appliance.pulls(device, count=1)
    assert before <= datetime.fromisoformat(pull.pop("at")) <= before + timedelta(seconds=10)
    assert pull == {
        "client": "127.0.0.1", "agent": "FMCé", "file": BLOCK, "method": "GET", "status": 200,
        "snapshot": 1, "sent": len(body), "is_complete": True,
    }  # fmt: skip


def test_each_kind_of_answer_is_recorded_with_the_bytes_it_took(
    server: FeedServer, appliance: Appliance
) -> None:
    device = appliance.add(block=[f"23.1.{n}.0/25" for n in range(200)])
    path = f"/{device}/{BLOCK}"
    packed = server.get(path, Accept_Encoding="gzip")
    server.get(f"{path}.md5")
    server.get(path, method="HEAD")
    server.get(path, If_None_Match="*")
    pulls = appliance.pulls(device, count=4)
    found = {(pull["file"], pull["method"], pull["status"], pull["sent"]) for pull in pulls}
    assert found == {
        (BLOCK, "GET", 200, len(packed.body)),
        (f"{BLOCK}.md5", "GET", 200, 33),
        (BLOCK, "HEAD", 200, 0),
        (BLOCK, "GET", 304, 0),
    }
    assert all(pull["is_complete"] for pull in pulls)


def test_an_answer_that_could_not_be_given_is_recorded_too(
    server: FeedServer, appliance: Appliance
) -> None:
    device = appliance.add()
    server.get(f"/{device}/{BLOCK}")
    (pull,) = appliance.pulls(device, count=1)
    assert (pull["status"], pull["snapshot"], pull["sent"]) == (503, None, 0)


def test_a_client_that_disconnects_half_way_is_recorded_as_incomplete(
    server: FeedServer, appliance: Appliance
) -> None:
    device = appliance.add(block=LARGE)
    size = int(server.get(f"/{device}/{BLOCK}", method="HEAD").headers["Content-Length"])
    with server.connected(receive_buffer=4096) as raw:
        raw.sendall(f"GET /{device}/{BLOCK} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert read(raw, 15) == b"HTTP/1.1 200 OK"
        read(raw, 10_000)
        # Hang up hard, as a firewall that is switched off does not, but one that crashes does.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pulls = appliance.pulls(device, count=2)
    (cut,) = [pull for pull in pulls if pull["method"] == "GET"]
    assert not cut["is_complete"]
    assert 0 < cut["sent"] < size
    whole = server.get(f"/{device}/{BLOCK}")
    assert len(whole.body) == size
    assert appliance.pulls(device, count=3)[-1]["is_complete"]
    assert "Traceback" not in server.log()


def test_a_slow_client_that_takes_all_of_it_is_recorded_as_complete(
    server: FeedServer, appliance: Appliance
) -> None:
    device = appliance.add(block=LARGE)
    with server.connected(receive_buffer=4096) as raw:
        request = f"GET /{device}/{BLOCK} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        raw.sendall(request.encode())
        head, _, body = read_all(raw).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    (pull,) = appliance.pulls(device, count=1)
    assert (pull["sent"], pull["is_complete"]) == (len(body), True)


def test_a_stop_loses_no_record_of_a_pull(own_appliance: Appliance) -> None:
    device = own_appliance.add(block=["23.2.0.0/24"])
    server = FeedServer(own_appliance.data_dir)
    for _ in range(20):
        assert server.get(f"/{device}/{BLOCK}").status == 200
    server.stop()
    assert len(own_appliance.pulls(device, count=20)) == 20


def test_a_stop_cuts_off_who_is_slow_and_says_so(own_appliance: Appliance) -> None:
    device = own_appliance.add(block=LARGE)
    server = FeedServer(own_appliance.data_dir)
    with server.connected(receive_buffer=4096) as raw:
        raw.sendall(f"GET /{device}/{BLOCK} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        read(raw, 10_000)
        server.stop()
    (pull,) = own_appliance.pulls(device, count=1)
    assert not pull["is_complete"]
    assert pull["sent"] > 0
    assert server.process.returncode == 0


def test_pulls_wait_while_the_database_is_locked(server: FeedServer, appliance: Appliance) -> None:
    device = appliance.add(block=["23.3.0.0/24"])
    writer = sqlite3.connect(appliance.data_dir / "tscm.sqlite3", isolation_level=None)
    try:
        writer.execute("BEGIN IMMEDIATE")
        assert server.get(f"/{device}/{BLOCK}").status == 200
        writer.execute("ROLLBACK")
    finally:
        writer.close()
    until(lambda: len(appliance.pulls(device, count=1)) == 1, "the pull")
