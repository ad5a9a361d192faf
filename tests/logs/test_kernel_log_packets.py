"""Real packets that this gateway drops, from the kernel's log to the ledger of its device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings as SiteSettings

from devices.services import own_node
from enforcement.kernel.base import Rules
from enforcement.kernel.iptables_live import IptablesRules
from logs.liaison import Liaison
from logs.management.commands.read_kernel_log import _this_machine
from logs.models import Batch, Spool
from logs.receiver.kernel_receiver import KernelReceiver, Settings
from logs.reports.ledger import ledger_of
from logs.services import ask_rotation, place_of, rotations_asked
from tests.enforcement.kernel.conftest import network
from tests.factories import make_gateway
from tests.fakes.gateway import Gateway, gateway
from tests.fakes.namespace_log import namespaces_log
from tests.fakes.network import MORE4, MORE6, Lab

__all__ = ["network"]
pytestmark = [
    pytest.mark.kernel,
    pytest.mark.django_db,
    pytest.mark.timeout(180),  # the kernel log is one for all tests: they may wait for it
]
SECONDS = 30
PINGS = 5


@pytest.fixture
def host(network: Lab) -> Iterator[Gateway]:
    """This gateway, with rules that drop and log."""
    with gateway("iptables-nft") as made, namespaces_log():
        IptablesRules(made.program).write(Rules())
        made.list("block", MORE4[0], MORE6[0])
        yield made


def until(holds: Callable[[], bool], step: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        step()
        time.sleep(0.02)  # polled: nothing tells when a thread is that far


def test_a_blocked_ping_is_a_line_then_in_a_batch_and_in_the_ledger(
    network: Lab, host: Gateway, settings: SiteSettings, tmp_path: Path, now: datetime
) -> None:
    settings.TSCM_LOG_DIR = tmp_path / "log"
    settings.TSCM_LOG_DIR.mkdir()
    device = make_gateway(now=now)
    receiver = KernelReceiver(
        Settings(own_node(), settings.TSCM_LOG_DIR, now, least_free_bytes=0), clock=time.time_ns
    )
    liaison = Liaison(receiver, senders=_this_machine, remembered=tmp_path / "remembered")

    def step() -> None:
        assert liaison.step(now=timezone.now())

    def ours() -> list[bytes]:
        place = place_of(device)
        files = [*map(place.batch, place.numbers()), place.active]
        text = b"".join(path.read_bytes() for path in files if path.exists())
        return [line for line in text.splitlines() if network.mark().encode() in line]

    receiver.start(liaison.first_senders())
    try:
        for number in range(PINGS):
            assert not network.pings("client", (MORE4, MORE6)[number % 2][0])
        until(lambda: len(ours()) == PINGS, step)
        ask_rotation(device=device, now=timezone.now())
        until(lambda: not rotations_asked(), step)
    finally:
        receiver.stop()
        liaison.step(now=timezone.now(), is_last=True)
    stamp, _, rest = ours()[0].partition(f" {own_node()} kernel: [".encode())
    logged = datetime.strptime(f"{timezone.now():%Y} {stamp.decode()} +0000", "%Y %b %d %X %z")
    assert abs((timezone.now() - logged).total_seconds()) < 300
    assert b"] ThreatSTOP-TSblock IN=cl0 OUT=sv0 " in rest
    assert f"DST={MORE4[0]} ".encode() in rest
    assert_told(Spool.objects.get(device=device))


def assert_told(spool: Spool) -> None:
    """Assert that rows tell of every line; tests beside this one may have dropped packets too."""
    ledger = ledger_of(spool.device)
    batches = list(Batch.objects.filter(spool=spool))
    assert {batch.writer for batch in batches} == {"kernel"}
    assert ledger.is_balanced
    assert ledger.received >= PINGS
    assert ledger.waiting == sum(batch.lines for batch in batches) + ledger.open
