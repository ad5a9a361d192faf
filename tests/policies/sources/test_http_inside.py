"""A URL must not reach inside the network: row 26 of the failures."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from policies.sources.base import Deadline, SourceMisconfigured
from policies.sources.http import HttpSource
from policies.sources.http_address import Allowed, own_addresses, safe_addresses
from policies.sources.http_errors import (
    HostUnknown,
    ReachesInside,
    RedirectRefused,
    TimedOut,
    TooManyRedirects,
)
from tests.fakes.webserver import Reply, Request, WebServer, redirect, text
from tests.policies.sources.web import body_of, retrieve

SOON = 5.0
system_getaddrinfo = socket.getaddrinfo


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Let names resolve to each answer in turn, the last for ever; return the names asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: Any, *rest: Any, **options: Any) -> list[Any]:
        if host.replace(".", "").replace(":", "").isdecimal():
            return list(system_getaddrinfo(host, port, *rest, **options))
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1].split()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 0)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def ask(url: str, **settings: object) -> None:
    HttpSource.from_settings({"url": url, **settings}).retrieve(
        known=None, deadline=Deadline.after(SOON)
    )


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",  # as the C library reads it
        "2130706433",
        "0x7f000001",
        "017700000001",
        "localhost",
        "localhost.",
        "0.0.0.0",  # noqa: S104
        "10.0.0.1",
        "169.254.169.254",  # where clouds keep credentials
        "192.168.1.1",
        "100.64.0.1",
        "224.0.0.1",
        "192.0.2.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fec0::1]",
        "[fc00::1]",
        "[2001:db8::1]",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_address_inside_is_refused_in_any_spelling(scheme: str, host: str) -> None:
    with pytest.raises((ReachesInside, SourceMisconfigured)) as raised:
        ask(f"{scheme}://{host}/list.txt")
    assert str(raised.value)


def test_the_appliance_is_inside_at_any_of_its_addresses() -> None:
    assert "127.0.0.1" in own_addresses()
    for address in own_addresses():
        with pytest.raises(ReachesInside):
            safe_addresses(address, allowed=Allowed(), deadline=Deadline.after(SOON))


def test_an_own_address_is_refused_though_it_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policies.sources.http_address.own_addresses", lambda: {"1.2.3.4"})
    with pytest.raises(ReachesInside, match=r"1\.2\.3\.4 is an address of the appliance itself"):
        safe_addresses("1.2.3.4", allowed=Allowed(), deadline=Deadline.after(SOON))


@pytest.mark.parametrize("found", ["127.0.0.1", "10.0.0.1 1.2.3.4", "1.2.3.4 10.0.0.1"])
def test_one_address_inside_spoils_a_name(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    resolving(monkeypatch, found)
    with pytest.raises(ReachesInside, match=r"lists\.example resolves to (127|10)\."):
        ask("http://lists.example/list.txt")


def test_a_public_address_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "1.2.3.4 5.6.7.8")
    found = safe_addresses("lists.example", allowed=Allowed(), deadline=Deadline.after(SOON))
    assert found == ["1.2.3.4", "5.6.7.8"]


def test_what_was_checked_is_connected_to_and_the_name_is_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = resolving(monkeypatch, "127.0.0.1", "10.0.0.1")
    with WebServer(lambda _: text("192.0.2.1")) as server:
        ask(server.url(host="rebind.example"), allow_internal=["rebind.example"])
    assert asked == ["rebind.example"]
    assert server.requests[0].headers["host"] == f"rebind.example:{server.port}"


@pytest.mark.parametrize("allowed", ["127.0.0.1", "127.0.0.0/8", "LISTS.example", "lists.example."])
def test_a_place_inside_is_reached_when_it_is_named(
    monkeypatch: pytest.MonkeyPatch, allowed: str
) -> None:
    resolving(monkeypatch, "127.0.0.1")
    with WebServer(lambda _: text("192.0.2.1")) as server:
        ask(server.url(host="Lists.Example"), allow_internal=[allowed])
        assert len(server.requests) == 1


@pytest.mark.parametrize("allowed", ["127.0.0.2", "10.0.0.0/8", "example", "other.example"])
def test_to_name_another_place_opens_nothing(monkeypatch: pytest.MonkeyPatch, allowed: str) -> None:
    resolving(monkeypatch, "127.0.0.1")
    with WebServer(lambda _: text("192.0.2.1")) as server:
        with pytest.raises(ReachesInside):
            ask(server.url(host="lists.example"), allow_internal=[allowed])
        assert not server.requests


@pytest.mark.parametrize("bad", ["10.0.0.1/8", "a b", "http://x", "", "x/y"])
def test_what_is_no_place_cannot_be_named(bad: str) -> None:
    with pytest.raises(SourceMisconfigured, match=r"^allow_internal"):
        ask("http://lists.example/", allow_internal=[bad])


def test_a_name_without_an_address_is_told_from_one_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolving(monkeypatch, "")
    with pytest.raises(HostUnknown, match=r"^lists\.example: no address found"):
        ask("http://lists.example/")


def test_a_resolver_that_hangs_is_left_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(30) and [])
    try:
        with pytest.raises(TimedOut):
            safe_addresses("lists.example", allowed=Allowed(), deadline=Deadline.after(0.1))
    finally:
        answered.set()


# Redirects.


def test_a_redirect_inside_is_refused_and_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "127.0.0.1")
    with WebServer(lambda _: text("192.0.2.1")) as inner:
        target = inner.url(host="inner.example")
        with (
            WebServer(lambda _: redirect(target)) as server,
            pytest.raises(ReachesInside, match=r"^inner\.example resolves to 127\.0\.0\.1"),
        ):
            ask(server.url(host="outer.example"), allow_internal=["outer.example"])
        assert len(server.requests) == 1
        assert not inner.requests


def test_redirects_are_followed_as_far_as_the_setting_says() -> None:
    def handler(request: Request) -> Reply:
        number = int(request.path.removeprefix("/"))
        return redirect(f"/{number - 1}", 301 + number % 2) if number else text("192.0.2.1")

    with WebServer(handler) as server:
        assert body_of(retrieve(server, "/3")) == b"192.0.2.1\n"
        assert body_of(retrieve(server, "/0", max_redirects=0)) == b"192.0.2.1\n"
        with pytest.raises(TooManyRedirects, match=r"more than 3 redirects"):
            retrieve(server, "/4")
        with pytest.raises(TooManyRedirects):
            retrieve(server, "/1", max_redirects=0)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://user:secret@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "//",
        "http://a b/",
    ],
)
def test_a_redirect_to_what_is_no_web_address_is_refused(location: str) -> None:
    def handler(_: Request) -> Reply:
        return redirect(location)

    with WebServer(handler) as server, pytest.raises((RedirectRefused, TooManyRedirects)) as raised:
        retrieve(server)
    assert "secret" not in str(raised.value)


def test_a_redirect_may_hold_letters_that_no_url_may() -> None:
    def handler(request: Request) -> Reply:
        return text("192.0.2.1") if request.path != "/list.txt" else redirect("/l%20\xefste?a=\xfc")

    with WebServer(handler) as server:
        assert body_of(retrieve(server)) == b"192.0.2.1\n"
    assert server.requests[1].path.startswith("/l%20%C3%AFste?a=")
