"""Trying a source over the API: bounded, without a trace, and only for who may use it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from policies.models import Change, Retrieval, Source
from policies.services import create_source
from policies.services.trial_slots import trial_slot
from tests.api.conftest import error_of, signed_in
from tests.factories import make_policy, make_source, publish
from tests.fakes.webserver import Reply, Request, WebServer, text

pytestmark = pytest.mark.django_db
TRY = "/api/v1/sources/try/"
FIXED = {"kind": "memory", "settings": {"entries": ["9.9.9.9", "10.0.0.0/8"]}}


def at(server: WebServer, **settings: object) -> dict[str, Any]:
    return {"url": server.url(), "allow_internal": ["127.0.0.1"], **settings}


def try_url(source: Source) -> str:
    return f"/api/v1/sources/{source.pk}/try/"


def test_a_web_list_is_tried_without_a_trace(api: APIClient, now: datetime) -> None:
    publish(make_policy(now=now, block=["9.9.9.0/24"]), now=now)
    before = Source.objects.count(), Retrieval.objects.count(), Change.objects.count()
    with WebServer(lambda _: text("# x", "9.9.9.9", "10.0.0.0/8", "2a05:d000::/33", "x")) as server:
        answer = api.post(TRY, {"kind": "http", "settings": at(server)})
    assert answer.status_code == 200, answer.json()
    trial = answer.json()
    assert (trial["is_ok"], trial["error"], trial["may_help_later"]) == (True, "", False)
    found = trial["contents"]
    assert found["server"] == server.address
    assert found["sample"][0] == {"entry": "9.9.9.9", "line": 2}
    assert found["addresses"] == {"v4": str(1 + (1 << 24)), "v6": str(1 << 95)}
    assert [one["entries"] for one in found["rejects"]] == [1]
    assert found["reject_samples"] == ["x"]
    assert found["special_entries"] == 1
    assert found["widest"] == ["10.0.0.0/8", "2a05:d000::/33"]
    assert found["critical"] == [{"service": "public resolvers: Quad9", "addresses": "1"}]
    assert [(one["addresses4"], one["share6"]) for one in found["overlaps"]] == [("1", 0.0)]
    assert found["entries_only_here"] == 2
    assert before == (Source.objects.count(), Retrieval.objects.count(), Change.objects.count())


def test_what_brings_no_list_is_an_answer_and_no_error(api: APIClient) -> None:
    with WebServer(lambda _: Reply(status=503)) as server:
        answer = api.post(TRY, {"kind": "http", "settings": at(server)})
    trial = answer.json()
    assert (answer.status_code, trial["is_ok"], trial["contents"]) == (200, False, None)
    assert trial["may_help_later"] is True
    assert "answered 503" in trial["error"]


def test_a_url_into_the_network_is_not_asked(api: APIClient) -> None:
    with WebServer(lambda _: text("9.9.9.9")) as server:
        answer = api.post(TRY, {"kind": "http", "settings": {"url": server.url()}})
        assert server.requests == []
    assert "of the appliance itself" in answer.json()["error"]


@pytest.mark.parametrize(
    ("kind", "given", "reason"),
    [
        ("http", {"url": "http://192.0.2.1/list"}, "inside the network"),
        ("http", {"url": "https://[::1]:1/"}, "of the appliance itself"),
        ("http", {"url": "http://169.254.169.254/"}, "inside the network"),
        ("dns", {"name": "list.test", "servers": ["127.0.0.1"], "port": 1}, "refused"),
        ("zone", {"name": "list.test", "servers": ["127.0.0.1"], "port": 1}, "refused"),
        ("memory", {"entries": []}, "no entries"),
    ],
)
def test_what_leads_nowhere_is_told_and_no_fault_of_ours(
    api: APIClient, kind: str, given: dict[str, Any], reason: str
) -> None:
    answer = api.post(TRY, {"kind": kind, "settings": given})
    assert (answer.status_code, answer.json()["is_ok"]) == (200, False)
    assert reason in answer.json()["error"]


def test_a_file_outside_the_folders_of_the_site_is_refused(api: APIClient) -> None:
    answer = api.post(TRY, {"kind": "file", "settings": {"path": "/etc/passwd"}})
    assert (answer.status_code, error_of(answer)["attr"]) == (400, "settings")


def test_a_source_is_tried_as_it_is_or_with_other_settings(api: APIClient, now: datetime) -> None:
    source = make_source(entries=["9.9.9.9"], now=now)
    as_it_is = api.post(try_url(source), {}).json()["contents"]
    otherwise = api.post(try_url(source), {"settings": {"entries": ["9.9.9.8/30"]}})
    assert (as_it_is["addresses"]["v4"], as_it_is["compared"]) == ("1", 0)
    assert otherwise.json()["contents"]["addresses"]["v4"] == "4"
    source.refresh_from_db()
    assert source.settings == {"entries": ["9.9.9.9"]}


def test_the_secrets_a_source_holds_are_used_and_never_shown(api: APIClient, now: datetime) -> None:
    def answer(request: Request) -> Reply:
        known = request.headers.get("authorization") == "Bearer s3cret"
        return text("9.9.9.9") if known else Reply(status=401)

    with WebServer(answer) as server:
        settings = at(server, auth="bearer", token="s3cret")
        source = create_source(name="x", kind="http", settings=settings, actor="x", now=now)
        tried = api.post(try_url(source), {})
        wrong = api.post(try_url(source), {"settings": {**settings, "token": "hunter2"}})
    assert tried.json()["is_ok"]
    assert "answered 401" in wrong.json()["error"]
    assert b"s3cret" not in tried.content + wrong.content
    assert b"hunter2" not in wrong.content


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({}, "kind"),
        ({"kind": "memory"}, "settings"),
        ({"kind": "ftp", "settings": {}}, "kind"),
        ({"kind": "memory", "settings": []}, "settings"),
        ({"kind": "http", "settings": {"url": "gopher://x"}}, "settings"),
        ({**FIXED, "may_be_empty": "yes"}, "may_be_empty"),
    ],
)
def test_a_body_that_cannot_be_tried_is_refused(
    api: APIClient, body: dict[str, Any], attr: str
) -> None:
    answer = api.post(TRY, body)
    assert (answer.status_code, error_of(answer)["attr"]) == (400, attr)


def test_one_trial_too_many_is_told_to_come_back(api: APIClient) -> None:
    with trial_slot(), trial_slot():
        answer = api.post(TRY, FIXED)
    assert answer.status_code == 409
    assert "try again" in error_of(answer)["detail"]
    assert api.post(TRY, FIXED).status_code == 200


def test_only_who_may_add_a_source_may_try_one(bob: User, charlie: User, now: datetime) -> None:
    source = make_source(entries=["9.9.9.9"], now=now)
    may_add = signed_in(bob)
    for client in (may_add, signed_in(charlie)):
        for url in (TRY, try_url(source)):
            assert client.post(url, FIXED).status_code == 403
    assert APIClient().post(TRY, FIXED).status_code == 401
    bob.user_permissions.add(Permission.objects.get(codename="add_source"))
    assert may_add.post(TRY, FIXED).status_code == 200
    # The secrets of a source go to whatever server these settings name.
    assert may_add.post(try_url(source), FIXED).status_code == 403


def test_trying_is_no_reading(api: APIClient, now: datetime) -> None:
    source = make_source(entries=["9.9.9.9"], now=now)
    assert api.get(TRY).status_code == 405
    assert api.get(try_url(source)).status_code == 405
    assert api.post("/api/v1/sources/999999/try/", {}).status_code == 404
