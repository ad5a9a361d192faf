"""A network that takes packets and brings none back: it is noticed, and nothing is skipped."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from logs.shippers import forward_channel
from tests.logs.shippers.forwards import done, failing, forwarding, local
from tests.logs.shippers.orders import in_order
from tests.logs.shippers.sinks import Sink, until
from tests.logs.spools import filled

pytestmark = pytest.mark.kernel
_ENVIRONMENT = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}


@contextmanager
def cut(port: int) -> Iterator[None]:
    """Drop all packets to a port of this namespace."""
    rule = ("INPUT", "-p", "tcp", "--dport", str(port), "-j", "DROP")
    iptables("-I", *rule)
    try:
        yield
    finally:
        iptables("-D", *rule)


def iptables(*arguments: str) -> None:
    command = ["iptables", "-w", "10", *arguments]
    subprocess.run(command, check=True, timeout=20, env=_ENVIRONMENT)


def test_a_network_that_is_cut_is_noticed_and_what_was_on_its_way_is_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In life it is eight, which takes a minute.
    monkeypatch.setattr(forward_channel, "_MOST_UNANSWERED", 3)
    with filled(tmp_path / "spool") as spool, Sink() as sink:
        target = local(sink.port)
        with forwarding(tmp_path / "cursors", spool.place, target) as forwarder:
            spool.count(100)
            done(forwarder, target, sent=100)
            with cut(sink.port):
                spool.count(100)
                status = failing(forwarder, target)
                assert "nothing is acknowledged any more. Check the network" in status.error
                assert (status.sent, status.lag_lines) == (100, 100)
            done(forwarder, target, sent=200)
        until(lambda: sink.received.endswith(spool.text[-41:]), lambda: sink.received[-41:])
        in_order([bytes(connection) for connection in sink.connections], spool.lines)
