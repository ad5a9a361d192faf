"""Registering: one request over TLS, and a message for each way in which it does not work."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import trustme

from fleet.cloud.base import (
    CLOUDS,
    Registered,
    Registration,
    RegistrationError,
    RegistrationRefused,
    RegistrationUnavailable,
)
from fleet.cloud.registrar import read_key, read_portal, register
from policies.sources.base import Deadline
from policies.sources.http_settings import Tls
from policies.sources.http_url import BadUrl
from tests.fakes.webserver import Handler, Pause, Raw, Reply, Request, WebServer, redirect
from tests.policies.sources.web import server_tls

KEY = "tscm_an-api-key-of-the-portal"
US = Registration("azure_ip_123456789012", CLOUDS["azure"], "s" * 43)
ENTRY = {
    "id": 7,
    "nickname": US.nickname,
    "device_id": "tdid_abcd1234",
    "device_key": "tscmdk1_" + "k" * 43,
    "portal": "portal.example.net:5353",
    "domain": "tscm.internal",
    "tls_name": "ns.portal.example.net",
}
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    return server_tls(authority.issue_cert("127.0.0.1"))


def accept(_: Request) -> Reply:
    return Reply(json.dumps(ENTRY).encode(), status=201)


def registered(server: WebServer, *, ca: str = "", seconds: float = 10.0) -> Registered:
    return register(
        US,
        portal=read_portal(server.url("")),
        key=KEY,
        tls=Tls(ca=ca),
        deadline=Deadline.after(seconds),
    )


def refused(server: WebServer, *, ca: str = "", seconds: float = 10.0) -> RegistrationError:
    with pytest.raises(RegistrationError) as raised:
        registered(server, ca=ca, seconds=seconds)
    assert KEY not in str(raised.value)
    assert US.secret not in str(raised.value)
    assert server.url("") in str(raised.value)
    return raised.value


@pytest.fixture
def plain() -> Iterator[WebServer]:
    """A portal on this machine, whose answer a test sets."""
    with WebServer(accept) as server:
        yield server


def test_it_sends_who_it_is_and_reads_its_entry(tls: ssl.SSLContext, ca: str) -> None:
    with WebServer(accept, tls=tls) as server:
        found = registered(server, ca=ca)
    assert (found.device_id, found.portal) == (ENTRY["device_id"], ENTRY["portal"])
    assert (found.device_key, found.domain) == (ENTRY["device_key"], ENTRY["domain"])
    assert (found.is_new, found.tls_name) == (True, ENTRY["tls_name"])
    assert found.device_key not in repr(found)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/api/v1/device-entries/")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "nickname": "azure_ip_123456789012",
        "kind": "iptables",
        "manufacturer": "Microsoft",
        "model": "Azure IP Firewall",
        "registration": US.secret,
    }


def test_an_entry_that_was_there_already_is_told_from_a_new_one(plain: WebServer) -> None:
    plain.handler = lambda _: Reply(json.dumps(ENTRY).encode(), status=200)
    assert not registered(plain).is_new


@pytest.mark.parametrize(
    ("status", "kind", "step"),
    [
        (400, RegistrationRefused, "Look at the log of the portal"),
        (401, RegistrationRefused, "make one at the portal: tsadmin token create"),
        (403, RegistrationRefused, "may not add device entries"),
        (404, RegistrationRefused, "It is no portal: check the URL"),
        (409, RegistrationRefused, "belongs to a machine that registered with another secret"),
        (301, RegistrationRefused, "a redirect, which is not followed: give the final URL"),
        (429, RegistrationUnavailable, "Try again later"),
        (500, RegistrationUnavailable, "Try again later"),
        (503, RegistrationUnavailable, "Try again later"),
    ],
)
def test_each_answer_has_its_next_step(
    plain: WebServer, status: int, kind: type[RegistrationError], step: str
) -> None:
    said = {"type": "x", "errors": [{"code": "x", "detail": "Why not.", "attr": "nickname"}]}
    plain.handler = lambda _: Reply(json.dumps(said).encode(), status=status)
    error = refused(plain)
    assert isinstance(error, kind)
    assert f"answered {status}: nickname: Why not. " in str(error)
    assert step in str(error)


def test_a_redirect_is_not_followed_with_the_key(plain: WebServer) -> None:
    plain.handler = lambda _: redirect(plain.url("/elsewhere"))
    refused(plain)
    assert len(plain.requests) == 1


@pytest.mark.parametrize(
    "handler",
    [
        lambda _: Reply(b"<html>Welcome</html>", status=200),
        lambda _: Reply(b"", status=201),
        lambda _: Reply(b"[]", status=201),
        lambda _: Reply(b"{}", status=201),
        lambda _: Reply(b"x" * 1_000_000, status=201),
        *(
            (lambda _, change=change: Reply(json.dumps(ENTRY | change).encode(), status=201))
            for change in (
                {"device_id": None}, {"device_id": "a b"}, {"device_key": ""},
                {"device_key": ["x" * 43]}, {"portal": "a\nb"}, {"domain": "a b"},
                {"domain": 7}, {"tls_name": "a b"}, {"tls_name": None},
            )
        ),
    ],
)  # fmt: skip
def test_an_answer_that_is_no_entry_is_refused(plain: WebServer, handler: Handler) -> None:
    plain.handler = handler
    error = refused(plain)
    assert isinstance(error, RegistrationRefused)
    assert "not with a device entry. Check the URL" in str(error)


@pytest.mark.parametrize(
    "steps",
    [
        [b"SSH-2.0-OpenSSH_9.2\r\n\r\n"],
        [],
        [b"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{"],
    ],
)
def test_what_is_no_whole_answer_may_be_one_the_next_time(
    plain: WebServer, steps: list[bytes]
) -> None:
    plain.handler = lambda _: Raw(steps)
    error = refused(plain)
    assert isinstance(error, RegistrationUnavailable)
    assert "no whole answer came" in str(error)
    assert "Check the port, and https in the URL" in str(error)


def test_a_portal_that_does_not_answer_is_not_waited_for(plain: WebServer) -> None:
    plain.handler = lambda _: Raw([Pause(3600)])
    error = refused(plain, seconds=0.5)
    assert isinstance(error, RegistrationUnavailable)
    assert "no answer in time. Check that the network lets" in str(error)


def test_a_portal_that_is_away_is_told_with_the_network_cause() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with pytest.raises(RegistrationUnavailable, match=r"Connection refused.*lets this machine"):
        register(
            US, portal=read_portal(url), key=KEY, tls=Tls(), deadline=Deadline.after(10)
        )  # fmt: skip


def test_nothing_is_sent_to_a_portal_that_cannot_prove_who_it_is(
    authority: trustme.CA, ca: str
) -> None:
    expired = authority.issue_cert("127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO)
    for certificate, trusted, told in (
        (authority.issue_cert("127.0.0.1"), "", "an authority of its own, name its file with --ca"),
        (authority.issue_cert("portal.example.net"), ca, "a name that the certificate is for"),
        (expired, ca, "Check this machine's clock, and the portal's certificate"),
    ):
        with WebServer(accept, tls=server_tls(certificate)) as server:
            assert told in str(refused(server, ca=trusted))
        assert not server.requests


def test_a_file_of_authorities_that_is_none_is_told(tls: ssl.SSLContext) -> None:
    with WebServer(accept, tls=tls) as server:
        assert "Check the file of CAs" in str(refused(server, ca="no PEM"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http://portal.example.net", "must begin with https://: an API key goes there"),
        ("http://192.0.2.7:8000", "must begin with https://: an API key goes there"),
        ("https://portal.example.net/admin/", "the portal's console alone"),
        ("https://portal.example.net/?a=1", "the portal's console alone"),
        ("https://user:secret@portal.example.net", "must not hold a user name"),
        ("portal.example.net", "must begin with https://"),
        ("", "must begin with https://"),
    ],
)
def test_an_address_that_a_key_must_not_go_to_is_refused(text: str, told: str) -> None:
    with pytest.raises(BadUrl, match=told) as raised:
        read_portal(text)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("text", ["https://portal.example.net", "http://[::1]:8000/"])
def test_a_portal_is_spoken_to_by_tls_or_on_this_machine(text: str) -> None:
    assert read_portal(text).origin == text.rstrip("/")


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", b"\xff\xfe", b"x" * 201])
def test_what_is_no_api_key_is_refused_without_being_shown(content: bytes) -> None:
    with pytest.raises(RegistrationRefused, match="--right add-entries") as raised:
        read_key(content)
    assert "two words" not in str(raised.value)


def test_an_api_key_may_have_its_line_end() -> None:
    assert read_key(f"{KEY}\n".encode()) == KEY
