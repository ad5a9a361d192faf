"""A Linux gateway at the command line: added, listed, shown, changed, removed, and the sample."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.conf import settings as site
from django.utils import timezone

from devices.kinds import KINDS
from devices.models import Device, Gateway, GatewayRelease, GatewayState
from devices.services import settings_of
from enforcement.models import Application, Outcome, Trigger
from policies.models import Policy, Snapshot, Source
from tests.factories import make_device, make_gateway, make_policy, publish
from tests.tsadmin.conftest import Tsadmin
from tests.tsadmin.enforcer import Enforcer

pytestmark = pytest.mark.django_db
DOCUMENTED = (
    "add", "--type", "iptables", "tstest", "--device_id", "tdid_abcd1234",
    "--block_list", "basic.threatstop.local", "--allow_list", "dns.threatstop.local",
)  # fmt: skip


@pytest.fixture(autouse=True)
def nobody_waits(enforcer: Enforcer) -> None:
    """Every machine has its enforcer."""


def test_the_documented_flags_add_a_gateway_and_what_to_do_next_is_told(
    tsadmin: Tsadmin, enforcer: Enforcer
) -> None:
    answer = tsadmin(*DOCUMENTED)
    assert (answer.code, answer.stdout) == (0, "Added tstest.\n"), answer.stderr
    assert "URL" not in answer.stderr
    for command in ("update", "plan", "check"):
        assert f"tsadmin {command} tstest" in answer.stderr
    device = Device.objects.get()
    assert (device.kind, device.node, device.management_ip) == ("iptables", site.TSCM_NODE, None)


def test_add_takes_the_defaults_of_the_kind(tsadmin: Tsadmin) -> None:
    tsadmin("add", "gw", "--type", "iptables", "--device_id", "tdid_1")
    found = settings_of(Device.objects.get())
    for setting in KINDS["iptables"].settings:
        if not setting.is_required and setting.name != "node":
            assert (found[setting.name] or "") == (setting.clean(setting.default) or "")


def test_a_gateway_whose_updates_are_off_waits_for_a_person(tsadmin: Tsadmin) -> None:
    answer = tsadmin(*DOCUMENTED, "--policy_updates", "no")
    assert "tsadmin apply tstest" in answer.stderr
    assert "within a minute" not in answer.stderr


@pytest.mark.parametrize(
    ("kind", "flags", "foreign"),
    [
        ("iptables", ("--syslog_sources", "192.0.2.1"), "has no --syslog_sources"),
        ("iptables", ("--client_networks", ""), "has no --client_networks"),
        (
            "firepower",
            ("--management_ip", "192.0.2.1", "--node", "gw1", "--verdict", "reject"),
            "has no --node and no --verdict",
        ),
    ],
)
def test_flags_of_another_kind_are_refused_by_name(
    tsadmin: Tsadmin, kind: str, flags: tuple[str, ...], foreign: str
) -> None:
    answer = tsadmin("add", "x", "--type", kind, "--device_id", "tdid_1", *flags)
    assert (answer.code, foreign in answer.error) == (2, True), answer.error
    assert f"type {kind} ({KINDS[kind].label})" in answer.error
    assert not Device.objects.exists()
    assert not Policy.objects.exists()


def test_configure_refuses_flags_of_another_kind_and_nudges_the_enforcer_after_others(
    tsadmin: Tsadmin, enforcer: Enforcer
) -> None:
    tsadmin(*DOCUMENTED)
    assert tsadmin("configure", "tstest", "--client_networks", "192.0.2.0/24").code == 2
    enforcer.nudged.clear()
    answer = tsadmin("configure", "tstest", "--verdict", "reject")
    assert "drop -> reject" in answer.stdout
    assert "tsadmin update tstest" in answer.stderr
    assert enforcer.nudged == [site.TSCM_NODE]


def test_a_gateway_that_moves_to_another_machine_nudges_both(
    tsadmin: Tsadmin, enforcer: Enforcer
) -> None:
    tsadmin(*DOCUMENTED)
    enforcer.nudged.clear()
    assert tsadmin("configure", "tstest", "--node", "gw2").code == 0
    assert enforcer.nudged == sorted([site.TSCM_NODE, "gw2"])


def test_a_machine_that_enforces_another_device_is_refused(tsadmin: Tsadmin) -> None:
    tsadmin(*DOCUMENTED)
    answer = tsadmin("add", "b", "--type", "iptables", "--device_id", "tdid_2")
    assert (answer.code, "enforces the device tstest already" in answer.error) == (1, True)


def test_list_shows_the_machine_where_no_management_address_is(
    tsadmin: Tsadmin, now: datetime
) -> None:
    make_gateway(now=now, nickname="gw", node="gw1", device_id="tdid_1")
    make_device(policy=make_policy(now=now), now=now, nickname="fmc")
    _, first, second = tsadmin("list").stdout.splitlines()
    assert second.split()[:4] == ["gw", "iptables", "tdid_1", "gw1"]
    assert "192.0.2.250" in first
    rows = {row["name"]: row for row in tsadmin("list", "--json").json["devices"]}
    assert (rows["gw"]["node"], rows["gw"]["management_ip"]) == ("gw1", None)
    assert (rows["fmc"]["node"], rows["fmc"]["management_ip"]) == (None, "192.0.2.250")


def _enforced(now: datetime) -> Gateway:
    """Make a gateway whose enforcer was there a moment ago."""
    device = make_gateway(policy=make_policy(now=now, name="edge"), now=now, nickname="gw")
    publish(device.policy, now=timezone.now())
    gateway = Gateway.objects.get(device=device)
    rows = Gateway.objects.filter(pk=gateway.pk)
    rows.update(
        state=GatewayState.ENFORCED, snapshot_number=1, block_digest="b" * 64, applied_at=now,
        checked_at=timezone.now(), sets={"TSblocknet": [1, 1_016], "TSblockaddr": [1_204, 40_000]},
        dropped_in=12, dropped_out=3, dropped_since=now, healed=1, healed_at=now,
        warnings=["Rules of the legacy backend are there as well."],
    )  # fmt: skip
    for number in range(4):
        Application.objects.create(
            gateway=gateway, snapshot_number=number, at=now + timedelta(minutes=number),
            trigger=Trigger.POLICY, outcome=Outcome.APPLIED, way="replace",
        )  # fmt: skip
    return gateway


def test_show_tells_what_the_kernel_holds_and_when_that_was_last_seen(
    tsadmin: Tsadmin, now: datetime
) -> None:
    _enforced(now)
    text = tsadmin("show", "gw").stdout
    pairs = [line.partition(" : ")[::2] for line in text.splitlines()]
    shown = {label.strip(): value for label, value in pairs}
    assert shown["State"].startswith("protected. Enforces snapshot 1: 1,205 entries in the kernel")
    assert shown["Machine that enforces"] == site.TSCM_NODE
    assert shown["In force"] == "snapshot 1, since 2026-11-21 12:00:00 UTC"
    assert (shown["Block digest"], shown["Allow digest"]) == ("b" * 64, "none")
    assert shown["Live sets"] == "1,205 entries: TSblockaddr 1,204, TSblocknet 1"
    assert shown["Kernel memory"] == "41.0 kB"
    assert shown["Healed"] == "1 time, last 2026-11-21 12:00:00 UTC"
    since = "since 2026-11-21 12:00:00 UTC"
    assert shown["Dropped"] == f"12 packets inbound or forwarded, 3 outbound, {since}"
    assert shown["Paused until"] == "not paused"
    assert shown["Warnings"] == "Rules of the legacy backend are there as well."
    newest = [value for label, value in pairs if label.strip() == "Application"]
    assert [line.partition(", by ")[0] for line in newest] == [
        f"2026-11-21 12:0{number} UTC: applied, snapshot {number}" for number in (3, 2, 1)
    ]
    assert "URL" not in text
    assert "Last pull" not in text


def test_show_as_json_holds_the_same_of_the_kernel(tsadmin: Tsadmin, now: datetime) -> None:
    _enforced(now)
    found = tsadmin("show", "gw", "--json").json
    assert (found["urls"], found["state"]) == (None, "protected")
    told = found["gateway"]
    assert (told["snapshot_number"], told["entries"], told["memory"]) == (1, 1_205, 41_016)
    assert told["sets"]["TSblockaddr"] == {"entries": 1_204, "memory": 40_000}
    assert [one["snapshot_number"] for one in told["applications"]] == [3, 2, 1]


def test_show_of_a_gateway_that_no_enforcer_took_up_says_so(
    tsadmin: Tsadmin, now: datetime
) -> None:
    device = make_gateway(now=now, nickname="gw", node="gw1")
    publish(device.policy, now=timezone.now())
    text = tsadmin("show", "gw").stdout
    assert "waiting for its enforcer. No enforcer of the machine gw1" in text
    for line in ("In force", "Live sets", "Last check", "Dropped"):
        assert line in text


def test_show_names_who_paused_it(tsadmin: Tsadmin, now: datetime) -> None:
    _enforced(now)
    until = timezone.now() + timedelta(hours=1)
    Gateway.objects.update(paused_until=until, paused_by="tsadmin:alice")
    assert f"{until:%H:%M:%S} UTC, by tsadmin:alice" in tsadmin("show", "gw").stdout


def test_removing_a_gateway_lets_its_kernel_go(tsadmin: Tsadmin, enforcer: Enforcer) -> None:
    tsadmin(*DOCUMENTED)
    enforcer.is_running = False
    answer = tsadmin("remove", "tstest", "--yes")
    node = site.TSCM_NODE
    assert answer.stdout == (
        f"Removed tstest. The enforcer of {node} takes its sets and rules out within a minute.\n"
    )
    assert GatewayRelease.objects.get().node == node
    assert enforcer.nudged[-1] == node
    GatewayRelease.objects.update(detail="iptables is held by another program")
    listed = tsadmin("list")
    assert f"{node} is still to let go of the list of tstest: iptables is held" in listed.stderr
    assert tsadmin("list", "--json").json["releases"][0]["node"] == node


def test_the_sample_gateway_is_enforced_and_removed_whole(
    tsadmin: Tsadmin, enforcer: Enforcer
) -> None:
    answer = tsadmin("demo", "--type", "iptables")
    assert answer.code == 0, answer.stderr
    assert answer.stdout.splitlines()[:3] == [
        "The sample device is sample-gateway.",
        "Prove it with  : tsadmin check sample-gateway",
        "Remove it with : tsadmin demo --remove",
    ]
    assert "In force on" in answer.stdout
    sample = Device.objects.get()
    assert (sample.is_sample, sample.test_address) == (True, "198.51.100.7")
    assert tsadmin("check", "sample-gateway").code == 0
    assert tsadmin("demo", "--type", "iptables", "--json").json["enforcement"]["error"] == ""
    enforcer.is_running = False
    assert tsadmin("demo", "--remove").stdout == "The sample is removed.\n"
    for rows in (Device.objects, Policy.objects, Source.objects, Snapshot.objects):
        assert not rows.exists()
    assert GatewayRelease.objects.get().nickname == "sample-gateway"


def test_both_samples_share_one_policy_and_each_goes_alone(tsadmin: Tsadmin) -> None:
    assert tsadmin("demo").code == 0
    assert tsadmin("demo", "--type", "iptables").code == 0
    assert Policy.objects.count() == 1
    assert tsadmin("remove", "sample-fmc", "--yes").code == 0
    assert Device.objects.get().nickname == "sample-gateway"
    assert Source.objects.count() == 2
    assert tsadmin("demo").code == 0
    assert tsadmin("demo", "--remove").code == 0
    assert not Device.objects.exists()
    assert not Source.objects.exists()


def test_the_sample_gateway_does_not_push_another_device_off_this_machine(
    tsadmin: Tsadmin,
) -> None:
    tsadmin(*DOCUMENTED)
    answer = tsadmin("demo", "--type", "iptables")
    assert (answer.code, "enforces the device tstest already" in answer.error) == (1, True)
    assert Device.objects.count() == 1
    assert not Policy.objects.filter(is_sample=True).exists()
