from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from django.utils import timezone
from pytest_django import Settings

from devices.models import Device
from devices.services import PullRecord, record_pulls
from tests.factories import make_device, make_policy, publish
from tests.tsadmin.conftest import FEEDS, Tsadmin

pytestmark = pytest.mark.django_db


def test_list_prints_the_documented_columns_and_row(tsadmin: Tsadmin, now: datetime) -> None:
    make_device(
        policy=make_policy(now=now),
        now=now,
        nickname="tstest",
        device_id="tdid_abcd1234",
        management_ip="172.16.50.3",
    )
    heading, row = tsadmin("list").stdout.splitlines()
    columns = [heading.index(word) for word in ("Type", "Device ID", "Management", "Log upload ID")]
    assert " ".join(heading.split()) == (
        "Device name Type Device ID Management IP Log upload ID Log (size) "
        "Log uploads (enabled/disabled)"
    )
    assert row.split() == [
        "tstest",
        "firepower",
        "tdid_abcd1234",
        "172.16.50.3",
        "tdid_abcd1234",
        "100k",
        "enabled",
    ]
    assert all(row[column - 2 : column] == "  " for column in columns)


def test_list_never_cuts_a_long_value_that_is_piped(tsadmin: Tsadmin, now: datetime) -> None:
    name, device_id = "n" * 64, "d" * 64
    address = "2001:db8:1111:2222:3333:4444:5555:6666"
    policy = make_policy(now=now)
    make_device(policy=policy, now=now, nickname=name, device_id=device_id, management_ip=address)
    assert tsadmin("list").stdout.splitlines()[1].split()[:5] == [
        name,
        "firepower",
        device_id,
        address,
        device_id,
    ]


def test_list_of_nothing_says_what_to_do(tsadmin: Tsadmin) -> None:
    answer = tsadmin("list")
    assert (answer.code, answer.stdout) == (0, "")
    assert "tsadmin demo" in answer.stderr


def test_show_tells_policy_state_snapshot_pull_and_urls(tsadmin: Tsadmin, now: datetime) -> None:
    policy = make_policy(now=now, name="edge", block=["1.2.3.4", "5.6.0.0/16"], allow=["5.6.7.8"])
    device = make_device(policy=policy, now=now, nickname="fmc", device_id="tdid_1")
    snapshot = publish(policy, now=timezone.now())
    record_pulls(records=[_pull(device, snapshot.number)])
    shown = dict(_facts(tsadmin("show", "fmc").stdout))
    assert shown["Policy"] == "edge (shared)"
    assert shown["State"] == "protected. Serves snapshot 1."
    assert shown["Snapshot"].startswith("1 of ")
    assert shown["Snapshot"].endswith(f"block {snapshot.block_prefixes} entries, allow 1 entry")
    assert shown["Last pull"].endswith(" UTC, snapshot 1")
    assert shown["Block List URL"] == f"{FEEDS}tdid_1/threatstop-block.txt"
    assert shown["Allow List URL"] == f"{FEEDS}tdid_1/threatstop-allow.txt"
    assert shown["DNS servers"].endswith("(the site's own)")


def test_show_as_json_holds_the_same(tsadmin: Tsadmin, now: datetime) -> None:
    policy = make_policy(now=now, name="edge", block=["1.2.3.4"])
    make_device(policy=policy, now=now, nickname="fmc", device_id="tdid_1")
    publish(policy, now=timezone.now())
    found = tsadmin("show", "fmc", "--json").json
    assert (found["policy"], found["policy_state"]) == ("edge", "current")
    assert (found["state"], found["last_pull_at"]) == ("never-pulled", None)
    assert found["snapshot"]["number"] == 1
    assert found["snapshot"]["block_entries"] == 1
    assert found["urls"]["block"] == f"{FEEDS}tdid_1/threatstop-block.txt"
    assert datetime.fromisoformat(found["snapshot"]["published_at"]).utcoffset() == timedelta(0)


def test_a_note_cannot_command_the_terminal(tsadmin: Tsadmin, now: datetime) -> None:
    make_device(policy=make_policy(now=now), now=now, nickname="fmc")
    Device.objects.update(note="one\ntwo \x1b[31mred\x07")
    assert dict(_facts(tsadmin("show", "fmc").stdout))["Note"] == "one two \\x1b[31mred\\x07"


def test_a_secret_whose_key_is_lost_does_not_hide_the_rest(
    tsadmin: Tsadmin, now: datetime, settings: Settings
) -> None:
    policy = make_policy(now=now)
    make_device(policy=policy, now=now, nickname="fmc", upload_proxy_password="correct horse")
    settings.TSCM_FIELD_KEYS = (Fernet.generate_key().decode(),)
    assert tsadmin("list").code == 0
    shown = dict(_facts(tsadmin("show", "fmc").stdout))
    assert shown["Proxy password"] == "set, and unreadable with the keys at hand"
    assert shown["Device name"] == "fmc"
    assert tsadmin("show", "fmc", "--json").json["settings"]["upload_proxy_password"] is True


def test_version_prints_the_version_and_with_all_what_it_stands_on(
    tsadmin: Tsadmin, settings: Settings
) -> None:
    version = str(settings.TSCM_VERSION)
    assert tsadmin("version").stdout == f"tscm : {version}\n"
    assert tsadmin("--version").stdout == f"tscm : {version}\n"
    names = dict(_facts(tsadmin("version", "--all").stdout))
    assert {"tscm", "Python", "Django", "celery", "numpy", "dnspython", "SQLite"} <= set(names)
    assert "not installed" not in names.values()
    assert tsadmin("version", "--all", "--json").json["version"] == version


def _facts(text: str) -> list[tuple[str, str]]:
    pairs = [line.partition(" : ") for line in text.splitlines()]
    return [(label.strip(), value) for label, _, value in pairs]


def _pull(device: Device, number: int) -> PullRecord:
    return PullRecord(
        device_pk=device.pk,
        at=timezone.now(),
        client="192.0.2.250",
        agent="",
        file="threatstop-block.txt",
        method="GET",
        status=200,
        snapshot_number=number,
        sent=1,
        is_complete=True,
    )
