"""The pages of a fleet: entries added and steered, many changed at once, rollouts, one overview."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import strip_tags
from hypothesis import example, given, strategies as st
from hypothesis.extra.django import TestCase
from pytest_django import Settings

from devices.services import change_people
from fleet.models import Entry, EntryStatus, GroupSettings, Publication, Rollout
from fleet.reports.board import fleet_board
from fleet.reports.health import health_of
from fleet.reports.listed import following, with_health
from fleet.services.groups import set_group_settings
from policies.models import Change
from tests.factories import make_policy, publish
from tests.fleet.edges.portal import be_portal
from tests.fleet.edges.rows import make_entry, make_group, report, written

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LIST = "/admin/fleet/entry/"
BULK = "/admin/fleet/entry/bulk/"


@pytest.fixture(autouse=True)
def portal(settings: Settings, tmp_path: Path) -> None:
    be_portal(settings, tmp_path)


def _text(page: Any) -> str:
    assert page.status_code == 200, page
    return str(page.content.decode())


def _send(client: Client, path: str, **told: Any) -> Any:
    return client.post(path, told)


def _change(entry: Entry) -> str:
    return f"{LIST}{entry.pk}/change/"


def test_an_entry_is_added_and_what_to_type_is_shown_once(alice: Client) -> None:
    page = _send(
        alice, f"{LIST}add/?kind=iptables", nickname="gw-1", kind="iptables", set_verdict="reject",
        set_max_policy_size="none",
    )  # fmt: skip
    entry = Entry.objects.get()
    shown = strip_tags(_text(page))
    assert re.search(
        rf"tsadmin add --type auto --device_id={entry.device_id} --auto_key=tscmdk1_\S+ "
        r"--portal=portal.example.net",
        shown,
    )
    assert "no-store" in page["Cache-Control"]
    assert entry.settings == {"verdict": "reject", "max_policy_size": None}
    assert "tscmdk" not in _text(alice.get(_change(entry)))


def test_a_word_to_choose_may_be_none(alice: Client) -> None:
    """The word none means nothing elsewhere: here it is one of the words."""
    entry = make_entry(now=NOW, settings={"forward_source": "header"})
    _send(
        alice, _change(entry), nickname=entry.nickname, kind="iptables", set_forward_source="none"
    )
    wanted = {"chosen": str(make_entry(now=NOW).pk), "settings": "forward_source = none"}
    _send(alice, BULK, **wanted, digest=_send(alice, BULK, **wanted).context["preview"].digest)
    assert Entry.objects.filter(settings={"forward_source": "none"}).count() == 2


def test_what_a_rule_refuses_stands_beside_its_field(alice: Client) -> None:
    page = _send(
        alice, f"{LIST}add/?kind=iptables", nickname="gw-1", kind="iptables", set_log_limit="much"
    )
    assert "a rate such as 10/second" in _text(page)
    assert not Entry.objects.exists()


def test_a_form_that_is_sent_as_it_stands_changes_nothing(alice: Client) -> None:
    entry = make_entry(
        now=NOW, nickname="gw-1",
        settings={"verdict": "reject", "canaries": "192.0.2.1", "max_policy_size": ""},
    )  # fmt: skip
    before = Change.objects.count()
    page = alice.get(_change(entry))
    form = page.context["adminform"].form
    told = {name: form.initial.get(name) for name in form.fields}
    sent = {name: "" if value is None else value for name, value in told.items()}
    assert alice.post(_change(entry), sent).status_code == 302
    entry.refresh_from_db()
    assert entry.settings == {
        "verdict": "reject", "canaries": ["192.0.2.1"], "max_policy_size": None,
    }  # fmt: skip
    assert Change.objects.count() == before


def test_a_page_tells_what_is_in_force_and_who_says_so(alice: Client) -> None:
    group, policy = make_group("north", now=NOW), make_policy(now=NOW, name="edge")
    set_group_settings(
        group=group, settings={"log_size": "1M"}, policy=policy, actor="test", now=NOW
    )
    now = datetime.now(tz=UTC)
    entry = written(make_entry(now=NOW, group=group), now=now)
    report(entry, now=now, overrides=["verdict"], clock_offset=42.0)
    shown = _text(alice.get(_change(entry)))
    for expected in ("group north", "1000000", "set otherwise on the device", "+42 s", "healthy"):
        assert expected in shown


def test_a_key_is_rotated_and_the_old_one_revoked(alice: Client) -> None:
    entry = make_entry(now=NOW)
    assert "--auto_key=tscmdk2_" in _text(_send(alice, f"{LIST}{entry.pk}/rotate/"))
    asked = _text(alice.get(f"{LIST}{entry.pk}/revoke/?generation=1"))
    assert "Revoke it" in asked
    assert alice.get(f"{LIST}{entry.pk}/rotate/").status_code == 405
    assert _send(alice, f"{LIST}{entry.pk}/revoke/", generation="1").status_code == 302
    key = entry.keys.get(generation=1)
    assert key.retires_at is not None
    assert key.retires_at <= datetime.now(tz=UTC)


def test_keys_of_many_are_rotated_from_the_list(alice: Client) -> None:
    rows = [make_entry(now=NOW) for _ in range(3)]
    for row in rows[:2]:
        report(row, now=NOW)
    told = {"action": "rotate_keys", "_selected_action": [row.pk for row in rows]}
    page = _text(alice.post(LIST, told, follow=True))
    assert "2 new keys" in page
    assert "1 never linked and keep their key" in page
    assert [row.keys.count() for row in rows] == [2, 2, 1]
    again = _text(alice.post(LIST, told, follow=True))
    assert "2 keep theirs: a new key is under way" in again


def test_many_are_changed_once_it_was_seen_what_that_does(alice: Client) -> None:
    rows = [make_entry(now=NOW) for _ in range(3)]
    told = {"action": "bulk_change", "_selected_action": [row.pk for row in rows]}
    chosen = alice.post(LIST, told).context["chosen"]
    wanted = {"chosen": chosen, "settings": "verdict = reject\nlog_size=1M"}
    seen = _send(alice, BULK, **wanted)
    assert "3 change, 0 stay" in _text(seen)
    assert not Entry.objects.exclude(settings={}).exists()
    digest = seen.context["preview"].digest
    assert _send(alice, BULK, **wanted, digest=digest).status_code == 302
    assert Entry.objects.filter(settings={"verdict": "reject", "log_size": 1_000_000}).count() == 3
    again = _send(alice, BULK, **wanted, digest=digest)
    assert "By now this would do something else" in _text(again)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"settings": "nonsense"}, "name = value"),
        ({"settings": "verdict = x"}, "is not accepted"),
        ({"settings": "verdict = drop\nverdict = drop"}, "twice"),
        ({}, "nothing is to be changed"),
        ({"policy": "999"}, "Select a valid choice"),
    ],
)
def test_a_bulk_change_that_cannot_be_is_told(
    alice: Client, told: Mapping[str, str], why: str
) -> None:
    assert why in _text(_send(alice, BULK, chosen=str(make_entry(now=NOW).pk), **told))


def test_what_a_group_inherits_is_laid_down_on_its_page(alice: Client) -> None:
    group, policy = make_group("north", now=NOW), make_policy(now=NOW)
    told = {"group": group.pk, "policy": policy.pk, "set_verdict": "reject"}
    assert _send(alice, "/admin/fleet/groupsettings/add/", **told).status_code == 302
    row = GroupSettings.objects.get()
    assert (row.settings, row.policy) == ({"verdict": "reject"}, policy)
    page = f"/admin/fleet/groupsettings/{row.pk}/change/"
    assert _send(alice, page, group=group.pk, policy="", set_log_size="1M").status_code == 302
    row.refresh_from_db()
    assert (row.settings, row.policy) == ({"log_size": 1_000_000}, None)
    again = _send(alice, "/admin/fleet/groupsettings/add/", **told)
    assert "laid down for north already" in _text(again)


def test_a_policy_is_published_on_its_page(alice: Client) -> None:
    policy = make_policy(now=NOW, name="edge")
    told = {"policy": policy.pk, "forms": ["apl", "txt"], "networks": "198.51.100.0/24"}
    assert _send(alice, "/admin/fleet/publication/add/", **told).status_code == 302
    row = Publication.objects.get()
    assert (row.forms, row.networks, row.by_address) == (
        ["apl", "txt"], ["198.51.100.0/24"], False,
    )  # fmt: skip
    again = _send(alice, "/admin/fleet/publication/add/", **{**told, "forms": ["apl"]})
    assert "edge is published already; change that" in _text(again)
    page = f"/admin/fleet/publication/{row.pk}/change/"
    bad = _send(alice, page, **{**told, "networks": "nowhere"})
    assert "Use " in _text(bad)
    assert "not written yet" in _text(alice.get(page))


def test_a_rollout_is_laid_down_and_moved_on_its_page(alice: Client) -> None:
    first, others = make_group("first", now=NOW), make_group("others", now=NOW)
    make_entry(now=NOW, group=first, nickname="gw-1")
    told = {"name": "reject", "settings": "verdict = reject", "canary": first.pk,
            "onward": [others.pk], "minutes": "30"}  # fmt: skip
    assert _send(alice, "/admin/fleet/rollout/add/", **told).status_code == 302
    rollout = Rollout.objects.get()
    page = f"/admin/fleet/rollout/{rollout.pk}/"
    assert "Nothing is changed yet" in _text(alice.get(f"{page}change/"))
    _send(alice, f"{page}start/")
    assert "its settings are not written yet" in _text(alice.get(f"{page}change/"))
    for deed, state in (("stop", "stopped"), ("resume", "canary"), ("undo", "undone")):
        _send(alice, f"{page}{deed}/")
        rollout.refresh_from_db()
        assert rollout.state == state
        if deed != "undo":
            shown = _text(alice.get("/admin/fleet-overview/"))
            assert "Rollouts on trial or stopped" in shown
            assert ("0 of 1 have taken it over" in shown) == (state == "canary")
            may_delete = alice.get(f"{page}delete/").status_code == 200
            assert may_delete == (state == "stopped")
    refused = alice.post(f"{page}start/", follow=True)
    assert "nothing is left to do so" in _text(refused)


def test_the_page_of_the_fleet_tells_health_versions_and_snapshots(alice: Client) -> None:
    now = datetime.now(tz=UTC)
    policy = make_policy(now=now, name="edge")
    number = publish(policy, now=now).number
    for version, snapshot in (("7.0", number), ("7.0", number), ("6.9", number - 1)):
        entry = written(make_entry(now=now, policy=policy), now=now)
        report(entry, now=now, version=version, snapshot_number=snapshot)
    silent = written(make_entry(now=now, nickname="gw-silent"), now=now)
    report(silent, now=now - timedelta(hours=2))
    shown = _text(alice.get("/admin/fleet-overview/"))
    assert "3 of 4 devices are healthy" in shown
    assert "gw-silent" in shown
    assert "75.0 %" in shown
    assert "newest" in shown


def test_the_fleet_is_given_as_a_file_and_that_is_recorded(alice: Client) -> None:
    now = datetime.now(tz=UTC)
    report(written(make_entry(now=now, nickname="gw-1"), now=now), now=now, errors=["=2+3"])
    text = b"".join(alice.get("/admin/fleet-overview/csv/")).decode()
    (row,) = csv.DictReader(text.splitlines())
    assert (row["nickname"], row["health"], row["errors"]) == ("gw-1", "troubled", "'=2+3")
    (told,) = json.loads(b"".join(alice.get("/admin/fleet-overview/json/")))
    assert (told["version"], told["errors"]) == ("7.0", "=2+3")
    assert Change.objects.filter(verb="export", subject="device entries").count() == 2
    assert alice.get("/admin/fleet-overview/xml/").status_code == 404


def test_an_empty_fleet_is_an_empty_list(alice: Client) -> None:
    assert json.loads(b"".join(alice.get("/admin/fleet-overview/json/"))) == []
    assert "No device entry yet" in _text(alice.get("/admin/fleet-overview/"))


def test_the_way_to_the_fleet_is_there_where_the_console_is_a_portal(
    alice: Client, settings: Settings
) -> None:
    assert 'href="/admin/fleet/rollout/"' in _text(alice.get("/admin/"))
    settings.TSCM_PORTAL = replace(settings.TSCM_PORTAL, primary=None)
    assert 'href="/admin/fleet/' not in _text(alice.get("/admin/"))
    page = _send(alice, f"{LIST}add/?kind=iptables", nickname="gw-1", kind="iptables")
    assert "no portal" in _text(page)


def test_who_may_look_sees_all_and_changes_nothing(victor: Client, charlie: Client) -> None:
    entry, group = make_entry(now=NOW), make_group("north", now=NOW)
    set_group_settings(group=group, settings={"log_size": "1M"}, actor="test", now=NOW)
    kept = GroupSettings.objects.get()
    for path in (
        "/admin/fleet-overview/", LIST, _change(entry), "/admin/fleet/rollout/",
        "/admin/fleet/publication/", f"/admin/fleet/groupsettings/{kept.pk}/change/",
    ):  # fmt: skip
        _text(victor.get(path))
        assert charlie.get(path).status_code == 403, path
    for path in (f"{LIST}{entry.pk}/rotate/", f"{LIST}{entry.pk}/revoke/", BULK, f"{LIST}add/"):
        assert victor.post(path, {"chosen": str(entry.pk)}).status_code == 403, path


def test_who_is_in_a_group_sees_only_its_entries() -> None:
    rita = User.objects.create_superuser("rita")
    User.objects.filter(pk=rita.pk).update(is_superuser=False)
    rita.user_permissions.set(Permission.objects.all())
    north, south = make_group("north", now=NOW), make_group("south", now=NOW)
    make_entry(now=NOW, group=north, nickname="gw-ours")
    theirs = make_entry(now=NOW, group=south, nickname="gw-theirs")
    change_people(group=north, add=[rita], actor="test", now=NOW)
    client = Client()
    client.force_login(User.objects.get(pk=rita.pk))
    for path in ("/admin/fleet-overview/", LIST):
        assert "gw-theirs" not in _text(client.get(path))
    assert b"gw-theirs" not in b"".join(client.get("/admin/fleet-overview/csv/"))
    seen = _send(client, BULK, chosen=str(theirs.pk), settings="verdict=reject")
    assert "0 change, 0 stay" in _text(seen)


def test_thousands_take_no_query_more(alice: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            _text(alice.get("/admin/fleet-overview/"))
        return len(asked)

    make_entry(now=NOW)
    few = queries()
    Entry.objects.bulk_create(
        Entry(nickname=f"n{n}", device_id=f"tdid_n{n}", kind="iptables", created_at=NOW)
        for n in range(2000)
    )
    entries = Entry.objects.exclude(nickname__startswith="gw")
    EntryStatus.objects.bulk_create(
        EntryStatus(entry=one, reported_at=NOW, received_at=NOW, version=f"7.{one.pk % 7}")
        for one in entries
    )
    assert queries() <= few + 1  # troubles are read where there are any


class TestWords(TestCase):
    @given(
        error=st.sampled_from(["", "no"]),
        linked_and_muted=st.tuples(st.booleans(), st.integers(0, 1)),
        minutes=st.integers(0, 40),
        errors=st.sampled_from([[], ["x"]]),
        behind=st.integers(0, 1),
        written_minutes=st.integers(0, 30),
        due=st.booleans(),
    )
    @example(
        error="", linked_and_muted=(False, 1), minutes=0, errors=[], behind=0, written_minutes=0,
        due=False,
    )  # fmt: skip
    def test_the_database_tells_the_same_health_as_the_rule(
        self,
        error: str,
        linked_and_muted: tuple[bool, int],
        minutes: int,
        errors: list[str],
        behind: int,
        written_minutes: int,
        due: bool,
    ) -> None:
        entry = make_entry(now=NOW)
        linked, entry.muted_generation = linked_and_muted
        entry.write_error, entry.serial, entry.due_at = error, 5, NOW if due else None
        entry.written_at = NOW - timedelta(minutes=written_minutes)
        entry.save()
        if linked:
            at = NOW - timedelta(minutes=minutes)
            report(entry, now=at, errors=errors, serial=5 - behind)
        fresh = Entry.objects.select_related("status").get(pk=entry.pk)
        (row,) = with_health(Entry.objects.filter(pk=entry.pk), now=NOW)
        assert row.health_word == health_of(fresh, now=NOW).state
        entries = Entry.objects.filter(pk=entry.pk)
        board = fleet_board(entries, Rollout.objects.none(), now=NOW)
        assert [tally.state for tally in board.tallies] == [row.health_word]


def test_the_policy_in_force_is_told_by_the_database_too() -> None:
    group, by_group = make_group("north", now=NOW), make_policy(now=NOW)
    own = make_policy(now=NOW)
    set_group_settings(group=group, settings={}, policy=by_group, actor="test", now=NOW)
    make_entry(now=NOW, group=group, nickname="inherits")
    make_entry(now=NOW, group=group, nickname="own", policy=own)
    make_entry(now=NOW, group=group, nickname="lists", settings={"block_list": "a.example.net"})
    make_entry(now=NOW, nickname="none")
    told = dict(following(Entry.objects.all()).values_list("nickname", "follows"))
    assert told == {"inherits": by_group.pk, "own": own.pk, "lists": None, "none": None}


def test_entries_are_filtered_by_health_version_group_and_policy(alice: Client) -> None:
    now = datetime.now(tz=UTC)
    group, policy = make_group("north", now=NOW), make_policy(now=NOW)
    report(written(make_entry(now=NOW, group=group, policy=policy), now=now), now=now)
    make_entry(now=NOW)
    for query in ("health=healthy", "version=7.0", f"group={group.pk}", f"policy={policy.pk}"):
        assert alice.get(f"{LIST}?{query}").context["cl"].result_count == 1, query
    assert reverse("console:fleet") == "/admin/fleet-overview/"
