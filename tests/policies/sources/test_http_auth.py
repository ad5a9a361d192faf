"""Who we are to a server, and to a proxy."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from policies.sources.http_errors import (
    CertificateUntrusted,
    ProxyLoginRefused,
    ProxyRefused,
    ProxyUnreachable,
    ReachesInside,
    ServerFailed,
    Unauthorized,
)
from policies.sources.resolver import is_address
from tests.fakes.foreground import NotInstalled
from tests.fakes.squid import Squid
from tests.fakes.webserver import Reply, Request, WebServer, redirect, text
from tests.policies.sources.web import body_of, retrieve, server_tls, source_at

SECRET = "geheim-\u00fc"
BASIC = base64.b64encode(f"me:{SECRET}".encode()).decode()

KINDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "basic": ({"username": "me", "password": SECRET}, "authorization", f"Basic {BASIC}"),
    "bearer": ({"token": "t0ken"}, "authorization", "Bearer t0ken"),
    "header": ({"header_name": "Key", "header_value": "k3y"}, "key", "k3y"),
}


def a_list(_: Request) -> Reply:
    return text("192.0.2.1")


@pytest.mark.parametrize("auth", KINDS)
def test_each_kind_of_login_is_sent_as_the_server_wants_it(auth: str) -> None:
    settings, name, value = KINDS[auth]

    def handler(request: Request) -> Reply:
        return text("192.0.2.1") if request.headers.get(name) == value else Reply(status=401)

    with WebServer(handler) as server:
        assert body_of(retrieve(server, auth=auth, **settings)) == b"192.0.2.1\n"
        with pytest.raises(Unauthorized, match="Check auth and the password"):
            retrieve(server)


@pytest.mark.parametrize("auth", KINDS)
def test_a_login_is_never_sent_to_where_a_redirect_leads(auth: str) -> None:
    settings, name, _ = KINDS[auth]
    with WebServer(a_list) as other:
        for target in (other.url(), other.url(host="localhost")):
            with WebServer(lambda _: redirect(target)) as server:  # noqa: B023
                allowed = ["127.0.0.1", "localhost"]
                retrieve(server, auth=auth, allow_internal=allowed, **settings)
            assert name in server.requests[0].headers
        assert len(other.requests) == 2
        assert not any(name in request.headers for request in other.requests)


def test_a_login_goes_along_a_redirect_at_the_same_place() -> None:
    def handler(request: Request) -> Reply:
        return text("192.0.2.1") if request.path == "/b" else redirect("/b")

    with WebServer(handler) as server:
        retrieve(server, auth="bearer", token="t0ken")
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer t0ken"] * 2


def test_a_login_comes_back_where_redirects_lead_home_again() -> None:
    with WebServer(a_list) as home:
        back = home.url("/back")
        with WebServer(lambda _: redirect(back)) as away:
            target = away.url()
            home.handler = lambda request: (
                text("192.0.2.1") if request.path == "/back" else redirect(target)
            )
            retrieve(home, auth="bearer", token="t0ken")
    assert "authorization" in home.requests[1].headers
    assert "authorization" not in away.requests[0].headers


@pytest.mark.parametrize("auth", KINDS)
def test_no_secret_is_in_what_is_shown_of_a_source(auth: str) -> None:
    settings, _, value = KINDS[auth]
    with WebServer(lambda _: Reply(status=403)) as server:
        source = source_at(server, "/list?key=t0ken", auth=auth, **settings)
        with pytest.raises(Exception, match="403") as raised:
            retrieve(server, "/list?key=t0ken", auth=auth, **settings)
    for shown in (repr(source), str(raised.value)):
        assert value not in shown
        assert SECRET not in shown
        assert "t0ken" not in shown


# Through a real proxy.


@pytest.fixture(scope="module")
def squid() -> Iterator[Squid]:
    try:
        with Squid() as proxy:
            yield proxy
    except NotInstalled as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def guarded_squid() -> Iterator[Squid]:
    try:
        with Squid(login=("me", "geheim")) as proxy:
            yield proxy
    except NotInstalled as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def test_a_list_comes_through_a_proxy(squid: Squid) -> None:
    with WebServer(a_list) as server:
        retrieved = retrieve(server, proxy=squid.url)
    assert body_of(retrieved) == b"192.0.2.1\n"
    assert retrieved is not None
    assert retrieved.server == f"127.0.0.1#{squid.port}"
    assert "squid.example" in server.requests[0].headers["via"]


def test_a_list_by_https_comes_through_a_proxy_that_cannot_read_it(
    squid: Squid, authority: trustme.CA
) -> None:
    with WebServer(a_list, tls=server_tls(authority.issue_cert("127.0.0.1"))) as server:
        ca = authority.cert_pem.bytes().decode()
        assert body_of(retrieve(server, proxy=squid.url, ca=ca)) == b"192.0.2.1\n"
        assert "via" not in server.requests[0].headers
        with pytest.raises(CertificateUntrusted):
            retrieve(server, proxy=squid.url)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_is_told_an_ipv6_address_in_brackets(
    squid: Squid, authority: trustme.CA, scheme: str
) -> None:
    secured = server_tls(authority.issue_cert("::1")) if scheme == "https" else None
    with WebServer(a_list, tls=secured, host="::1") as server:
        ca = authority.cert_pem.bytes().decode()
        retrieved = retrieve(server, proxy=squid.url, ca=ca, allow_internal=["::1"])
    assert body_of(retrieved) == b"192.0.2.1\n"
    assert server.requests[0].headers["host"] == f"[::1]:{server.port}"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_login_gets_ours_and_the_server_does_not(
    guarded_squid: Squid, authority: trustme.CA, scheme: str
) -> None:
    secured = server_tls(authority.issue_cert("127.0.0.1")) if scheme == "https" else None
    settings = {"proxy": guarded_squid.url, "ca": authority.cert_pem.bytes().decode()}
    with WebServer(a_list, tls=secured) as server:
        known: dict[str, Any] = {"proxy_username": "me", "proxy_password": "geheim", **settings}
        assert body_of(retrieve(server, **known)) == b"192.0.2.1\n"
        assert "proxy-authorization" not in server.requests[0].headers
        for wrong in ({}, {"proxy_username": "me", "proxy_password": "wrong"}):
            refused: dict[str, Any] = {**settings, **wrong}
            with pytest.raises(ProxyLoginRefused, match="the proxy answered 407"):
                retrieve(server, **refused)
        assert len(server.requests) == 1


def test_a_proxy_that_does_not_answer_is_told_from_a_server_that_does_not(squid: Squid) -> None:
    with WebServer(a_list) as gone:
        pass
    with WebServer(a_list) as server, pytest.raises(ProxyUnreachable, match="no connection"):
        retrieve(server, proxy=gone.url("").removesuffix("/"))
    with pytest.raises(ServerFailed, match="answered 503"):
        retrieve(gone, proxy=squid.url)
    with pytest.raises(ProxyUnreachable, match="the proxy answered 503"):
        retrieve(gone, proxy=squid.url, url=gone.url().replace("http:", "https:"))


def know_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the appliance's resolver know addresses alone."""
    system = socket.getaddrinfo

    def getaddrinfo(host: str, *rest: Any, **options: Any) -> Any:
        return system(host, *rest, **options) if is_address(host) else []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_a_proxy_may_have_a_name_of_its_own(squid: Squid, monkeypatch: pytest.MonkeyPatch) -> None:
    with WebServer(a_list) as server:
        proxy = f"http://localhost:{squid.port}"
        assert body_of(retrieve(server, proxy=proxy)) == b"192.0.2.1\n"
        know_no_names(monkeypatch)
        with pytest.raises(ProxyUnreachable, match=r"^proxy localhost: no address found"):
            retrieve(server, proxy=proxy)


