"""A portal, BIND, Knot, two gateways and a firewall's appliance, each on a host of its own.

From the one command that links a device to packets that are dropped; and what is said on either
side when something between them breaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from tests.fakes.foreground import NotInstalled
from tests.fakes.namespace_log import namespaces_log
from tests.fleet.network.faults import FAULTS, Fault, closed_policy
from tests.fleet.network.linked import Linked, link_all
from tests.fleet.network.machines import LISTED, NEWLY, OTHER, eventually, fleet

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("fleet"),  # made once
    pytest.mark.allow_hosts(["127.0.0.1", "10.77.0.0/16"]),
]
# A key of the first generation that belongs to nobody.
ANOTHER_KEY = f"tscmdk1_{'A' * 43}"
RETRIEVE = "Failed to retrieve settings using Web Automation from "


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Linked]:
    """The fleet; each device was linked, and dropped nothing before that."""
    try:
        with fleet(tmp_path_factory.mktemp("fleet")) as made:
            for client in ("pc1", "pc2"):
                assert made.hosts.pings(client, LISTED)
            with namespaces_log():
                done = link_all(made)
            yield done
    except NotInstalled as error:
        pytest.skip(str(error))


def test_one_command_links_a_device_and_ends_with_what_it_is_for(linked: Linked) -> None:
    for name, answer in linked.answer.items():
        assert answer.code == 0, answer.stdout + answer.stderr
        assert f"Added {name}: linked to the portal 10.77." in answer.stdout
    for name in ("gw1", "gw2"):
        said = linked.answer[name].stdout
        assert "This host refuses what is listed, counts and logs it" in said
        assert linked.is_dropped(name, LISTED)
        assert not linked.is_dropped(name, OTHER)
    assert f"/{linked.device_id('appliance')}/threatstop-block.txt" in (
        linked.answer["appliance"].stdout
    )
    assert LISTED in linked.feed()


def test_a_change_on_the_portal_is_enforced_by_both_gateways_and_in_the_feed(
    linked: Linked,
) -> None:
    assert not linked.is_dropped("gw1", NEWLY)
    assert not linked.is_dropped("gw2", NEWLY)
    assert NEWLY not in linked.feed()
    portal = linked.fleet.machines["portal"]
    assert portal.tsadmin("records", "add", "ours", NEWLY).code == 0
    for name in ("gw1", "gw2"):
        eventually(partial(linked.is_dropped, name, NEWLY), what=f"{name} drops it")
    eventually(lambda: NEWLY in linked.feed(), what="the feed has it")
    assert not linked.is_dropped("gw1", OTHER)
    for name in ("gw1", "appliance", "gw2"):
        eventually(partial(tells_what_is_in_force, linked, name), what=f"{name} tells it")


def tells_what_is_in_force(linked: Linked, name: str) -> bool:
    """Tell whether the portal of a device knows that what it published last is in force there."""
    console = linked.fleet.portal_of(name)
    told = console.row(
        "SELECT s.snapshot_number, s.serial, s.errors, e.serial FROM fleet_entrystatus s "
        "JOIN fleet_entry e ON e.id = s.entry_id WHERE e.nickname = ?",
        name,
    )
    published = console.row("SELECT max(snapshot_number) FROM fleet_policyzone")
    assert told is not None
    assert published is not None
    return told == (published[0], told[3], "[]", told[3])


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_device_without_its_portal_says_why_keeps_its_list_and_is_missed(
    linked: Linked, fault: Fault
) -> None:
    device = linked.fleet.machines[fault.device]
    with fault.makes(linked.fleet):
        said = device.tsadmin("poll", fault.device).error
        for words in fault.says:
            assert words in said
        assert linked.is_dropped(fault.device, LISTED)
        linked.let_time_pass(fault.device)
        eventually(lambda: linked.alarm(fault.device, "entry-silent"), what="the portal misses it")
        assert "It told of itself last at" in linked.alarm(fault.device, "entry-silent")
    eventually(lambda: not linked.alarm(fault.device, "entry-silent"), what="it is back")
    assert device.row("SELECT error FROM fleet_link") == ("",)


def test_another_key_or_id_is_refused_by_name_and_changes_nothing(linked: Linked) -> None:
    """Knot knows nothing of an ID that it has no zone for, not even that its key is unknown."""
    typed = {
        ("gw1", "--auto_key", ANOTHER_KEY): "the device key of",
        ("gw2", "--auto_key", ANOTHER_KEY): "the device key of",
        ("gw1", "--device_id", "tdid_nobody"): "the portal knows no device tdid_nobody",
        ("gw2", "--device_id", "tdid_nobody"): "the portal refuses this zone to tdid_nobody",
    }
    before = {name: devices(linked, name) for name in ("gw1", "gw2")}
    for name in before:
        lines = {one: " ".join(linked.with_flag(*one)) for one in typed if one[0] == name}
        answers = linked.fleet.machines[name].commands(*lines.values())
        for one, answer in zip(lines, answers, strict=True):
            assert answer.error.startswith(RETRIEVE)
            assert typed[one] in answer.error
    assert {name: devices(linked, name) for name in ("gw1", "gw2")} == before
    assert not linked.alarm("gw1", "entry-trouble")
    assert not linked.alarm("gw2", "entry-trouble")


def devices(linked: Linked, name: str) -> tuple[object, ...] | None:
    return linked.fleet.machines[name].row(
        "SELECT count(*), max(nickname), max(l.linked_at) FROM devices_device d "
        "JOIN fleet_link l ON l.device_id = d.id"
    )


def test_a_policy_that_does_not_come_is_told_on_the_device_and_to_the_portal(
    linked: Linked,
) -> None:
    device = linked.fleet.machines["gw1"]
    said = "block or allow list edge-netb.tscm.internal could not be fetched from ThreatSTOP DNS"
    with closed_policy(linked.fleet):
        assert said in device.tsadmin("update", "gw1").error
        assert linked.is_dropped("gw1", LISTED)
        eventually(lambda: linked.alarm("gw1", "entry-trouble"), what="the portal is told")
        assert said in linked.alarm("gw1", "entry-trouble")
        assert "reports errors" in linked.fleet.machines["portal"].tsadmin("fleet", "list").stdout
    assert device.tsadmin("update", "gw1").code == 0
    eventually(lambda: not linked.alarm("gw1", "entry-trouble"), what="it is well again")


def test_a_device_whose_entry_was_removed_is_told_so_and_keeps_what_it_has(
    linked: Linked,
) -> None:
    portal, appliance = linked.fleet.machines["portal"], linked.fleet.machines["appliance"]
    made = portal.tsadmin(
        "fleet", "add", "spare", "--type", "firepower", "--policy", "edge", "--set",
        "management_ip=10.77.7.2", "--json",
    ).json  # fmt: skip
    assert appliance.tsadmin(*made["command"].split()[1:]).code == 0
    removed, shown = portal.commands("fleet remove spare --yes", "fleet show spare")
    assert removed.code == 0
    assert "no device entry" in shown.error
    eventually(lambda: "knows no device" in error_of_spare(linked), what="it hears of it")
    said = appliance.tsadmin("poll", "spare").error
    assert said.startswith(RETRIEVE)
    assert f"the portal knows no device {made['device_id']} with this key" in said
    url = f"http://127.0.0.1:8001/{made['device_id']}/threatstop-block.txt"
    assert LISTED in linked.fleet.hosts.run("appliance", "curl", "-sf", url).stdout


def error_of_spare(linked: Linked) -> str:
    found = linked.fleet.machines["appliance"].row(
        "SELECT l.error FROM fleet_link l JOIN devices_device d ON d.id = l.device_id "
        "WHERE d.nickname = 'spare'"
    )
    return str(found[0]) if found else ""
