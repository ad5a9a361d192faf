"""What an OpenID Connect provider says of itself is believed with care."""

from __future__ import annotations

import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
import trustme
from django.utils import timezone
from pytest_django import Settings

pytest.importorskip("mozilla_django_oidc", reason="not installed (requirements-sso.txt)")

from accounts.sso import provider as providers
from accounts.sso.provider import ProviderAway
from tests.accounts.conftest import oidc_settings
from tests.fakes.webserver import Pause, Raw, Reply, Request, WebServer

DRIPS: list[bytes | Pause] = [b"X: drips\r\n", Pause(0.3)] * 20


def _ask(settings: Settings, server: WebServer, **changes: object) -> providers.Provider:
    settings.TSCM_OIDC = replace(oidc_settings(server.url("")), seconds=1, **changes)  # type: ignore[arg-type]
    providers._held.clear()
    return providers.provider(now=timezone.now())


def _document(server: str, **changes: object) -> Reply:
    paths = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
    said = {"issuer": server, **dict.fromkeys(paths, "https://login.example.net/x"), **changes}
    return Reply(json.dumps(said).encode())


def test_it_is_asked_once_an_hour(settings: Settings) -> None:
    with WebServer(lambda _: _document(server.url(""))) as server:
        _ask(settings, server)
        providers.provider(now=timezone.now())
        assert len(server.requests) == 1


def test_one_that_gives_no_answer_is_left_alone_for_a_while(settings: Settings) -> None:
    with WebServer(lambda _: Reply(status=503)) as server:
        settings.TSCM_OIDC = oidc_settings(server.url(""))
        providers._held.clear()
        now = timezone.now()
        for seconds, asked in ((0, 1), (10, 1), (16, 2), (-86400 * 400, 3)):
            with pytest.raises(ProviderAway, match="answers 503"):
                providers.provider(now=now + timedelta(seconds=seconds))
            assert len(server.requests) == asked


def test_while_one_waits_for_it_nobody_else_does(settings: Settings) -> None:
    is_asked, may_answer = Event(), Event()

    def answer(_: Request) -> Reply:
        is_asked.set()
        may_answer.wait(10)
        return _document(server.url(""))

    with WebServer(answer) as server, ThreadPoolExecutor(1) as others:
        settings.TSCM_OIDC = replace(oidc_settings(server.url("")), seconds=20)
        providers._held.clear()
        now = timezone.now()
        first = others.submit(providers.provider, now=now)
        assert is_asked.wait(10)
        with pytest.raises(ProviderAway, match="being asked just now"):
            providers.provider(now=now)
        may_answer.set()
        assert first.result(10) == providers.provider(now=now)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"issuer": "https://evil.example"}, "calls itself"),
        ({"token_endpoint": "http://login.example.net/"}, "not https"),
        ({"jwks_uri": 7}, "not https"),
        ({"userinfo_endpoint": "file:///etc/passwd"}, "not https"),
    ],
)
def test_what_it_says_must_hang_together(
    settings: Settings, changes: dict[str, object], why: str
) -> None:
    with (
        WebServer(lambda _: _document(server.url(""), **changes)) as server,
        pytest.raises(ProviderAway, match=why),
    ):
        _ask(settings, server)


@pytest.mark.parametrize(
    "answer",
    [
        Reply(b"<html>"), Reply(b"[]"), Reply(b"{}"), Reply(status=404),
        Reply(status=302, headers={"Location": "https://evil.example/"}),
        Reply(b"x" * (1 << 20) + b"x"), Raw([Pause(5)]),
        Raw([b"HTTP/1.1 200 OK\r\n", Pause(5)]),
        Raw([b"HTTP/1.1 200 OK\r\n", *DRIPS]),
    ],
)  # fmt: skip
def test_no_answer_is_no_provider(settings: Settings, answer: Reply | Raw) -> None:
    with WebServer(lambda _: answer) as server, pytest.raises(ProviderAway):
        _ask(settings, server)


def test_its_certificate_is_verified(settings: Settings, tmp_path: Any) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    with WebServer(lambda _: _document(server.url("")), tls=context) as server:
        with pytest.raises(ProviderAway, match="certificate was not accepted"):
            _ask(settings, server)
        assert _ask(settings, server, ca=ca).token == "https://login.example.net/x"
