"""Forms of the fleet that were opened a while ago, secrets that cannot be read, and keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from fleet.models import Entry, EntryKey, GroupSettings
from fleet.services.entries import configure_entry, move_entry
from fleet.services.entry_keys import rotate_key
from fleet.services.groups import set_group_settings
from fleet.services.rollouts import Intended, add_rollout
from fleet.services.rotation import rotate_keys
from fleet.services.steering import Change
from policies.models import Change as Record
from tests.fleet.edges.portal import be_portal
from tests.fleet.edges.rows import make_entry, make_group, report

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LIST = "/admin/fleet/entry/"
BULK = "/admin/fleet/entry/bulk/"


@pytest.fixture(autouse=True)
def portal(settings: Settings, tmp_path: Path) -> None:
    be_portal(settings, tmp_path)


def _opened(client: Client, path: str) -> dict[str, Any]:
    """Return what a browser sends from a page as it was opened."""
    page = client.get(path)
    assert 'name="seen" value="' in page.content.decode()
    form = page.context["adminform"].form
    shown = {name: form[name].initial for name in form.fields}
    return {name: "" if value is None else value for name, value in shown.items()}


def test_a_form_of_a_group_that_is_old_takes_nothing_back(alice: Client) -> None:
    group = make_group("north", now=NOW)
    row = set_group_settings(group=group, settings={"verdict": "drop"}, actor="test", now=NOW)
    page = f"/admin/fleet/groupsettings/{row.pk}/change/"
    sent = {**_opened(alice, page), "set_log_size": "1M"}
    set_group_settings(group=group, settings={"verdict": "reject"}, actor="bob", now=NOW)
    answer = alice.post(page, sent)
    assert "since you opened this page" in answer.content.decode()
    assert GroupSettings.objects.get().settings == {"verdict": "reject"}
    again = {**_opened(alice, page), "set_log_size": "1M"}
    assert alice.post(page, again).status_code == 302
    assert GroupSettings.objects.get().settings == {"verdict": "reject", "log_size": 1_000_000}


@pytest.mark.parametrize("what", ["settings", "group", "note"])
def test_a_form_of_an_entry_that_is_old_takes_nothing_back(alice: Client, what: str) -> None:
    entry, north = make_entry(now=NOW), make_group("north", now=NOW)
    page = f"{LIST}{entry.pk}/change/"
    sent = {**_opened(alice, page), "set_log_size": "1M"}
    if what == "group":
        move_entry(entry=entry, group=north, actor="bob", now=NOW)
    else:
        change = Change({"verdict": "reject"} if what == "settings" else {})
        about = {"note": "roof"} if what == "note" else {}
        configure_entry(entry=entry, change=change, about=about, actor="bob", now=NOW)
    held = Entry.objects.filter(pk=entry.pk).values("settings", "group", "note").get()
    assert "since you opened this page" in alice.post(page, sent).content.decode()
    assert Entry.objects.filter(pk=entry.pk).values("settings", "group", "note").get() == held
    again = {**_opened(alice, page), "set_log_size": "1M"}
    assert alice.post(page, again).status_code == 302


def test_a_secret_that_cannot_be_read_is_told_and_breaks_no_page(
    alice: Client, settings: Settings
) -> None:
    group = make_group("north", now=NOW)
    row = set_group_settings(
        group=group, settings={"upload_proxy_password": "x"}, actor="test", now=NOW
    )
    entry = make_entry(now=NOW, group=group, settings={"upload_proxy_password": "y"})
    settings.TSCM_FIELD_KEYS = [Fernet.generate_key()]
    pages = (f"{LIST}{entry.pk}/change/", f"/admin/fleet/groupsettings/{row.pk}/change/")
    for page in pages:
        assert alice.get(page).status_code == 200
        sent = {**_opened(alice, page), "set_log_size": "1M"}
        assert "cannot be decrypted" in alice.post(page, sent).content.decode(), page
    change = Intended("r", group, (make_group("b", now=NOW),), 60, {"verdict": "reject"})
    rollout = add_rollout(intended=change, actor="test", now=NOW)
    started = alice.post(f"/admin/fleet/rollout/{rollout.pk}/start/", follow=True)
    assert "cannot be decrypted" in started.content.decode()
    told = {"chosen": str(entry.pk), "settings": "log_size = 1M"}
    assert "cannot be decrypted" in alice.post(BULK, told).content.decode()


def test_keys_of_many_take_a_few_questions() -> None:
    """But for the record, in which each entry has a row of its own."""

    def asked(number: int) -> int:
        rows = [make_entry(now=NOW) for _ in range(number)]
        for row in rows:
            report(row, now=NOW)
        chosen = Entry.objects.filter(pk__in=[row.pk for row in rows])
        with CaptureQueriesContext(connection) as queries:
            assert rotate_keys(entries=chosen, actor="test", now=NOW).made == number
        return sum("policies_change" not in query["sql"] for query in queries)

    assert asked(60) <= asked(2) + 1
    assert Record.objects.filter(verb="rotate key").count() == 62
    assert EntryKey.objects.filter(retires_at=None, generation=2).count() == 62


def test_a_console_that_is_no_portal_makes_no_key_that_nobody_sees(
    alice: Client, settings: Settings
) -> None:
    entry = make_entry(now=NOW)
    report(entry, now=NOW)
    settings.TSCM_PORTAL = replace(settings.TSCM_PORTAL, primary=None)
    told = {"action": "rotate_keys", "_selected_action": [entry.pk]}
    for path, sent in ((f"{LIST}{entry.pk}/rotate/", {}), (LIST, told)):
        assert "no portal" in alice.post(path, sent, follow=True).content.decode()
    assert [key.retires_at for key in entry.keys.all()] == [None]


def test_who_revokes_a_key_is_told_whether_another_is_good(alice: Client) -> None:
    entry = make_entry(now=NOW)
    page = f"{LIST}{entry.pk}/revoke/?generation="
    assert "It is the only one" in alice.get(f"{page}1").content.decode()
    rotate_key(entry=entry, actor="test", now=datetime.now(tz=UTC))
    for generation in (1, 2):  # the old one is good for a while
        assert "It is the only one" not in alice.get(f"{page}{generation}").content.decode()
    missing = alice.get(f"{page}77", follow=True)
    assert "has no key 77 that is good" in missing.content.decode()


def test_a_secret_is_not_typed_where_all_may_read_it(alice: Client) -> None:
    told = {"chosen": str(make_entry(now=NOW).pk), "settings": "upload_proxy_password = hush-hush"}
    shown = alice.post(BULK, told).content.decode()
    assert "is a secret" in shown
    assert "hush-hush" not in shown
