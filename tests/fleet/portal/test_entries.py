"""Device entries: made, configured, moved, registered, removed, and recorded without secrets."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from devices.kinds.base import SettingRefused
from devices.models import DeviceGroup
from devices.services import GroupRefused, delete_group
from fleet.models import Entry, EntryKey, PortalState
from fleet.protocol.keys import read_key
from fleet.reports.linking import linking_of
from fleet.reports.place import portal_place
from fleet.services.entries import (
    Newcomer,
    Taken,
    add_entry,
    configure_entry,
    move_entry,
    register_entry,
    remove_entry,
)
from fleet.services.entry_keys import KeysRevoked, revoke_key, rotate_key, valid_keys
from fleet.services.steering import Change
from policies.models import Change as Recorded
from policies.services import InUse, Refused, delete_policy
from tests.factories import make_policy
from tests.fakes.portal_servers import TLS_NAME, PortalBind
from tests.fleet.portal.portals import ACTOR, add, fresh

pytestmark = pytest.mark.django_db
SECRET = "a random secret of one machine"


def test_an_entry_has_an_id_and_a_key_of_its_own_and_only_what_was_named(now: datetime) -> None:
    one, two = add("gw-1", now=now, log_size="200k"), add("gw-2", now=now)
    assert one.entry.device_id != two.entry.device_id
    assert one.entry.device_id.startswith("tdid_")
    assert read_key(one.key_text).secret != read_key(two.key_text).secret
    assert (one.entry.settings, two.entry.settings) == ({"log_size": 200_000}, {})
    assert fresh(one.entry).due_at == now


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"log_size": "a lot"}, "a size such as"),
        ({"colour": "red"}, "one of "),
        ({"node": "gw1"}, "the device itself"),
        ({"device_id": "tdid_00000001"}, "the device itself"),
    ],
)
def test_a_setting_is_held_to_the_rules_of_its_kind(
    given: dict[str, object], reason: str, now: datetime
) -> None:
    with pytest.raises(SettingRefused, match=reason):
        add_entry(newcomer=Newcomer("gw-1", "iptables", given), actor=ACTOR, now=now)
    assert not Entry.objects.exists()


def test_what_a_device_cannot_do_without_is_asked_for(now: datetime) -> None:
    newcomer = Newcomer("fmc-1", "firepower")
    with pytest.raises(SettingRefused, match="management_ip"):
        add_entry(newcomer=newcomer, actor=ACTOR, now=now)
    given = Newcomer("fmc-1", "firepower", {"management_ip": "192.0.2.1"})
    entry = add_entry(newcomer=given, actor=ACTOR, now=now).entry
    with pytest.raises(SettingRefused, match="management_ip"):
        configure_entry(entry=entry, change=Change({"management_ip": None}), actor=ACTOR, now=now)
    assert fresh(entry).settings == {"management_ip": "192.0.2.1"}


def test_a_name_is_given_once(now: datetime) -> None:
    add("gw-1", now=now)
    with pytest.raises(Refused, match="known are firepower, iptables"):
        add_entry(newcomer=Newcomer("gw-2", "vax"), actor=ACTOR, now=now)
    with pytest.raises(Taken, match="gw-1 exists"):
        add("gw-1", now=now)


def test_a_policy_and_list_names_exclude_each_other(now: datetime) -> None:
    policy = make_policy(now=now, name="edge")
    with pytest.raises(Refused, match="exclude each other"):
        add("gw-1", now=now, policy=policy, block_list="basic.example")
    entry = add("gw-1", now=now, block_list="basic.example").entry
    with pytest.raises(Refused, match="release block_list"):
        configure_entry(entry=entry, change=Change(policy=policy), actor=ACTOR, now=now)
    change = Change({"block_list": None}, policy=policy)
    configure_entry(entry=entry, change=change, actor=ACTOR, now=now)
    assert (fresh(entry).policy, fresh(entry).settings) == (policy, {})


def test_a_devices_own_policy_cannot_be_followed(now: datetime) -> None:
    own = make_policy(now=now, name="fmc-1", is_private=True)
    with pytest.raises(Refused, match="made from the lists of the device fmc-1"):
        add("gw-1", now=now, policy=own)


def test_a_policy_that_entries_follow_cannot_be_deleted(now: datetime) -> None:
    policy = make_policy(now=now, name="edge")
    add("gw-1", now=now, policy=policy)
    with pytest.raises(InUse, match="followed by gw-1"):
        delete_policy(policy=policy, actor=ACTOR, now=now)


def test_a_group_with_entries_cannot_be_deleted(now: datetime) -> None:
    group = DeviceGroup.objects.create(name="Oslo")
    add("gw-1", now=now, group=group)
    with pytest.raises(GroupRefused, match="put them elsewhere first"):
        delete_group(group=group, actor=ACTOR, now=now)


def test_secrets_are_kept_apart_and_never_told(now: datetime) -> None:
    entry = add("gw-1", now=now, upload_proxy_password="open sesame").entry
    assert "open sesame" not in str(entry.settings)
    later = now + timedelta(minutes=1)
    change = Change({"upload_proxy_password": "another", "log_size": "300k"})
    configure_entry(entry=entry, change=change, actor=ACTOR, now=later)
    assert '"another"' in fresh(entry).secrets
    for row in Recorded.objects.all():
        assert "sesame" not in str(row.detail)
        assert "another" not in str(row.detail)
    assert fresh(entry).due_at == later


def test_what_is_released_is_inherited_again(now: datetime) -> None:
    entry = add("gw-1", now=now, log_size="200k", upload_proxy_password="x").entry
    change = Change({"log_size": None, "upload_proxy_password": None})
    configure_entry(entry=entry, change=change, actor=ACTOR, now=now)
    assert (fresh(entry).settings, fresh(entry).secrets) == ({}, "")


def test_nothing_is_recorded_where_nothing_changes(now: datetime) -> None:
    entry = add("gw-1", now=now, log_size="200k").entry
    before = Recorded.objects.count()
    configure_entry(entry=entry, change=Change({"log_size": "200k"}), actor=ACTOR, now=now)
    move_entry(entry=entry, group=None, actor=ACTOR, now=now)
    assert Recorded.objects.count() == before


def test_what_is_noted_of_an_entry_can_be_changed_and_its_name_too(now: datetime) -> None:
    entry = add("gw-1", now=now).entry
    add("gw-2", now=now)
    about = {"nickname": "gw-oslo", "note": "in the cellar", "model": "X1"}
    configure_entry(entry=entry, change=Change(), about=about, actor=ACTOR, now=now)
    assert (fresh(entry).nickname, fresh(entry).note) == ("gw-oslo", "in the cellar")
    with pytest.raises(Taken):
        configure_entry(
            entry=entry, change=Change(), about={"nickname": "gw-2"}, actor=ACTOR, now=now
        )
    with pytest.raises(Refused, match="cannot be set"):
        configure_entry(
            entry=entry, change=Change(), about={"kind": "firepower"}, actor=ACTOR, now=now
        )
    with pytest.raises(Refused, match="up to 2000"):
        configure_entry(
            entry=entry, change=Change(), about={"note": "x" * 2001}, actor=ACTOR, now=now
        )


def test_moving_and_removing_are_recorded_and_leave_something_due(now: datetime) -> None:
    group = DeviceGroup.objects.create(name="Oslo")
    entry = add("gw-1", now=now).entry
    Entry.objects.update(due_at=None)
    move_entry(entry=entry, group=group, actor=ACTOR, now=now)
    assert fresh(entry).due_at == now
    before = PortalState.objects.get().changes
    remove_entry(entry=entry, actor=ACTOR, now=now)
    assert not Entry.objects.exists()
    assert not EntryKey.objects.exists()
    assert PortalState.objects.get().changes == before + 1
    verbs = list(Recorded.objects.order_by("id").values_list("verb", "subject"))
    assert verbs == [(verb, "entry gw-1") for verb in ("add", "group", "remove")]


def test_a_machine_that_registers_twice_has_one_entry_and_one_key(now: datetime) -> None:
    newcomer = Newcomer("azure_ip_123456789012", "iptables", manufacturer="Microsoft")
    first, again = (
        register_entry(newcomer=newcomer, registration=SECRET, actor=ACTOR, now=now)
        for _ in range(2)
    )
    assert (first.is_new, again.is_new) == (True, False)
    assert (first.entry.pk, first.key_text) == (again.entry.pk, again.key_text)
    assert SECRET not in str(Entry.objects.values())


@pytest.mark.parametrize("other", ["another secret of a machine", SECRET.upper()])
def test_another_machine_cannot_register_under_a_name_that_is_taken(
    other: str, now: datetime
) -> None:
    newcomer = Newcomer("azure_ip_123456789012", "iptables")
    register_entry(newcomer=newcomer, registration=SECRET, actor=ACTOR, now=now)
    with pytest.raises(Taken):
        register_entry(newcomer=newcomer, registration=other, actor=ACTOR, now=now)


def test_nobody_registers_as_an_entry_that_a_person_made(now: datetime) -> None:
    add("gw-1", now=now)
    with pytest.raises(Taken):
        register_entry(
            newcomer=Newcomer("gw-1", "iptables"), registration=SECRET, actor=ACTOR, now=now
        )


def test_a_registration_that_can_be_guessed_is_refused(now: datetime) -> None:
    with pytest.raises(Refused, match="random characters"):
        register_entry(
            newcomer=Newcomer("gw-1", "iptables"), registration="1", actor=ACTOR, now=now
        )


def test_a_machine_whose_key_was_revoked_gets_another_one_from_a_person_alone(
    now: datetime,
) -> None:
    newcomer = Newcomer("gw-1", "iptables")
    first = register_entry(newcomer=newcomer, registration=SECRET, actor=ACTOR, now=now)
    revoke_key(entry=first.entry, generation=1, actor=ACTOR, now=now)
    later = now + timedelta(hours=1)
    with pytest.raises(KeysRevoked, match="no device key of gw-1 is good any more"):
        register_entry(newcomer=newcomer, registration=SECRET, actor=ACTOR, now=later)
    assert not valid_keys(now=later).exists()
    rotate_key(entry=first.entry, hours=0, actor="admin", now=later)
    again = register_entry(newcomer=newcomer, registration=SECRET, actor=ACTOR, now=later)
    assert read_key(again.key_text).generation == 2


def test_the_command_that_links_names_what_differs_from_the_usual(
    server: PortalBind, now: datetime
) -> None:
    made, place = add("gw-1", now=now), portal_place()
    assert place is not None
    told = f"--auto_key={made.key_text} --portal={place}"
    assert linking_of(made.entry, made.key_text, place).command.endswith(
        f"{told} --portal-name={TLS_NAME}"
    )
    usual = replace(place, tls_name="")
    assert linking_of(made.entry, made.key_text, usual).command.endswith(told)
    other = replace(usual, domain="else.example")
    command = linking_of(made.entry, made.key_text, other).command
    assert command.endswith(f"{told} --domain=else.example")


def test_two_keys_are_good_until_the_old_one_is_retired(now: datetime) -> None:
    entry = add("gw-1", now=now).entry
    made = rotate_key(entry=entry, hours=24, actor=ACTOR, now=now)
    assert read_key(made.text).generation == 2
    good = [key.generation for key in valid_keys(now=now)]
    later = [key.generation for key in valid_keys(now=now + timedelta(hours=24))]
    assert (good, later) == ([1, 2], [2])
    assert made.text not in str(EntryKey.objects.values())


@pytest.mark.parametrize("hours", [-1, 8761])
def test_a_key_is_not_good_for_ever(hours: int, now: datetime) -> None:
    entry = add("gw-1", now=now).entry
    with pytest.raises(Refused, match="from 0 to 8760"):
        rotate_key(entry=entry, hours=hours, actor=ACTOR, now=now)


def test_a_key_that_cannot_be_read_is_replaced_for_who_registers(
    now: datetime, settings: Settings
) -> None:
    newcomer = Newcomer("gw-1", "iptables")
    register_entry(newcomer=newcomer, registration=SECRET, actor=ACTOR, now=now)
    settings.TSCM_FIELD_KEYS = [Fernet.generate_key().decode()]
    again = register_entry(newcomer=newcomer, registration=SECRET, actor=ACTOR, now=now)
    assert read_key(again.key_text).generation == 2


def test_a_third_key_waits_until_the_second_is_the_only_one(now: datetime) -> None:
    entry = add("gw-1", now=now).entry
    rotate_key(entry=entry, hours=24, actor=ACTOR, now=now)
    with pytest.raises(Refused, match="under way"):
        rotate_key(entry=entry, hours=24, actor=ACTOR, now=now)
    revoke_key(entry=entry, generation=1, actor=ACTOR, now=now)
    made = rotate_key(entry=entry, hours=0, actor=ACTOR, now=now)
    assert [key.generation for key in valid_keys(now=now)] == [3]
    assert read_key(made.text).generation == 3
    with pytest.raises(Refused, match="has no key 1 that is good"):
        revoke_key(entry=entry, generation=1, actor=ACTOR, now=now)
