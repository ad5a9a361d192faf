"""Is every device protected? Told to people, to programs, and by the exit code."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from devices.models import Device
from policies.models import Alarm, Policy
from tests.factories import make_device, make_policy, publish
from tests.tsadmin.conftest import Tsadmin
from tsadmin.docs import help_texts

pytestmark = pytest.mark.django_db


@pytest.fixture
def policy(now: datetime) -> Policy:
    policy = make_policy(now=now, name="edge")
    publish(policy, now=now)
    return policy


def pulled(nickname: str, policy: Policy, *, ago: timedelta = timedelta(0)) -> Device:
    """Make a device that pulled so long ago; its list is fresh."""
    now = timezone.now()
    policy.sources.update(retrieved_at=now)
    device = make_device(policy=policy, now=now, nickname=nickname)
    Device.objects.filter(pk=device.pk).update(last_pull_at=now - ago, last_pull_number=1)
    return device


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_site_without_devices_protects_nothing(tsadmin: Tsadmin) -> None:
    answer = tsadmin("status")
    assert answer.code == 1
    assert answer.stdout.startswith("No firewall of yours is served yet.")


def test_all_protected_is_0_and_one_that_is_not_is_1(tsadmin: Tsadmin, policy: Policy) -> None:
    pulled("fmc-1", policy)
    assert tsadmin("status").code == 0
    pulled("fmc-2", policy, ago=timedelta(days=1))
    answer = tsadmin("status")
    assert answer.code == 1
    assert answer.stdout.startswith("1 of 2 devices not protected.")
    assert "fmc-2" in answer.stdout
    assert "fmc-1" not in answer.stdout


def test_programs_get_every_device(tsadmin: Tsadmin, policy: Policy, now: datetime) -> None:
    pulled("fmc-1", policy)
    pulled("fmc-2", policy, ago=timedelta(days=1))
    Alarm.objects.create(kind="held", subject="policy edge", message="held", opened_at=now)
    told = tsadmin("status", "--json").json
    assert told["is_every_device_protected"] is False
    assert {one["name"]: one["state"] for one in told["devices"]} == {
        "fmc-1": "protected", "fmc-2": "silent",
    }  # fmt: skip
    assert told["alarms"] == {"warning": 0, "critical": 1}
    assert told["policies"]["current"] == 1
    rows = table(tsadmin("status", "--csv").stdout)
    assert {row["Device"]: row["Protected"] for row in rows} == {"fmc-1": "yes", "fmc-2": "no"}


def test_why_is_told_as_csv_entry_by_entry(tsadmin: Tsadmin, policy: Policy) -> None:
    pulled("fmc-1", policy)
    rows = table(tsadmin("why", "5.6.1.2", "--csv").stdout)
    assert [(row["About"], row["Name"], row["Answer"]) for row in rows] == [
        ("policy", "edge", "blocked"), ("device", "fmc-1", "blocked"),
    ]  # fmt: skip
    assert (rows[0]["Entry"], rows[0]["Line"]) == ("5.6.0.0/16", "2")


LISTS = (
    ("list",), ("policy", "list"), ("source", "list"), ("source", "presets"), ("protect", "list"),
    ("senders",), ("token", "list"), ("snapshots", "edge"), ("people", "list"), ("group", "list"),
    ("sessions", "list"), ("alarms",), ("alarms", "targets", "list"), ("audit",),
    ("records", "list"), ("fleet", "list"), ("fleet", "rollout", "list"),
)  # fmt: skip


@pytest.mark.parametrize("command", LISTS, ids=" ".join)
@pytest.mark.usefixtures("policy")
def test_every_list_is_told_as_csv_and_never_in_two_forms(
    tsadmin: Tsadmin, command: tuple[str, ...]
) -> None:
    answer = tsadmin(*command, "--csv")
    assert answer.code == 0, answer.stderr
    rows = list(csv.reader(io.StringIO(answer.stdout)))
    assert len({len(row) for row in rows}) <= 1
    both = tsadmin(*command, "--csv", "--json")
    assert both.code == 2
    assert "give one of them" in both.stderr


def test_every_command_that_lists_takes_csv() -> None:
    """Holds `LISTS` to the commands there are: whatever lists by its help."""
    texts = help_texts()
    listing = {name for name, text in texts.items() if text.partition("\n\n")[2][:7] == "  List "}
    assert listing <= {name for name, text in texts.items() if "--csv" in text}
    known = {" ".join(command).removesuffix(" edge") for command in LISTS}
    assert listing <= known
