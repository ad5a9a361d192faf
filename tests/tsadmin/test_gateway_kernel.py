"""The commands of gateways with an enforcer that has a kernel: what the gateway quickstart says."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from enforcement.kernel import enforcer_named
from enforcement.kernel.base import Rules
from enforcement.services import work
from enforcement.services.machine import own_machine
from tests.docs.page_commands import tsadmin_commands
from tests.enforcement.kernel.packets import error_of_sending
from tests.fakes.bind import Bind, write_zone
from tests.fakes.gateway import clean
from tests.fakes.namespace_log import namespaces_log
from tests.fakes.network import SERVER4, Lab, lab
from tests.tsadmin.conftest import Tsadmin
from tsadmin.commands import waiting
from tscm_site.env import CHECKOUT

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.django_db,
    pytest.mark.timeout(180),  # the kernel log is one for all tests: they may wait for it
    # The last is the address that the product's own instructions prove a block with.
    pytest.mark.allow_hosts(["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "64.87.3.133"]),
]
LISTED = "198.51.100.7"
# Lists of one's own are for real addresses: the guard takes those of documentation out. In this
# namespace all of them lead to the server, which goes no further.
LISTS = ("basic APL 1:64.87.3.133/32", "basic1 APL 1:11.12.13.0/24", "dns APL 1:11.12.13.80/28")
LISTED_THERE = ("64.87.3.133", "11.12.13.9")
ALLOWED_THERE, NEITHER = "11.12.13.85", "11.12.14.1"


@pytest.fixture
def network(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A network whose gateway is this namespace; its enforcer works as soon as it is nudged."""
    settings.TSCM_ENFORCE_DIR = tmp_path / "enforce"
    # The resolvers of the machine that runs the tests are not there.
    machine = replace(own_machine(), canaries=lambda: ())
    monkeypatch.setattr(
        waiting, "nudge", lambda node: work(node=node, clock=timezone.now, machine=machine)
    )
    with lab() as made, namespaces_log():
        try:
            yield made
        finally:
            clean()


def test_the_sample_gateway_refuses_what_is_listed_and_check_proves_it(
    tsadmin: Tsadmin, network: Lab
) -> None:
    assert error_of_sending(network, LISTED) == 0
    made = tsadmin("demo", "--type", "iptables")
    try:
        assert made.code == 0, made.stderr
        assert "In force on" in made.stdout
        assert error_of_sending(network, LISTED) == errno.EPERM
        checked = tsadmin("check", "sample-gateway")
        assert checked.code == 0, checked.stdout + checked.stderr
        assert "Operation not permitted" in checked.stdout
        assert f"ThreatSTOP-TSblock IN= OUT=sv0 SRC=198.51.100.1 DST={LISTED}" in checked.stdout
        assert "Nothing to do" in tsadmin("plan", "sample-gateway").stdout
        assert tsadmin("check", "sample-gateway", "--address", "198.51.100.200").code == 1
    finally:
        assert tsadmin("demo", "--remove").code == 0
    assert error_of_sending(network, LISTED) == 0
    assert "TSblock" not in network.run("gateway", "ipset", "list", "-n").stdout


def test_a_pause_lets_it_pass_and_a_resume_drops_it_again(tsadmin: Tsadmin, network: Lab) -> None:
    made = tsadmin("demo", "--type", "iptables")
    try:
        assert made.code == 0, made.stderr
        assert tsadmin("pause", "sample-gateway", "--for", "1h").code == 0
        assert error_of_sending(network, LISTED) == 0
        assert "paused until" in tsadmin("check", "sample-gateway").stdout
        assert tsadmin("resume", "sample-gateway").code == 0
        assert error_of_sending(network, LISTED) == errno.EPERM
    finally:
        assert tsadmin("demo", "--remove").code == 0


@pytest.fixture
def name_server(network: Lab, settings: Settings, tmp_path: Path) -> Iterator[None]:
    """The site's own name server, which has both lists, and a way to what they name."""
    zone = write_zone(tmp_path / "zone", LISTS)
    network.run("gateway", "ip", "route", "add", "default", "via", SERVER4)
    with Bind({"threatstop.local": zone}) as bind:
        settings.TSCM_DNS_SERVERS = (bind.server,)
        yield


@pytest.mark.usefixtures("name_server")
def test_the_documented_flags_bring_lists_from_the_dns_into_the_kernel(
    tsadmin: Tsadmin, network: Lab
) -> None:
    added = tsadmin(
        "add", "--type", "iptables", "tstest", "--device_id", "tdid_abcd1234",
        "--block_list", "basic.threatstop.local", "--allow_list", "dns.threatstop.local",
    )  # fmt: skip
    assert added.code == 0, added.stderr
    try:
        assert [error_of_sending(network, one) for one in LISTED_THERE] == [0, 0]
        updated = tsadmin("update", "tstest")
        assert updated.code == 0, updated.stdout + updated.stderr
        assert [error_of_sending(network, one) for one in LISTED_THERE] == [errno.EPERM] * 2
        assert [error_of_sending(network, one) for one in (ALLOWED_THERE, NEITHER)] == [0, 0]
        assert_shown(tsadmin)
    finally:
        assert tsadmin("remove", "tstest", "--yes").code == 0
    assert error_of_sending(network, LISTED_THERE[0]) == 0


def assert_shown(tsadmin: Tsadmin) -> None:
    """Assert that `show` names what is read back from the kernel."""
    live = enforcer_named("iptables").read(Rules())
    assert live.content is not None
    told = tsadmin("show", "tstest", "--json").json["gateway"]
    assert told["snapshot_number"] == 1
    assert (told["block_digest"], told["allow_digest"]) == live.content.digests()
    counts = {name: one["entries"] for name, one in told["sets"].items()}
    assert counts == {name: one.entries for name, one in live.sets.items()}
    # What is allowed is taken out of the block list too: /24 less /28 is four networks.
    assert told["entries"] == counts["TSblockaddr"] + counts["TSblocknet"] + counts["TSallownet"]
    assert (counts["TSblockaddr"], counts["TSblocknet"], counts["TSallownet"]) == (1, 4, 1)
    text = tsadmin("show", "tstest").stdout
    for words in ("snapshot 1, since", *live.content.digests(), "TSblockaddr 1", "Last check"):
        assert words in text


@pytest.mark.usefixtures("name_server")
def test_the_commands_of_the_quickstart_end_as_it_shows(tsadmin: Tsadmin) -> None:
    for shown in tsadmin_commands(CHECKOUT / "docs" / "gateway-quickstart.md"):
        done = tsadmin(*shown.words)
        assert done.code == shown.code, f"{shown}\n{done.stdout}{done.stderr}"
    assert tsadmin("remove", "gw1", "--yes").code == 0
