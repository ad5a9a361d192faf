"""The pages of a source and of its retrievals: age, secrets, what could not be read."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from policies.models import Change, Retrieval, Source
from policies.services.sources import secrets_of
from policies.sources import SOURCES
from policies.sources.examples import EXAMPLES
from tests.console.pages import address
from tests.console.test_policy_pages import SOURCE
from tests.factories import make_policy, make_source, publish

pytestmark = pytest.mark.django_db
WEB = {"url": "https://lists.example/block.txt", "auth": "basic", "username": "us"}


def sent(**settings: str) -> dict[str, str]:
    return {**SOURCE, "name": "web", "kind": "http", "settings": json.dumps({**WEB, **settings})}


def test_a_secret_is_taken_and_only_its_name_is_shown(alice: Client) -> None:
    assert alice.post(address(Source, "add"), sent(password="hunter2")).status_code == 302
    source = Source.objects.get()
    page = address(Source, "change", source.pk)
    shown = alice.get(page).content.decode()
    assert "password: set" in shown
    assert alice.post(page, sent()).status_code == 302  # as it is shown, without the password
    assert secrets_of(source) == {"password": "hunter2"}
    pages = [page, address(Source, "history", source.pk)]
    pages += [address(Change, "change", change.pk) for change in Change.objects.all()]
    for url in pages:
        assert "hunter2" not in alice.get(url).content.decode()


def test_the_page_of_a_source_opens_without_the_key_of_its_secrets(alice: Client) -> None:
    alice.post(address(Source, "add"), sent(password="hunter2"))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE policies_sourcesecrets SET \"values\" = 'x'")
    page = address(Source, "change", Source.objects.get().pk)
    assert "password: set" in alice.get(page).content.decode()
    assert alice.get(address(Source, "changelist")).status_code == 200


def test_the_form_has_an_example_of_each_kind(alice: Client) -> None:
    form = alice.get(address(Source, "add")).context["adminform"].form
    said = str(form.fields["settings"].help_text)
    assert [kind for kind in SOURCES if f"{SOURCES[kind].label}: " not in said] == []
    assert EXAMPLES.keys() == SOURCES.keys()


def test_a_stale_list_says_so_with_its_age(alice: Client) -> None:
    old = timezone.now() - timedelta(hours=5)
    source = make_source(entries=["9.9.9.9"], now=old)
    pages = (address(Source, "changelist"), address(Source, "change", source.pk))
    for hours, is_stale in ((5, True), (1, False)):
        Source.objects.update(retrieved_at=timezone.now() - timedelta(hours=hours))
        for page in pages:
            assert (">stale<" in alice.get(page).content.decode()) is is_stale


def test_a_retrieval_shows_the_first_entries_that_were_skipped(
    alice: Client, now: datetime
) -> None:
    publish(make_policy(now=now), now=now)
    page = address(Retrieval, "change", Retrieval.objects.get().pk)
    assert "first few that were skipped" not in alice.get(page).content.decode()
    Retrieval.objects.update(skipped=[["host name", 3]], samples=["<b>evil</b>.example"])
    shown = alice.get(page).content.decode()
    assert "&lt;b&gt;evil&lt;/b&gt;.example" in shown
    assert "host name" in shown
