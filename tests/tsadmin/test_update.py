from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from devices.models import Device
from policies.models import Change, Policy, Snapshot, Source
from tests.factories import make_device, make_policy, publish
from tests.fakes.nameserver import Nameserver
from tests.policies.sources.lists import Zone
from tests.tsadmin.conftest import Tsadmin
from tsadmin.commands import updating

pytestmark = pytest.mark.django_db

BLOCK, ALLOW = "block.example", "allow.example"


@pytest.fixture
def records() -> dict[str, list[str]]:
    """What the nameserver holds; a test changes it between two updates."""
    return {BLOCK: ["A 1.2.3.4", "A 1.2.3.5", "A 5.6.7.8"], ALLOW: ["A 5.6.7.8"]}


@pytest.fixture
def nameserver(records: dict[str, list[str]]) -> Iterator[Nameserver]:
    """A nameserver of this test's own."""
    with Nameserver(Zone(records)) as server:
        yield server


@pytest.fixture
def device(tsadmin: Tsadmin, nameserver: Nameserver) -> str:
    """A device whose lists the nameserver holds."""
    server = ("--dns_server", nameserver.host, "--dns_port", str(nameserver.port))
    lists = ("--block_list", BLOCK, "--allow_list", ALLOW)
    required = ("--device_id", "tdid_1", "--management_ip", "192.0.2.1")
    assert tsadmin("add", "fmc", "--type", "firepower", *required, *lists, *server).code == 0
    return "fmc"


def test_update_prints_what_came_from_each_list_and_what_changed(
    tsadmin: Tsadmin, device: str
) -> None:
    answer = tsadmin("update", device)
    assert answer.code == 0, answer.stderr
    _, allow, block, policy, snapshot, cuts = answer.stdout.splitlines()
    assert allow.split()[:6] == [ALLOW, "changed", "1", "+1", "-0", "0"]
    assert block.split()[:6] == [BLOCK, "changed", "3", "+3", "-0", "0"]
    assert policy == "Policy fmc: current."
    assert snapshot == "Snapshot 1: block 1 entry, allow 1 entry; addresses blocked +2 -0."
    assert cuts == "Taken out of the block list (addresses): allowed 1."
    assert answer.stderr.splitlines() == [
        f"retrieve {ALLOW} …",
        f"retrieve {BLOCK} …",
        "compile fmc …",
    ]


def test_a_second_update_tells_the_difference(
    tsadmin: Tsadmin, device: str, records: dict[str, list[str]]
) -> None:
    tsadmin("update", device)
    assert "No new snapshot: snapshot 1 stays in force." in tsadmin("update", device).stdout
    records[BLOCK] = ["A 1.2.3.5", "A 9.9.9.7", "A 9.9.9.8"]
    answer = tsadmin("update", device)
    assert answer.stdout.splitlines()[2].split()[:5] == [BLOCK, "changed", "3", "+2", "-2"]
    assert "Snapshot 2:" in answer.stdout
    assert "addresses blocked +2 -1." in answer.stdout


def test_update_as_json_holds_the_same_and_nothing_else_is_printed(
    tsadmin: Tsadmin, device: str, nameserver: Nameserver
) -> None:
    answer = tsadmin("update", device, "--json")
    found = answer.json
    assert (answer.code, answer.stderr, found["error"]) == (0, "", "")
    assert found["is_new_snapshot"] is True
    assert found["snapshot"]["number"] == 1
    assert found["snapshot"]["cuts"]["allowed"] == 1
    block = next(source for source in found["sources"] if source["name"] == BLOCK)
    assert (block["outcome"], block["entries"], block["added"]) == ("changed", 3, 3)
    assert block["server"] == nameserver.address


def test_what_was_rejected_is_told_by_reason(
    tsadmin: Tsadmin, device: str, records: dict[str, list[str]]
) -> None:
    many = " ".join(f"1.2.9.{number}" for number in range(20))
    records[BLOCK] = ['TXT "1.2.3.4 1.2.3.4/33 v1.2.3.4"', 'TXT "5.6.7.9/16"', f'TXT "{many}"']
    answer = tsadmin("update", device)
    assert answer.code == 0, answer.stderr
    assert f"{BLOCK}: rejected 1: " in answer.stdout
    assert f"{BLOCK}: host bits cleared in 1 entry" in answer.stdout
    rejected = next(
        source["rejected"]
        for source in tsadmin("update", device, "--json").json["sources"]
        if source["name"] == BLOCK
    )
    assert sum(rejected.values()) == 2


def test_a_failed_retrieval_ends_in_its_reason_and_the_last_list_stays(
    tsadmin: Tsadmin, device: str, records: dict[str, list[str]]
) -> None:
    tsadmin("update", device)
    del records[BLOCK]
    answer = tsadmin("update", device)
    assert answer.code == 1
    assert answer.error.startswith(f"block or allow list {BLOCK} could not be fetched")
    assert "NXDOMAIN" in answer.error
    assert "No new snapshot: snapshot 1 stays in force." in answer.stdout
    again = tsadmin("update", device, "--json")
    assert again.code == 1
    assert again.json["error"].startswith(f"block or allow list {BLOCK} could not be fetched")
    assert again.stderr.count("\n") == 1


