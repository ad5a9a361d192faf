"""A source is tried from its form: what came is shown, and nothing is saved."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from django.test import Client
from django.urls import reverse

from policies.models import Change, Source
from policies.services import create_source, create_user_list, retrieve_source
from policies.services.trial_slots import trial_slot
from tests.console.pages import address
from tests.factories import make_source
from tests.fakes.webserver import Reply, Request, WebServer, text

pytestmark = pytest.mark.django_db
TRY = reverse("console:try-new")
FIXED = {"kind": "memory", "settings": '{"entries": ["9.9.9.9"]}'}


def try_url(source: Source) -> str:
    return reverse("console:try-held", args=[source.pk])


def web(server: WebServer, **settings: object) -> dict[str, str]:
    return {
        "kind": "http",
        "settings": json.dumps({"url": server.url(), "allow_internal": ["127.0.0.1"], **settings}),
    }


def test_shows_what_came_beside_the_other_lists_and_saves_nothing(
    alice: Client, now: datetime
) -> None:
    held = make_source(entries=["7.7.7.0/24"], now=now, name="scanners")
    retrieve_source(source_id=held.pk, now=now)
    lines = ("7.7.7.7", "10.0.0.0/8", "9.9.9.9", "92.0.0.0/7", "9.8.7.6/24", "glued", "more")
    with WebServer(lambda _: text(*lines)) as server:
        shown = alice.post(TRY, web(server)).content.decode()
    for words in (
        "the list came", "5 entries from 127.0.0.1", "Nothing is kept",
        "Private or special-purpose", "1 entry (16,777,216 IPv4",
        "public resolvers: Quad9 (1)", "the list would hold the prefix 92.0.0.0/7",
        "such as glued, more", "Host bits cleared", "9.8.7.0/24", "scanners", "1 other list",
    ):  # fmt: skip
        assert words in shown, words
    assert Source.objects.count() == 1
    assert not Change.objects.exists()


@pytest.mark.parametrize(
    ("status", "words"), [(503, "Trying again later may help"), (404, "refused")]
)
def test_says_why_no_list_came(alice: Client, status: int, words: str) -> None:
    with WebServer(lambda _: Reply(status=status)) as server:
        answer = alice.post(TRY, web(server))
    assert answer.status_code == 200
    assert f"answered {status}" in answer.content.decode()
    assert words in answer.content.decode()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({**FIXED, "settings": "{"}, "settings: Enter a valid JSON"),
        ({**FIXED, "settings": "[1]"}, "settings: must be an object"),
        ({**FIXED, "settings": '{"entries": ["x"]}'}, "entries: each must be one address"),
        ({**FIXED, "kind": "ftp"}, "kind: "),
        ({"kind": "http", "settings": ""}, "url must be"),
        ({}, "kind: "),
    ],
)
def test_what_cannot_be_tried_is_said_and_not_tried(
    alice: Client, typed: dict[str, str], words: str
) -> None:
    shown = alice.post(TRY, typed).content.decode()
    assert "not tried" in shown
    assert words in shown


def test_nothing_that_a_server_sends_becomes_markup(alice: Client) -> None:
    with WebServer(lambda _: text("9.9.9.9", "9.9.9.8", "<b>x</b>")) as server:
        shown = alice.post(TRY, web(server)).content.decode()
    assert "<b>x</b>" not in shown
    assert "&lt;b&gt;x&lt;/b&gt;" in shown


def test_a_source_is_tried_with_the_secrets_it_holds(alice: Client, now: datetime) -> None:
    def answer(request: Request) -> Reply:
        known = request.headers.get("authorization") == "Bearer s3cret"
        return text("9.9.9.9") if known else Reply(status=401)

    with WebServer(answer) as server:
        typed = web(server, auth="bearer")
        settings = {**json.loads(typed["settings"]), "token": "s3cret"}
        source = create_source(name="x", kind="http", settings=settings, actor="x", now=now)
        shown = alice.post(try_url(source), typed).content.decode()
    assert "the list came" in shown
    assert "s3cret" not in shown


def test_one_trial_too_many_is_told_to_come_back(alice: Client) -> None:
    with trial_slot(), trial_slot():
        assert "trials are running already" in alice.post(TRY, FIXED).content.decode()
    assert "the list came" in alice.post(TRY, FIXED).content.decode()


def test_the_form_offers_it_to_who_may_save_it(
    alice: Client, victor: Client, now: datetime
) -> None:
    source = make_source(entries=["9.9.9.9"], now=now)
    page = address(Source, "change", source.pk)
    assert f'formaction="{TRY}"' in alice.get(address(Source, "add")).content.decode()
    assert f'formaction="{try_url(source)}"' in alice.get(page).content.decode()
    assert "formaction" not in victor.get(page).content.decode()


def test_a_list_kept_here_has_nobody_to_ask(alice: Client, now: datetime) -> None:
    kept = create_user_list(name="ours", type="block", actor="x", now=now)
    assert "formaction" not in alice.get(address(Source, "change", kept.pk)).content.decode()
    shown = alice.post(try_url(kept), {"kind": "user", "settings": '{"type": "block"}'})
    assert "has its records on its page" in shown.content.decode()


def test_only_who_may_save_a_source_may_try_it(
    alice: Client, victor: Client, charlie: Client, client: Client, now: datetime
) -> None:
    source = make_source(entries=["9.9.9.9"], now=now)
    for url in (TRY, try_url(source)):
        assert victor.post(url, FIXED).status_code == 403
        assert charlie.post(url, FIXED).status_code == 403
        assert client.post(url, FIXED).headers["Location"].startswith(reverse("admin:login"))
        assert alice.get(url).status_code == 405
    assert alice.post(reverse("console:try-held", args=[10**30]), FIXED).status_code == 404
