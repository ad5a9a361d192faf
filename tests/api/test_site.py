"""What holds for every endpoint: who may come in, what an error looks like, what is bounded."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import get_resolver
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from policies.api.views import PolicyViewSet
from policies.presets import PRESETS
from tests.api.conftest import error_of, signed_in
from tscm_site.parsers import MAX_BODY_BYTES

CHECKOUT = Path(__file__).parents[2]
OPENAPI = CHECKOUT / "docs" / "api" / "openapi.yaml"
POLICIES = "/api/v1/policies/"
# Everybody has some, and sees no other's.
OWN = ("/api/v1/tokens/", "/api/v1/sessions/")


def operations() -> list[tuple[str, str]]:
    document = yaml.safe_load(OPENAPI.read_text())
    return [
        (method, re.sub(r"\{(id|source_id)\}", "1", path).replace("{key}", PRESETS[0].key))
        for path, methods in document["paths"].items()
        for method in methods
    ]


@pytest.mark.parametrize(("method", "path"), operations())
def test_every_operation_refuses_whoever_is_not_known(db: None, method: str, path: str) -> None:
    answer = APIClient().generic(method.upper(), path, "{}", content_type="application/json")
    assert answer.status_code == 401
    assert error_of(answer)["code"] == "not_authenticated"


@pytest.mark.parametrize(
    ("method", "path"),
    [one for one in operations() if not one[1].startswith(OWN)],
)
def test_charlie_sees_nothing_but_what_is_his_own(charlie: User, method: str, path: str) -> None:
    client = signed_in(charlie)
    answer = client.generic(method.upper(), path, "{}", content_type="application/json")
    assert answer.status_code == 403
    assert error_of(answer)["code"] == "permission_denied"


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/api/", "get"),
        ("/api/v1/", "get"),
        ("/api/v1/nothing/", "post"),
        ("/api/v1/policies", "get"),
        ("/api/v1/policies", "post"),
        ("/api/v1/policies/one/", "get"),
        ("/api/v1/policies/99999999999999999999999/", "get"),
        ("/api/v1/policies/999/", "delete"),
        ("/api/v1/\N{SNOWMAN}/", "get"),
    ],
)
def test_what_is_not_there_is_a_404_in_json(api: APIClient, path: str, method: str) -> None:
    answer = getattr(api, method)(path)
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "not_found"


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        '"policy"',
        "null",
        "NaN",
        '{"name": NaN}',
        '{"name": "a\\u0000b"}',
        '{"note": "\\ud800"}',
        '{"\\udfff": 1}',
        '{"widest4": 1e999}',
        '{"widest4": ' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"a":' * 100_000,
        "\xff\xfe",
    ],
)
def test_a_body_that_makes_no_sense_is_a_400_in_json(api: APIClient, body: str) -> None:
    sent = body.encode("latin-1")
    answer = api.post(POLICIES, sent, content_type="application/json")
    assert answer.status_code == 400, answer.content
    error_of(answer)


def test_a_body_beyond_the_bound_is_not_read(api: APIClient) -> None:
    sent = b'{"name": "' + b"x" * MAX_BODY_BYTES + b'"}'
    answer = api.post(POLICIES, sent, content_type="application/json")
    assert (answer.status_code, error_of(answer)["code"]) == (413, "body_too_large")


def test_a_body_of_another_kind_is_a_415_in_json(api: APIClient) -> None:
    answer = api.post(POLICIES, b"name=x", content_type="text/plain")
    assert (answer.status_code, error_of(answer)["code"]) == (415, "unsupported_media_type")


def test_a_fault_of_ours_is_a_500_in_json_that_tells_nothing(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr(PolicyViewSet, "get_queryset", fail)
    api.raise_request_exception = False
    answer = api.get(POLICIES)
    assert (answer.status_code, error_of(answer)["code"]) == (500, "error")
    assert b"42" not in answer.content


def test_a_fault_outside_of_views_is_json_too(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver: Any = get_resolver()
    for status, arguments in ((400, (None,)), (403, (None,)), (404, (None,)), (500, ())):
        request: Any = Client().get("/api/v1/").wsgi_request
        answer = resolver.resolve_error_handler(status)(request, *arguments)
        assert answer.status_code == status
        assert answer["Content-Type"] == "application/json"


def test_an_unknown_host_is_refused_in_json(db: None) -> None:
    answer = APIClient().get(POLICIES, HTTP_HOST="evil.example")
    assert answer.status_code == 400
    error_of(answer)


@pytest.mark.parametrize(
    "query",
    [
        "colour=red",
        "page=0",
        "page=x",
        "page_size=0",
        "page_size=501",
        "page_size=1e3",
        "page_size=" + "9" * 150,
        "ordering=password",
        "ordering=id,name",
        "state=",
        "state=new&state=held",
        "is_private=maybe",
        "source=99999999999999999999999",
        "search=" + "x" * 201,
        "search=a%00b",
        "name=%00",
    ],
)
def test_a_parameter_that_would_be_ignored_is_refused(api: APIClient, query: str) -> None:
    answer = api.get(f"{POLICIES}?{query}")
    assert answer.status_code in {400, 404}
    error_of(answer)


def test_pages_are_bounded(api: APIClient, alice: User) -> None:
    from django.utils import timezone

    from accounts.services import create_token

    for number in range(4):
        create_token(user=alice, name=str(number), actor="test", now=timezone.now())
    page = api.get("/api/v1/tokens/?page_size=2&page=2").json()
    assert (page["count"], len(page["results"])) == (5, 2)
    assert "page=3" in page["next"]


def test_requests_are_slowed_down(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {"user": "2/min", "tokens": "1/min"})
    assert [api.get(POLICIES).status_code for _ in range(3)] == [200, 200, 429]


def test_a_browser_needs_its_csrf_token_to_write_and_not_to_read(alice: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.get(POLICIES).status_code == 200
    refused = client.post(POLICIES, {"name": "edge"})
    assert (refused.status_code, error_of(refused)["code"]) == (403, "permission_denied")
    assert "CSRF" in error_of(refused)["detail"]
    client.get("/api/v1/docs/")
    client.cookies["tscm_csrf"] = "a" * 32
    made = client.post(POLICIES, {"name": "edge"}, headers={"X-CSRFToken": "a" * 32})
    assert made.status_code == 201


def test_a_form_is_refused_before_anything_of_it_is_read(alice: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(alice)
    client.cookies["tscm_csrf"] = "a" * 32
    form = "application/x-www-form-urlencoded"
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10):
        answer = client.post(POLICIES, b"a=" + b"x" * 100, content_type=form)
    assert (answer.status_code, error_of(answer)["code"]) == (415, "unsupported_media_type")


def test_the_schema_in_the_docs_is_the_one_that_is_served(tmp_path: Path) -> None:
    said = tmp_path / "openapi.yaml"
    command = [sys.executable, "manage.py", "spectacular", "--validate", "--fail-on-warn"]
    done = subprocess.run(
        [*command, "--file", str(said)],
        cwd=CHECKOUT,
        env={"TSCM_DATA_DIR": str(tmp_path / "var"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert OPENAPI.read_text() == said.read_text(), (
        "docs/api/openapi.yaml is behind: manage.py spectacular --file docs/api/openapi.yaml"
    )


def test_the_schema_is_served_to_whoever_may_sign_in(charlie: User) -> None:
    answer = signed_in(charlie).get("/api/v1/schema/")
    assert answer.status_code == 200
    assert set(answer.json()["paths"]) == set(yaml.safe_load(OPENAPI.read_text())["paths"])


def test_the_page_of_the_schema_asks_no_other_host_for_anything(charlie: User) -> None:
    client = Client()
    client.force_login(charlie)
    page = client.get("/api/v1/docs/")
    assert page.status_code == 200
    html = page.content.decode()
    assert "swagger-ui-bundle.js" in html
    # The page's policy allows scripts from here only, and none in line.
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", html)
    script = client.get("/api/v1/docs/?script=")
    for text in (html, script.content.decode()):
        assert not re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", text)


def test_the_page_of_the_schema_sends_strangers_to_sign_in(db: None) -> None:
    page = Client().get("/api/v1/docs/")
    assert page.status_code == 302
    assert page["Location"].startswith("/admin/login/")
