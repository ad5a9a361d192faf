"""The commands of gateways with an enforcer that has a kernel: what the gateway quickstart says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from enforcement.services import work
from enforcement.services.machine import own_machine
from tests.fakes.namespace_log import namespaces_log
from tests.fakes.network import Lab, lab
from tests.tsadmin.conftest import Tsadmin
from tsadmin.commands import waiting

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.django_db,
    pytest.mark.allow_hosts(["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"]),
]
LISTED = "198.51.100.7"


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
        yield made


def _send(network: Lab) -> str:
    """Send one datagram to the listed address; return what the kernel says to it."""
    program = (
        "import socket,sys\n"
        "one=socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "try: one.sendto(b'x', (sys.argv[1], 9)); print('sent')\n"
        "except OSError as error: print(error.strerror)\n"
    )
    return network.run("gateway", "python3", "-c", program, LISTED).stdout.strip()


def test_the_sample_gateway_refuses_what_is_listed_and_check_proves_it(
    tsadmin: Tsadmin, network: Lab
) -> None:
    assert _send(network) == "sent"
    made = tsadmin("demo", "--type", "iptables")
    try:
        assert made.code == 0, made.stderr
        assert "In force on" in made.stdout
        assert _send(network) == "Operation not permitted"
        checked = tsadmin("check", "sample-gateway")
        assert checked.code == 0, checked.stdout + checked.stderr
        assert "Operation not permitted" in checked.stdout
        assert f"ThreatSTOP-TSblock IN= OUT=sv0 SRC=198.51.100.1 DST={LISTED}" in checked.stdout
        assert "Nothing to do" in tsadmin("plan", "sample-gateway").stdout
        assert tsadmin("check", "sample-gateway", "--address", "198.51.100.200").code == 1
    finally:
        assert tsadmin("demo", "--remove").code == 0
    assert _send(network) == "sent"
    assert "TSblock" not in network.run("gateway", "ipset", "list", "-n").stdout


def test_a_pause_lets_it_pass_and_a_resume_drops_it_again(tsadmin: Tsadmin, network: Lab) -> None:
    made = tsadmin("demo", "--type", "iptables")
    try:
        assert made.code == 0, made.stderr
        assert tsadmin("pause", "sample-gateway", "--for", "1h").code == 0
        assert _send(network) == "sent"
        assert "paused until" in tsadmin("check", "sample-gateway").stdout
        assert tsadmin("resume", "sample-gateway").code == 0
        assert _send(network) == "Operation not permitted"
    finally:
        assert tsadmin("demo", "--remove").code == 0
