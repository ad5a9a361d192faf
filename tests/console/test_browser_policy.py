"""What every answer of the console and of the API tells a browser to keep to."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime

import pytest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import reverse

from console.middleware import FILES, BrowserPolicyMiddleware
from policies.models import Change
from tests.console.pages import add_pages, address, all_pages, make_site

pytestmark = pytest.mark.django_db


def rules_of(answer: HttpResponseBase) -> dict[str, str]:
    policy = answer.headers["Content-Security-Policy"]
    return {name: said for name, _, said in (rule.partition(" ") for rule in policy.split("; "))}


@pytest.mark.parametrize("path", ["/admin/", "/admin/login/", "/api/v1/docs/", "/nothing-here"])
def test_a_page_runs_and_loads_what_is_ours(path: str, alice: Client) -> None:
    answer = (Client() if "login" in path else alice).get(path)
    rules = rules_of(answer)
    assert rules["default-src"] == rules["script-src-attr"] == rules["base-uri"] == "'none'"
    assert rules["frame-ancestors"] == "'none'"
    assert rules["form-action"] == rules["connect-src"] == "'self'"
    assert rules["script-src"] == "'self' 'unsafe-eval'"
    assert "unsafe" not in rules["style-src-elem"]
    assert "http" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/devices/",
        "/api/v1/devices/999/",
        "/api/v1/nothing-here/",
        "/api/v1/schema/",
        address(Change, "export", "csv"),
        reverse("admin:jsi18n"),
        "/healthz",
        "/readyz",
    ],
)
def test_what_is_no_page_runs_and_loads_nothing(path: str, alice: Client) -> None:
    answer = alice.get(path)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; frame-ance")
    assert "'self'" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/admin/", "/admin/login/", "/api/v1/devices/", "/nothing-here"])
def test_every_answer_gives_away_nothing_and_uses_no_device(path: str, alice: Client) -> None:
    headers = alice.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    for feature in ("camera", "geolocation", "microphone", "usb"):
        assert f"{feature}=()" in headers["Permissions-Policy"].split(", ")


def test_every_style_element_of_our_pages_is_known_by_its_digest(
    alice: Client, now: datetime
) -> None:
    pages = [*all_pages(make_site(now=now)), *add_pages(), reverse("api-docs"), "/admin/login/"]
    for page in pages:
        answer = (Client() if "login" in page else alice).get(page)
        html, allowed = answer.content.decode(), rules_of(answer).get("style-src-elem", "")
        for style in re.findall(r"<style[^>]*>(.*?)</style>", html, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in allowed.split(), f"{page}: sha256-{digest}"


def test_an_answer_that_brings_its_own_policy_keeps_it_and_a_304_says_nothing_new() -> None:
    own = HttpResponse(headers={"Content-Security-Policy": "default-src 'self'"})
    for answer, policy in ((own, "default-src 'self'"), (HttpResponse(status=304), None)):
        adds = BrowserPolicyMiddleware(lambda _, answer=answer: answer)  # type: ignore[misc]
        assert adds(HttpRequest()).headers.get("Content-Security-Policy") == policy
    plain = HttpResponse("x", content_type="text/plain")
    assert (
        BrowserPolicyMiddleware(lambda _: plain)(HttpRequest()).headers["Content-Security-Policy"]
        == FILES
    )
