"""--policy: a device follows a shared policy, and finds back to lists of its own."""

from __future__ import annotations

from datetime import datetime

import pytest

from devices.models import Device
from devices.services import lists_of
from policies.models import Change, Policy
from tests.factories import make_policy
from tests.tsadmin.conftest import Appliance, Tsadmin

REQUIRED = ("--device_id", "tdid_1", "--management_ip", "192.0.2.10")
NEW = ("--type", "firepower", *REQUIRED)


@pytest.fixture
def edge(db: None, now: datetime) -> Policy:
    """A shared policy."""
    return make_policy(now=now, name="edge")


def test_a_new_device_follows_a_shared_policy_and_gets_none_of_its_own(
    tsadmin: Tsadmin, edge: Policy
) -> None:
    answer = tsadmin("add", "fmc", *NEW, "--policy", "edge", "--json")
    assert (answer.code, answer.json["policy"]) == (0, "edge")
    assert Device.objects.get().policy == edge
    assert Policy.objects.count() == 1
    shown = tsadmin("show", "fmc").stdout.splitlines()
    assert any(line.startswith("Policy ") and line.endswith(": edge (shared)") for line in shown)


def test_a_device_moves_to_a_shared_policy_and_back(tsadmin: Tsadmin, edge: Policy) -> None:
    assert tsadmin("add", "fmc", *NEW, "--block_list", "b.example").code == 0
    there = tsadmin("configure", "fmc", "--policy", "edge", "--note", "moved")
    assert "Policy          : fmc -> edge" in there.stdout
    assert "Note            : none -> moved" in there.stdout
    assert list(Policy.objects.all()) == [edge]
    back = ("--policy", "none", "--block_list", "c.example", "--dns_port", "5353", "--note", "")
    answer = tsadmin("configure", "fmc", *back, "--json")
    assert answer.code == 0, answer.stderr
    assert set(answer.json["changed"]) == {"policy", "block_list", "dns_port", "note"}
    device = Device.objects.get()
    assert (device.policy.name, device.policy.is_private, device.note) == ("fmc", True, "")
    assert (lists_of(device).block_list, lists_of(device).dns_port) == ("c.example", 5353)
    verbs = list(Change.objects.order_by("id").values_list("verb", flat=True))
    assert verbs == ["add", "configure", "assign", "configure", "assign"]


@pytest.mark.parametrize("text", ["none", ""])
def test_none_means_a_policy_of_its_own_for_a_new_device(
    tsadmin: Tsadmin, text: str, db: None
) -> None:
    assert tsadmin("add", "fmc", *NEW, "--policy", text, "--block_list", "b.example").code == 0
    assert lists_of(Device.objects.get()).block_list == "b.example"


@pytest.mark.usefixtures("edge")
def test_a_device_with_lists_of_its_own_keeps_them_with_none(tsadmin: Tsadmin) -> None:
    tsadmin("add", "fmc", *NEW, "--block_list", "b.example")
    assert tsadmin("configure", "fmc", "--policy", "none").stdout == "Nothing changed.\n"
    assert tsadmin("configure", "fmc", "--policy", "none", "--allow_list", "a.example").code == 0
    found = lists_of(Device.objects.get())
    assert (found.block_list, found.allow_list) == ("b.example", "a.example")


@pytest.mark.usefixtures("edge")
def test_lists_beside_a_shared_policy_are_refused_in_one_line(tsadmin: Tsadmin) -> None:
    lists = ("--policy", "edge", "--block_list", "b.example", "--dns-port", "53")
    added = tsadmin("add", "fmc", *NEW, *lists)
    assert added.code == 2
    assert (
        added.error == "edge has lists of its own: leave out --block_list, --dns_port, or --policy"
    )
    assert not Device.objects.exists()
    tsadmin("add", "fmc", *NEW)
    assert tsadmin("configure", "fmc", *lists).code == 2
    assert Device.objects.get().policy.is_private


@pytest.mark.usefixtures("edge")
def test_lists_of_a_device_that_follows_a_policy_are_refused_with_the_way_out(
    tsadmin: Tsadmin,
) -> None:
    tsadmin("add", "fmc", *NEW, "--policy", "edge")
    answer = tsadmin("configure", "fmc", "--block_list", "b.example")
    assert answer.code == 1
    assert answer.error.startswith("fmc follows the policy edge")
    assert "--policy none" in answer.error
    bare = tsadmin("configure", "fmc", "--policy", "none", "--note", "x")
    assert (bare.code, "needs --block_list" in bare.error) == (2, True)
    empty = tsadmin("configure", "fmc", "--policy", "none", "--block_list", "")
    assert (empty.code, "--block_list '' is not accepted" in empty.error) == (1, True)
    assert (Device.objects.get().policy.name, Device.objects.get().note) == ("edge", "")


@pytest.mark.usefixtures("edge")
def test_only_a_shared_policy_can_be_followed(tsadmin: Tsadmin) -> None:
    tsadmin("add", "fmc", *NEW)
    other = ("--type", "firepower", "--device_id", "tdid_2", "--management_ip", "192.0.2.11")
    unknown = tsadmin("add", "other", *other, "--policy", "core")
    assert unknown.error == "no policy is named core; shared ones are: edge"
    private = tsadmin("add", "other", *other, "--policy", "fmc")
    assert private.error.startswith("fmc is the policy of one device")
    assert (unknown.code, private.code, Device.objects.count()) == (1, 1, 1)


@pytest.mark.usefixtures("edge")
def test_a_change_that_is_refused_moves_nothing(tsadmin: Tsadmin) -> None:
    tsadmin("add", "fmc", *NEW)
    tsadmin(
        "add", "two", "--type", "firepower", "--device_id", "t2", "--management_ip", "192.0.2.2"
    )
    refused = tsadmin("configure", "fmc", "--policy", "edge", "--device_id", "t2")
    assert (refused.code, "exists" in refused.error) == (1, True)
    assert Device.objects.get(nickname="fmc").policy.name == "fmc"


def test_at_a_terminal_no_list_is_asked_of_a_device_that_follows_a_policy(
    appliance: Appliance,
) -> None:
    assert appliance.run("demo").code == 0  # with it comes the shared policy "sample"
    with appliance.at_terminal("add", "x", "--type", "firepower", "--policy", "sample") as screen:
        screen.expect("Device ID (tdid) : ")
        screen.type("tdid_1")
        screen.expect("Device management IP : ")
        screen.type("192.0.2.10")
        screen.expect("Send logs to ThreatSTOP : ")
        screen.type("")
        screen.expect("Additional syslog source IPs : ")
        screen.type("")
        assert screen.finish() == 0
        assert "list name" not in screen.seen
    with appliance.at_terminal("configure", "x") as screen:
        screen.expect("Its lists are those of the policy sample.")
        for question in ("Device ID", "Device management IP", "Send logs", "Additional syslog"):
            screen.expect(question)
            screen.type("")
        assert screen.finish() == 0
        assert "list name" not in screen.seen
    with appliance.at_terminal("configure", "x", "--policy", "none") as screen:
        screen.expect("Block list name : ")
        screen.type("b.example")
        for question in ("Allow list name", "DNS servers", "DNS port"):
            screen.expect(question)
            screen.type("")
        assert screen.finish() == 0
    shown = appliance.run("show", "x", "--json").json
    assert (shown["policy"], shown["settings"]["block_list"]) == ("x", "b.example")
