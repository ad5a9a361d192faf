"""Metadata services: asked in each cloud's own way, never waited for."""

from __future__ import annotations

import socket

import pytest

from fleet.cloud.base import CLOUDS, NONE
from fleet.cloud.metadata import SECONDS, find_instance, instance_of
from policies.sources.base import Deadline
from tests.fakes.webserver import Handler, Pause, Raw, Reply, WebServer, redirect
from tests.fleet.cloud.machines import INSTANCES, service_of


def soon() -> Deadline:
    return Deadline.after(10)


@pytest.mark.parametrize("cloud", sorted(INSTANCES))
def test_each_cloud_tells_an_instance_which_it_is(cloud: str) -> None:
    with WebServer(service_of(cloud)) as service:
        origin = service.url("")
        assert instance_of(CLOUDS[cloud], origin=origin, deadline=soon()) == INSTANCES[cloud]
        found = find_instance(origin=origin, deadline=soon())
        assert found == (CLOUDS[cloud], INSTANCES[cloud])
        for other in set(INSTANCES) - {cloud}:
            assert instance_of(CLOUDS[other], origin=origin, deadline=soon()) == ""


def test_outside_of_the_clouds_nobody_is_asked() -> None:
    with WebServer(service_of("aws")) as service:
        assert instance_of(NONE, origin=service.url(""), deadline=soon()) == ""
    assert not service.requests


@pytest.mark.parametrize(
    "handler",
    [
        lambda _: Reply(b"no", status=404),
        lambda _: Reply(b"<html>Welcome to the hotel's network</html>"),
        lambda _: Reply(b""),
        lambda _: Reply(b"x" * 100_000),
        lambda _: Reply("Ünïcödé".encode()),
        lambda _: redirect("https://portal.example.net/"),
        lambda _: Raw([b"no HTTP at all\r\n\r\n"]),
        lambda _: Raw([]),
    ],
)
def test_what_is_no_metadata_service_is_none(handler: Handler) -> None:
    with WebServer(handler) as server:
        assert find_instance(origin=server.url(""), deadline=soon()) is None


def test_a_service_that_is_away_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert find_instance(origin=f"http://127.0.0.1:{port}", deadline=soon()) is None


def test_a_service_that_never_ends_its_answer_is_not_waited_for() -> None:
    def dribble(_: object) -> Raw:
        return Raw([b"HTTP/1.1 200 OK\r\nContent-Length: 36\r\n\r\n", Pause(3600)])

    with WebServer(dribble) as server:
        assert find_instance(origin=server.url(""), deadline=Deadline.after(3600)) is None
    assert SECONDS <= 2.0