def test_update_is_refused_while_policy_updates_are_off(tsadmin: Tsadmin, device: str) -> None:
    tsadmin("configure", device, "--policy_updates", "no")
    answer = tsadmin("update", device)
    assert answer.code == 1
    assert "policy updates of fmc are off" in answer.error
    assert "tsadmin configure fmc --policy_updates yes" in answer.error
    assert not Snapshot.objects.exists()


def test_a_list_that_shrinks_too_far_waits_until_the_change_is_accepted(
    tsadmin: Tsadmin, device: str, records: dict[str, list[str]]
) -> None:
    records[BLOCK] = [f"A 1.2.{number}.4" for number in range(40)]
    assert tsadmin("update", device).code == 0
    records[BLOCK] = ["A 1.2.3.4"]
    held = tsadmin("update", device)
    assert held.code == 1
    assert "shrank from 40 to 1" in held.error
    accepted = tsadmin("update", device, "--accept-change")
    assert accepted.code == 0, accepted.stderr
    assert "Snapshot 2: block 1 entry" in accepted.stdout
    assert Change.objects.get(verb="accept").subject == f"policy {device}"
    assert not Policy.objects.exclude(accepted_until=None).exists()
    assert not Source.objects.exclude(accepted_until=None).exists()


def test_a_policy_its_guard_holds_is_a_failure_with_the_reason(
    tsadmin: Tsadmin, device: str, records: dict[str, list[str]]
) -> None:
    records[BLOCK] = ['TXT "16.0.0.0/4"']
    answer = tsadmin("update", device)
    assert answer.code == 1
    assert answer.error.startswith("fmc: held by the guard: ")
    assert "16.0.0.0/4" in answer.error
    assert tsadmin("show", device, "--json").json["state"] == "held"


def test_a_policy_larger_than_the_device_takes_is_a_failure_with_the_numbers(
    tsadmin: Tsadmin, device: str
) -> None:
    tsadmin("update", device)
    tsadmin("configure", device, "--max_policy_size", "1")
    answer = tsadmin("update", device)
    assert answer.code == 1
    assert "snapshot 1 has 2 entries and fmc takes 1" in answer.error


def test_update_waits_while_a_worker_is_at_it(tsadmin: Tsadmin, device: str) -> None:
    worker = "elsewhere|1|0.00|abcdef01"
    until = timezone.now() + timedelta(seconds=2)
    Source.objects.filter(name=BLOCK).update(claimed_by=worker, claimed_until=until)
    answer = tsadmin("update", device)
    assert answer.code == 0, answer.stderr
    assert f"waiting: {BLOCK} is being retrieved by a worker …" in answer.stderr
    assert timezone.now() > until


def test_update_does_not_wait_for_ever(
    tsadmin: Tsadmin, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updating, "BUSY_SECONDS", 0.0)
    later = timezone.now() + timedelta(minutes=10)
    Policy.objects.update(claimed_by="elsewhere|1|0.00|abcdef01", claimed_until=later)
    answer = tsadmin("update", device)
    assert answer.code == 1
    assert "fmc is being compiled by a worker; try again in a minute" in answer.error


def test_add_with_update_publishes_at_once(tsadmin: Tsadmin, nameserver: Nameserver) -> None:
    server = ("--dns_server", nameserver.host, "--dns_port", str(nameserver.port))
    required = ("--device_id", "tdid_2", "--management_ip", "192.0.2.1", "--block_list", BLOCK)
    answer = tsadmin("add", "b", "--type", "firepower", *required, *server, "--update")
    assert answer.code == 0, answer.stderr
    assert "Snapshot 1: block 2 entries" in answer.stdout


def test_demo_makes_a_device_whose_feed_is_there_and_removes_it_whole(tsadmin: Tsadmin) -> None:
    answer = tsadmin("demo")
    assert answer.code == 0, answer.stderr
    url = "http://127.0.0.1:8001/tdid_sample00/threatstop-block.txt"
    assert f"Fetch it with  : curl -i {url}" in answer.stdout
    sample = Device.objects.get()
    assert sample.is_sample
    assert sample.published is not None
    assert tsadmin("demo").code == 0
    assert Device.objects.count() == 1
    assert tsadmin("demo", "--remove").stdout == "The sample is removed.\n"
    for rows in (Device.objects, Policy.objects, Source.objects, Snapshot.objects):
        assert not rows.exists()
    assert tsadmin("demo", "--remove").stdout == "There is no sample.\n"


def test_removing_the_sample_by_name_leaves_nothing_of_it(tsadmin: Tsadmin) -> None:
    tsadmin("demo")
    assert tsadmin("remove", "sample-fmc", "--yes").code == 0
    assert not Policy.objects.exists()
    assert not Source.objects.exists()


def test_a_shared_policy_is_updated_for_all_its_devices(tsadmin: Tsadmin) -> None:
    now = timezone.now()
    policy = make_policy(now=now, block=["1.2.3.4"])
    devices = [make_device(policy=policy, now=now) for _ in range(2)]
    publish(policy, now=now)
    assert tsadmin("update", devices[0].nickname).code == 0
    for device in devices:
        found = tsadmin("show", device.nickname, "--json").json
        assert found["snapshot"]["number"] == 1