def test_a_name_that_only_the_proxy_knows_is_left_to_the_proxy(
    squid: Squid, monkeypatch: pytest.MonkeyPatch
) -> None:
    know_no_names(monkeypatch)
    with WebServer(a_list) as server, pytest.raises(ProxyRefused, match="the proxy answered 403"):
        retrieve(server, proxy=squid.url, url="https://refused.example/")


def test_a_proxy_that_forbids_the_place_is_told_apart(squid: Squid) -> None:
    with WebServer(a_list) as server, pytest.raises(ProxyRefused, match="the proxy answered 403"):
        retrieve(server, proxy=squid.url, url="https://refused.example/")


# Row 26 of the failures, behind a proxy.


def test_a_proxy_does_not_open_the_inside(squid: Squid) -> None:
    with WebServer(a_list) as server:
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(ReachesInside):
                retrieve(server, proxy=squid.url, url=server.url(host=host), allow_internal=[])
    assert not server.requests


def test_a_redirect_inside_is_refused_behind_a_proxy_too(squid: Squid) -> None:
    with WebServer(lambda _: redirect("http://127.0.0.2/")) as server:
        with pytest.raises(ReachesInside, match=r"^127\.0\.0\.2 is an address"):
            retrieve(server, proxy=squid.url)
        assert len(server.requests) == 1
