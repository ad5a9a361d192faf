"""Secrets of sources: encrypted where they lie, told to nobody, and lost one source at a time."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from pytest_django import Settings

from netsets.cidr import AddressSet
from policies.models import Change, Policy, Retrieval, Source
from policies.services import (
    Refused,
    change_source,
    create_source,
    find_or_make_source,
    refresh_policy,
    retrieve_source,
)
from policies.services.sources import secrets_of
from policies.services.try_source import try_source
from policies.states import Outcome, PolicyState, SourceState
from policies.store import get_set
from tests.factories import make_policy
from tests.fakes.webserver import Reply, Request, WebServer, text

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
SECRET = "correct-horse-battery"


def door(request: Request) -> Reply:
    """Open to whoever brings the token, and say it back to whoever does not."""
    if request.headers.get("authorization") == f"Bearer {SECRET}":
        return text("5.6.7.8")
    return Reply(f"not {SECRET}".encode(), status=401)


@pytest.fixture
def source(now: datetime) -> Source:
    return create_source(
        name="behind a door", kind="http", actor="test", now=now,
        settings={"url": "http://192.0.2.1/", "auth": "bearer", "token": SECRET},
    )  # fmt: skip


def everything() -> str:
    """Return all rows of the tables that people and programs are shown."""
    shown = [model.objects.values() for model in (Source, Change, Retrieval, Policy)]
    return json.dumps([list(rows) for rows in shown], default=str)


def test_a_secret_is_in_no_row_in_the_clear(source: Source, now: datetime) -> None:
    change = {"settings": {**source.settings, "token": SECRET + "2"}}
    change_source(source=source, changes=change, actor="test", now=now)
    assert secrets_of(source) == {"token": SECRET + "2"}
    assert SECRET not in everything()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  its own tables
            assert SECRET not in str(cursor.fetchall()), table
    told = [change.detail["secrets"] for change in Change.objects.order_by("id")]
    assert "token" in str(told)


def test_a_source_made_for_a_device_keeps_its_secrets_apart_as_well(now: datetime) -> None:
    given = {"url": "http://192.0.2.2/", "auth": "bearer", "token": SECRET}
    made = find_or_make_source(kind="http", settings=given, name="made", now=now)
    assert secrets_of(made) == {"token": SECRET}
    assert SECRET not in everything()
    again = find_or_make_source(kind="http", settings={**given, "token": "x"}, name="m", now=now)
    assert (again, secrets_of(again)) == (made, {"token": SECRET})


def test_a_secret_is_neither_in_the_api_nor_in_the_console(
    source: Source, now: datetime, client: Client
) -> None:
    client.force_login(User.objects.create_superuser("alice", "", "x"))
    api = [f"/api/v1/{path}/" for path in (f"sources/{source.pk}", "sources", "changes")]
    pages = [f"/admin/policies/{path}/" for path in (f"source/{source.pk}/change", "change")]
    for path in (*api, *pages):
        answer = client.get(path, follow=True)
        assert answer.status_code == 200, path
        assert SECRET not in answer.content.decode(), path
        assert "behind a door" in answer.content.decode(), path


@pytest.mark.parametrize("token", [SECRET, "another"])
def test_a_secret_is_in_no_log_and_no_error(
    source: Source, now: datetime, caplog: pytest.LogCaptureFixture, token: str
) -> None:
    with WebServer(door) as server, caplog.at_level(logging.DEBUG):
        at = {"url": server.url(), "allow_internal": ["127.0.0.1"], "auth": "bearer"}
        change = {"settings": {**at, "token": token}}
        source = change_source(source=source, changes=change, actor="test", now=now)
        retrieval = retrieve_source(source_id=source.pk, now=now)
    assert retrieval is not None
    assert (retrieval.outcome == Outcome.CHANGED) == (token == SECRET)
    assert token not in caplog.text
    assert SECRET not in caplog.text + everything()


def test_a_secret_that_is_not_given_stays_and_an_empty_one_goes(
    source: Source, now: datetime
) -> None:
    plain = source.settings
    assert "token" not in plain
    change_source(source=source, changes={"settings": plain}, actor="test", now=now)
    change_source(source=source, changes={"refresh_minutes": 30}, actor="test", now=now)
    assert secrets_of(source) == {"token": SECRET}
    bare = {"url": "http://192.0.2.1/", "token": ""}
    change_source(source=source, changes={"settings": bare}, actor="test", now=now)
    assert secrets_of(source) == {}


@pytest.mark.parametrize(
    "other",
    [
        {"url": "http://192.0.2.2/"},
        {"url": "http://192.0.2.1:8080/"},
        {"proxy": "http://192.0.2.2:3128"},
    ],
)
def test_a_secret_that_is_held_is_told_to_no_other_server(
    source: Source, now: datetime, other: dict[str, str]
) -> None:
    elsewhere = {**source.settings, **other}
    with pytest.raises(Refused, match="token must be given"):
        try_source(kind="http", settings=elsewhere, held=source)
    with pytest.raises(Refused, match="token must be given"):
        change_source(source=source, changes={"settings": elsewhere}, actor="test", now=now)
    source.refresh_from_db()
    assert (source.settings["url"], secrets_of(source)) == ("http://192.0.2.1/", {"token": SECRET})
    change = {"settings": {**elsewhere, "token": "another"}}
    change_source(source=source, changes=change, actor="test", now=now)
    assert secrets_of(source) == {"token": "another"}


def test_a_secret_stays_for_another_list_of_the_same_server(source: Source, now: datetime) -> None:
    change = {"settings": {**source.settings, "url": "http://192.0.2.1/other.txt"}}
    change_source(source=source, changes=change, actor="test", now=now)
    assert secrets_of(source) == {"token": SECRET}


def test_a_lost_key_fails_one_source_with_words_and_leaves_the_others_alone(
    now: datetime, settings: Settings
) -> None:
    with WebServer(door) as server:
        at = {"url": server.url(), "allow_internal": ["127.0.0.1"], "auth": "bearer"}
        closed = create_source(
            name="behind a door", kind="http", settings={**at, "token": SECRET}, actor="test",
            now=now,
        )  # fmt: skip
        policy = make_policy(now=now, block=["7.7.7.7"])
        policy.policy_sources.create(source=closed, role="block")
        refresh_policy(policy=policy, clock=lambda: now)
        settings.TSCM_FIELD_KEYS = (Fernet.generate_key().decode(),)
        policy.sources.exclude(pk=closed.pk).update(settings={"entries": ["7.7.7.9"]})
        later = now + HOUR
        report = refresh_policy(policy=policy, clock=lambda: later)
    closed.refresh_from_db()
    policy.refresh_from_db()
    assert closed.state == SourceState.REFUSED
    assert "TSCM_FIELD_KEYS" in closed.error
    assert {one.outcome for one in report.retrievals} == {Outcome.REFUSED, Outcome.CHANGED}
    assert policy.state == PolicyState.CURRENT
    assert policy.current is not None
    assert get_set(policy.current.block_digest) == AddressSet.of("5.6.7.8", "7.7.7.9")
    assert SECRET not in everything()
