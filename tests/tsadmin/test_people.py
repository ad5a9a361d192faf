"""People, groups of devices and the record at the command line."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection

from accounts.people import is_owner
from devices.reports.visible import device_ids
from policies.models import Change
from tests.factories import make_device, make_policy
from tests.record import unlocked
from tests.tsadmin.conftest import Appliance, Tsadmin

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return User.objects.create_superuser("alice")


def test_a_person_is_added_with_a_role_and_a_password_that_signs_in(tsadmin: Tsadmin) -> None:
    answer = tsadmin("people", "add", "dana", "--role", "report viewer")
    dana = User.objects.get(username="dana")
    assert dana.check_password(answer.stdout.strip())
    assert [group.name for group in dana.groups.all()] == ["report viewer"]
    assert answer.stdout.strip() not in str(list(Change.objects.values()))


def test_a_password_comes_from_a_file(tsadmin: Tsadmin, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("correct horse battery\n")
    made = tsadmin(
        "people", "add", "dana", "--role", "auditor", "--json",
        "--password-file", str(tmp_path / "secret"),
    ).json  # fmt: skip
    assert "password" not in made
    assert User.objects.get(username="dana").check_password("correct horse battery")
    (tmp_path / "short").write_text("123\n")
    weak = tsadmin(
        "people", "add", "eve", "--role", "auditor", "--password-file", str(tmp_path / "short")
    )
    assert "password" in weak.error


def test_roles_are_given_and_sign_ins_switched_off_and_on(tsadmin: Tsadmin, alice: User) -> None:
    tsadmin("people", "add", "dana", "--role", "auditor")
    assert "is owner" in tsadmin("people", "role", "dana", "owner").stdout
    dana = User.objects.get(username="dana")
    assert is_owner(dana)
    assert tsadmin("people", "disable", "dana", "--json").json["is_active"] is False
    assert tsadmin("people", "enable", "dana", "--json").json["roles"] == ["owner"]
    verbs = Change.objects.filter(subject="user dana").order_by("id")
    assert [one.verb for one in verbs] == ["add", "set role", "switch off", "switch on"]
    assert {(one.channel, one.actor[:8]) for one in verbs} == {("tsadmin", "tsadmin:")}


def test_the_last_owner_is_neither_switched_off_nor_demoted(tsadmin: Tsadmin) -> None:
    tsadmin("people", "add", "dana", "--role", "owner")
    assert "somebody must stay" in tsadmin("people", "disable", "dana").error
    assert "somebody must stay" in tsadmin("people", "role", "dana", "operator").error
    assert is_owner(User.objects.get(username="dana"))


def test_what_is_no_role_or_nobody_is_named(tsadmin: Tsadmin, alice: User) -> None:
    assert "report manager" in tsadmin("people", "role", "alice", "king").error
    assert "there are: alice" in tsadmin("people", "role", "bob", "auditor").error


def test_devices_and_people_go_into_a_group_and_out_again(
    tsadmin: Tsadmin, alice: User, now: datetime
) -> None:
    policy = make_policy(now=now)
    first = make_device(policy=policy, now=now, nickname="fmc-1")
    make_device(policy=policy, now=now, nickname="fmc-2")
    dana = User.objects.create_user("dana")
    assert "Made" in tsadmin("group", "create", "north", "--note", "the first site").stdout
    told = tsadmin("group", "add", "north", "--device", "fmc-1", "--user", "dana", "--json").json
    assert told == {
        "group": "north", "devices": ["fmc-1"], "people": ["dana"], "note": "the first site",
    }  # fmt: skip
    assert device_ids(User.objects.get(pk=dana.pk)) == frozenset({first.pk})
    assert "people list" not in tsadmin("people", "list").stdout
    assert "north" in tsadmin("people", "list").stdout
    assert "devices: 2" in tsadmin("group", "add", "north", "--device", "fmc-2").stdout
    assert "put them elsewhere" in tsadmin("group", "delete", "north").error
    tsadmin("group", "remove", "north", "--device", "fmc-1", "--device", "fmc-2", "--user", "dana")
    assert tsadmin("group", "delete", "north", "--json").json == {"deleted": "north"}
    assert device_ids(User.objects.get(pk=dana.pk)) is None
    assert "No groups yet" in tsadmin("group", "list").stderr


def test_the_record_is_printed_filtered_and_given_away(
    tsadmin: Tsadmin, alice: User, now: datetime
) -> None:
    make_device(policy=make_policy(now=now), now=now, nickname="fmc-1")
    tsadmin("group", "create", "north")
    shown = tsadmin("audit", "--subject", "fmc-1", "--actor", "test").stdout
    assert "device fmc-1" in shown
    assert "north" not in shown
    lines = [json.loads(line) for line in tsadmin("audit", "--json").stdout.splitlines()]
    assert [line["verb"] for line in lines] == ["add", "add", "export"]
    assert tsadmin("audit", "--csv", "--since", "1h").stdout.startswith("id,at,actor,")
    assert "Nothing such" in tsadmin("audit", "--until", "2020-01-01").stderr
    assert "no moment" in tsadmin("audit", "--since", "yesterday").error


def test_the_record_is_verified_and_its_first_broken_row_named(
    tsadmin: Tsadmin, now: datetime
) -> None:
    for name in ("north", "south", "west"):
        tsadmin("group", "create", name)
    whole = tsadmin("audit", "--verify")
    assert "3 changes hang together" in whole.stdout
    found = tsadmin("audit", "--verify", "--json").json
    assert (found["is_whole"], found["rows"], found["broken"]) == (True, 3, None)
    assert tsadmin("audit", "--verify", "--holds", found["last_digest"]).code == 0
    assert "cut off" in tsadmin("audit", "--verify", "--holds", "ab" * 32).error
    row = Change.objects.order_by("id")[1]
    with unlocked(), connection.cursor() as cursor:
        cursor.execute("UPDATE policies_change SET actor = 'x' WHERE id = %s", [row.pk])
    assert f"change {row.pk} was altered" in tsadmin("audit", "--verify").error
    broken = tsadmin("audit", "--verify", "--json")
    assert (broken.code, broken.json["broken"]) == (1, row.pk)


def test_a_command_over_ssh_tells_the_address_of_its_client(appliance: Appliance) -> None:
    ssh = {"SSH_CONNECTION": "198.51.100.9 50022 192.0.2.1 22"}
    appliance.run("group", "create", "north", env=ssh)
    appliance.run("group", "create", "south", env={**ssh, "SUDO_USER": "dana"})
    rows = [json.loads(line) for line in appliance.run("audit", "--json").stdout.splitlines()]
    assert {row["origin"] for row in rows[:2]} == {"198.51.100.9"}
    assert [row["channel"] for row in rows[:2]] == ["tsadmin", "tsadmin, sudo by dana"]
