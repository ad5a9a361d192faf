"""The fleet from the command line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_django import Settings

from fleet.models import Entry, GroupSettings, Rollout
from fleet.services.entry_keys import ROTATION_HOURS
from fleet.services.publications import keep_publications
from fleet.zones import FORMS
from policies.models import Change
from tests.factories import make_policy
from tests.fleet.edges.portal import be_portal
from tests.fleet.edges.rows import make_entry, make_group, report, written
from tests.tsadmin.conftest import Tsadmin
from tsadmin import fleet as flags

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def portal(settings: Settings, tmp_path: Path) -> None:
    be_portal(settings, tmp_path)


def test_what_the_flags_say_is_what_holds() -> None:
    assert (ROTATION_HOURS, tuple(FORMS)) == (flags.ROTATION_HOURS, flags.FORMS)


def test_an_entry_is_added_with_the_command_that_links_it(tsadmin: Tsadmin) -> None:
    make_group("north", now=NOW)
    said = tsadmin(
        "fleet", "add", "gw-1", "--type", "iptables", "--set", "verdict=reject",
        "--group", "north", "--note", "roof",
    )  # fmt: skip
    entry = Entry.objects.select_related("group").get()
    assert f"--device_id={entry.device_id} --auto_key=tscmdk1_" in said.stdout
    assert "--portal=portal.example.net" in said.stdout
    assert (entry.settings, entry.note) == ({"verdict": "reject"}, "roof")
    assert entry.group is not None
    assert entry.group.name == "north"


def test_a_console_that_is_no_portal_adds_none(tsadmin: Tsadmin, settings: Settings) -> None:
    settings.TSCM_PORTAL = replace(settings.TSCM_PORTAL, primary=None)
    assert "no portal" in tsadmin("fleet", "add", "gw-1", "--type", "iptables").error


def test_a_list_tells_how_each_does_and_a_filter_finds_them(tsadmin: Tsadmin) -> None:
    now = datetime.now(tz=UTC)
    report(written(make_entry(now=now, nickname="well"), now=now), now=now)
    make_entry(now=now, nickname="new")
    told = tsadmin("fleet", "list", "--json").json["entries"]
    assert {one["nickname"]: one["health"]["state"] for one in told} == {
        "well": "healthy", "new": "never-linked",
    }  # fmt: skip
    assert "new" not in tsadmin("fleet", "list", "--health", "healthy").stdout
    assert tsadmin("fleet", "list", "--csv").stdout.startswith("Name,Type,Device ID")
    assert "known are" in tsadmin("fleet", "list", "--health", "fine").error


def test_what_is_in_force_is_shown_with_who_says_so(tsadmin: Tsadmin) -> None:
    group = make_group("north", now=NOW)
    tsadmin("fleet", "inherited", "north", "--set", "log_size=1M")
    make_entry(now=NOW, nickname="gw-1", group=group)
    shown = tsadmin("fleet", "show", "gw-1").stdout
    assert "never linked" in shown
    (line,) = (one for one in shown.splitlines() if one.startswith("log_size"))
    assert line.split() == ["log_size", "1000000", "group", "north"]
    told = tsadmin("fleet", "show", "gw-1", "--json").json
    assert told["effective"]["policy_origin"] == "default"


def test_a_setting_is_changed_and_inherited_again(tsadmin: Tsadmin) -> None:
    make_policy(now=NOW, name="edge")
    make_entry(now=NOW, nickname="gw-1")
    tsadmin("fleet", "configure", "gw-1", "--set", "verdict=reject", "--policy", "edge")
    entry = Entry.objects.get()
    assert entry.settings == {"verdict": "reject"}
    assert entry.policy is not None
    tsadmin("fleet", "configure", "gw-1", "--inherit", "verdict", "--policy", "")
    entry = Entry.objects.get()
    assert (entry.settings, entry.policy) == ({}, None)
    assert "nothing to change" in tsadmin("fleet", "configure", "gw-1").error
    assert "is not accepted" in tsadmin("fleet", "configure", "gw-1", "--set", "verdict=x").error
    assert "there are: gw-1" in tsadmin("fleet", "configure", "gw-9", "--note", "x").error


def test_keys_are_rotated_and_revoked(tsadmin: Tsadmin) -> None:
    make_entry(now=NOW, nickname="gw-1")
    assert "--auto_key=tscmdk2_" in tsadmin("fleet", "rotate-key", "gw-1").stdout
    tsadmin("fleet", "revoke-key", "gw-1", "--generation", "1")
    assert "no key 1 that is good" in (
        tsadmin("fleet", "revoke-key", "gw-1", "--generation", "1").error
    )


def test_a_key_never_comes_into_the_record(tsadmin: Tsadmin) -> None:
    tsadmin("fleet", "add", "gw-1", "--type", "iptables")
    tsadmin("fleet", "rotate-key", "gw-1")
    assert "tscmdk" not in str(list(Change.objects.values_list("detail", flat=True)))


def test_what_the_primary_lost_is_written_anew(tsadmin: Tsadmin) -> None:
    for name in ("a", "b"):
        make_entry(now=NOW, nickname=name)
    Entry.objects.update(due_at=None, content_digest="held")
    tsadmin("fleet", "republish", "a")
    due = Entry.objects.exclude(due_at=None).filter(content_digest="")
    assert [entry.nickname for entry in due] == ["a"]
    tsadmin("fleet", "republish")
    assert Entry.objects.exclude(due_at=None).filter(content_digest="").count() == 2


def test_an_entry_is_removed_once_somebody_says_yes(tsadmin: Tsadmin) -> None:
    make_entry(now=NOW, nickname="gw-1")
    assert "--yes" in tsadmin("fleet", "remove", "gw-1").error
    tsadmin("fleet", "remove", "gw-1", "--yes")
    assert not Entry.objects.exists()


def test_a_bulk_change_is_shown_before_it_is_done(tsadmin: Tsadmin) -> None:
    for name in ("a", "b"):
        make_entry(now=NOW, nickname=name)
    change = ("fleet", "bulk", "--all", "--set", "verdict=reject")
    shown = tsadmin(*change, "--dry-run").stdout
    assert "2 change, 0 stay, 0 refuse." in shown
    assert not Entry.objects.exclude(settings={}).exists()
    assert "--yes" in tsadmin(*change).error
    assert tsadmin(*change, "--yes", "--json").json["applied"]
    assert Entry.objects.filter(settings__verdict="reject").count() == 2
    assert "0 change, 2 stay" in tsadmin(*change, "--yes").stdout


def test_a_bulk_change_that_one_refuses_answers_1(tsadmin: Tsadmin) -> None:
    make_entry(now=NOW, nickname="a")
    make_entry(now=NOW, nickname="f", kind="firepower", settings={"management_ip": "192.0.2.9"})
    answer = tsadmin("fleet", "bulk", "--all", "--set", "verdict=reject", "--yes")
    assert "1 entry does not take it" in answer.error
    assert "say which" in tsadmin("fleet", "bulk", "--set", "verdict=reject").error


def test_a_policy_is_published_and_its_zones_are_shown(tsadmin: Tsadmin) -> None:
    make_policy(now=NOW, name="edge")
    assert "in what --forms" in tsadmin("fleet", "publish", "edge", "--by-address", "no").error
    said = tsadmin("fleet", "publish", "edge", "--forms", "apl,rpz", "--network", "198.51.100.0/24")
    assert "published as apl, rpz" in said.stdout
    keep_publications(domain="tscm.internal")
    zones = tsadmin("fleet", "publish", "edge", "--json").json["zones"]
    assert {zone["form"] for zone in zones} == {"apl", "rpz"}
    tsadmin("fleet", "publish", "edge", "--stop")
    assert "is not published" in tsadmin("fleet", "publish", "edge").stderr


def test_a_rollout_from_the_command_line(tsadmin: Tsadmin) -> None:
    first = make_group("first", now=NOW)
    make_group("others", now=NOW)
    make_entry(now=NOW, group=first, nickname="gw-1")
    laid = tsadmin(
        "fleet", "rollout", "add", "reject", "--first", "first", "--onward", "others",
        "--set", "verdict=reject", "--minutes", "30",
    )  # fmt: skip
    assert "not begun" in laid.stdout
    assert "on trial" in tsadmin("fleet", "rollout", "start", "reject").stdout
    assert GroupSettings.objects.get().settings == {"verdict": "reject"}
    shown = tsadmin("fleet", "rollout", "show", "reject")
    assert "not written yet" in shown.stdout
    assert "reject" in tsadmin("fleet", "rollout", "list").stdout
    assert "stop it first" in tsadmin("fleet", "rollout", "remove", "reject", "--yes").error
    assert "stopped" in tsadmin("fleet", "rollout", "stop", "reject").stdout
    assert "on trial" in tsadmin("fleet", "rollout", "resume", "reject").stdout
    assert tsadmin("fleet", "rollout", "undo", "reject", "--json").json["state"] == "undone"
    tsadmin("fleet", "rollout", "remove", "reject", "--yes")
    assert not Rollout.objects.exists()
