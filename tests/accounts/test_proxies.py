"""Behind a proxy people have their own address, and nobody can make one up."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from hypothesis import given, strategies as st
from pytest_django import Settings

from accounts.proxies import TrustedProxyMiddleware, client_of

PROXY, CLIENT = "192.0.2.10", "198.51.100.9"


@pytest.fixture
def proxied(settings: Settings) -> None:
    """A proxy of ours, and one before it."""
    settings.TSCM_TRUSTED_PROXIES = (
        ipaddress.ip_network(PROXY), ipaddress.ip_network("2001:db8:ffff::/64"),
    )  # fmt: skip


def _seen(peer: str, **headers: str) -> tuple[str, str]:
    """Return the address and the scheme that pages see."""
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", **headers}
    seen: dict[str, Any] = {}

    def page(request: HttpRequest) -> HttpResponse:
        seen.update(request.META)
        return HttpResponse()

    TrustedProxyMiddleware(page)(request)
    return seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]


def test_what_a_proxy_of_ours_says_is_believed(proxied: None) -> None:
    said = {"HTTP_X_FORWARDED_FOR": CLIENT, "HTTP_X_FORWARDED_PROTO": "https"}
    assert _seen(PROXY, **said) == (CLIENT, "https")
    assert _seen(f"::ffff:{PROXY}", **said) == (CLIENT, "https")


def test_what_anybody_else_says_is_not(proxied: None) -> None:
    said = {"HTTP_X_FORWARDED_FOR": "203.0.113.1", "HTTP_X_FORWARDED_PROTO": "https"}
    assert _seen("198.51.100.77", **said) == ("198.51.100.77", "http")


def test_without_the_setting_no_header_is_believed() -> None:
    assert _seen("127.0.0.1", HTTP_X_FORWARDED_FOR=CLIENT) == ("127.0.0.1", "http")


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (CLIENT, CLIENT),
        (f"203.0.113.66, {CLIENT}", CLIENT),  # what the client wrote stands before
        (f"{CLIENT}, 2001:db8:ffff::1", CLIENT),
        (f"{CLIENT},{PROXY} , {PROXY}", CLIENT),
        (f"{CLIENT}, unknown", ""),
        (PROXY, ""),
        ("", ""),
    ],
)
def test_the_client_is_the_last_that_is_no_proxy_of_ours(
    proxied: None, forwarded: str, client: str
) -> None:
    assert client_of(forwarded) == client


@given(written=st.text(max_size=60))
def test_whatever_a_client_writes_it_stays_who_it_is(written: str) -> None:
    from django.test import override_settings

    with override_settings(TSCM_TRUSTED_PROXIES=(ipaddress.ip_network(PROXY),)):
        assert _seen(PROXY, HTTP_X_FORWARDED_FOR=f"{written}, {CLIENT}")[0] == CLIENT
