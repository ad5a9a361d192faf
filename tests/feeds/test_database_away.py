"""The database goes away, and the firewalls do not notice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psutil
import pytest

from tests.feeds.server import Appliance, FeedServer, read, until

BLOCK = "threatstop-block.txt"


@pytest.fixture
def own_server(own_appliance: Appliance) -> Iterator[FeedServer]:
    """A feed server whose database a test may break."""
    server = FeedServer(own_appliance.data_dir)
    yield server
    server.stop()


def test_the_last_known_answer_is_served_while_the_database_is_away(
    own_appliance: Appliance, own_server: FeedServer
) -> None:
    device = own_appliance.add(block=["25.0.0.0/24"])
    path = f"/{device}/{BLOCK}"
    # Each worker has to have seen the device once.
    until(lambda: _workers_that_know(own_server, path) == 2, "both workers to know the device")
    with _away(own_appliance):
        until(lambda: own_server.get(path).status == 200 and _noticed(own_server), "the outage")
        for _ in range(20):
            assert own_server.get(path).body == b"25.0.0.0/24\n"
            assert own_server.get(f"{path}.md5").status == 200
            assert own_server.get(path, If_None_Match="*").status == 304
    own_appliance.publish(device, block=["25.0.1.0/24"])
    until(lambda: own_server.get(path).body == b"25.0.1.0/24\n", "the end of the outage")


def test_pulls_of_an_outage_are_recorded_after_it(
    own_appliance: Appliance, own_server: FeedServer
) -> None:
    device = own_appliance.add(block=["25.1.0.0/24"])
    path = f"/{device}/{BLOCK}"
    until(lambda: _workers_that_know(own_server, path) == 2, "both workers to know the device")
    with _away(own_appliance):
        assert own_server.get(path, User_Agent="during").status == 200
        until(lambda: "pulls wait to be recorded" in own_server.log(), "a failed record")
    until(
        lambda: any(pull["agent"] == "during" for pull in own_appliance.pulls(device, count=1)),
        "the pull of the outage",
    )


def test_what_is_not_known_is_unavailable_rather_than_unknown(
    own_appliance: Appliance, own_server: FeedServer
) -> None:
    device = own_appliance.add(block=["25.2.0.0/24"])
    with _away(own_appliance):
        for asked in (device, "tdid_unknown"):
            answer = own_server.get(f"/{asked}/{BLOCK}")
            assert answer.status == 503
            assert answer.headers["Retry-After"]
            assert answer.body == b"not available, try again\n"
    until(lambda: own_server.get(f"/{device}/{BLOCK}").status == 200, "the end of the outage")


def test_a_database_that_is_not_one_makes_503(own_appliance: Appliance) -> None:
    device = own_appliance.add(block=["25.3.0.0/24"])
    for file in own_appliance.data_dir.glob("tscm.sqlite3*"):
        file.rename(file.with_name(f"aside-{file.name}"))
    (own_appliance.data_dir / "tscm.sqlite3").write_bytes(b"this is no database " * 100)
    server = FeedServer(own_appliance.data_dir)
    try:
        assert server.get(f"/{device}/{BLOCK}").status == 503
        assert server.get("/admin/").status == 404
    finally:
        server.stop()


@contextmanager
def _away(appliance: Appliance) -> Iterator[None]:
    """Take the tables away that every question needs."""
    path = appliance.data_dir / "tscm.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("ALTER TABLE devices_device RENAME TO away")
        try:
            yield
        finally:
            database.execute("ALTER TABLE away RENAME TO devices_device")


def _workers_that_know(server: FeedServer, path: str) -> int:
    """Ask on several connections at once, so that both workers answer; return how many did."""
    opened = []
    try:
        for _ in range(8):
            context = server.connected()
            raw = context.__enter__()
            opened.append((context, raw))
            raw.sendall(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answers = [read(raw, 15) for _, raw in opened]
        assert set(answers) == {b"HTTP/1.1 200 OK"}
        # A connection that is kept alive is open in the worker that answered on it.
        ours = {raw.getsockname()[1] for _, raw in opened}
        workers = psutil.Process(server.process.pid).children()
        return sum(bool(ours & _client_ports(worker)) for worker in workers)
    finally:
        for context, _ in opened:
            context.__exit__(None, None, None)


def _client_ports(worker: psutil.Process) -> set[int]:
    """Return the ports of the clients that are connected to a worker."""
    open_ones = worker.net_connections("tcp")
    return {one.raddr[1] for one in open_ones if one.status == psutil.CONN_ESTABLISHED}


def _noticed(server: FeedServer) -> bool:
    return "database away" in server.log()
