"""Each fault of a primary says what did not come about, why, and what to do next."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from fleet.primary import exchange
from fleet.primary.base import (
    PrimaryRefused,
    PrimaryUnavailable,
    ZoneContent,
)
from fleet.primary.build import build_primary
from fleet.primary.control import tell
from fleet.primary.statuses import read_statuses
from policies.sources.dns_servers import Address, Server
from tests.fakes.foreground import free_port
from tests.fakes.nameserver import CLOSE, Nameserver
from tests.fakes.portal_servers import PortalServer
from tests.fleet.primary.console import DOMAIN, Device, held, served, settings

DEVICE = Device("td_1")
_serials = count(10)


def faults(server: PortalServer, **changed: object) -> str:
    """Return what a console says that has something else set."""
    own = replace(server.settings, **changed)  # type: ignore[arg-type]
    try:
        found = build_primary(own).write([settings(DEVICE, 10, nickname="gw")])
    except PrimaryUnavailable as error:
        return f"unavailable: {error}"
    return "; ".join(f"{type(one).__name__}: {one}" for one in found.values())


def test_another_secret_of_the_console_is_told(updated: PortalServer) -> None:
    updated.primary().configure(served(DEVICE))
    told = faults(updated, key=b"some other secret of 32 bytes...")
    assert "PrimaryRefused" in told
    assert "BADSIG" in told
    assert "has read tscm.conf" in told


def test_a_key_that_the_server_does_not_know_is_told(updated: PortalServer) -> None:
    updated.primary().configure(served(DEVICE))
    told = faults(updated, domain="other.internal")
    assert "BADKEY" in told
    assert "The console's key is not known there" in told


def test_a_clock_that_is_wrong_is_told(
    updated: PortalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    updated.primary().configure(served(DEVICE))
    earlier = SimpleNamespace(time=lambda: time.time() - 4000)
    monkeypatch.setattr(exchange, "time", earlier)
    told = faults(updated)
    assert "BADTIME" in told
    assert "by NTP" in told


def test_nobody_at_the_port_is_told(updated: PortalServer) -> None:
    told = faults(updated, port=free_port())
    assert told.startswith("unavailable: zone td_1.device.tscm.internal could not be written")
    assert "TSCM_PORTAL_PRIMARY" in told


def test_the_address_that_takes_connections_is_used(
    updated: PortalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    updated.primary().configure(served(DEVICE, Device("td_2")))
    known = tuple(Address(host, updated.port) for host in ("::1", "127.0.0.1", "::1"))
    monkeypatch.setattr(Server, "addresses", lambda *_: known)
    own = build_primary(replace(updated.settings, host="portal.example"))
    assert own.write([settings(Device("td_2"), next(_serials), nickname="gw")]) == {}


def test_a_host_without_an_address_is_told(updated: PortalServer) -> None:
    assert "TSCM_PORTAL_PRIMARY names" in faults(updated, host="nowhere.invalid")


def test_a_server_that_hangs_up_is_told(updated: PortalServer) -> None:
    with Nameserver(lambda query: [CLOSE], key=updated.settings.server.tsig) as nameserver:
        told = faults(updated, port=nameserver.port)
    assert "closed the connection" in told
    assert "tried again" in told


def test_statuses_of_a_server_that_is_gone_are_a_fault(updated: PortalServer) -> None:
    server = replace(updated.settings.server, port=free_port())
    with pytest.raises(PrimaryUnavailable, match="what devices report could not be read"):
        read_statuses(server, domain=DOMAIN, held=None)


def test_a_line_that_is_no_record_is_told_with_the_zone(server: PortalServer) -> None:
    primary = server.primary()
    primary.configure(served(DEVICE, Device("td_2")))
    bad = ZoneContent(DEVICE.zone, 10, b'nickname\tTXT\t"gw"\n$INCLUDE /etc/passwd\n')
    good = settings(Device("td_2"), 10, nickname="gw")
    (told,) = primary.write([bad, good]).values()
    assert isinstance(told, PrimaryRefused)
    assert DEVICE.zone in str(told)
    assert held(server, good.name).texts == {"nickname": "s:gw"}


CONTROLS = {
    "missing": (("no-such-program",), PrimaryUnavailable, "no-such-program is not installed"),
    "failing": (
        (sys.executable, "-c", "raise SystemExit('zone not found')"),
        PrimaryRefused,
        r"did not do .* \(exit code 1\): zone not found",
    ),
    "silent": ((sys.executable, "-c", "raise SystemExit(3)"), PrimaryRefused, "it says nothing"),
    "hanging": (
        (sys.executable, "-c", "import time; time.sleep(60)"),
        PrimaryUnavailable,
        "did not end within 0.5 s",
    ),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_program_that_does_not_do_it_is_told(name: str) -> None:
    control, kind, message = CONTROLS[name]
    with pytest.raises(kind, match=message) as told:
        tell(control, seconds=0.5 if name == "hanging" else 30)
    assert "TSCM_PORTAL_CONTROL" in str(told.value)


def test_without_a_control_program_nothing_is_run_and_the_rest_is_done(
    updated: PortalServer, tmp_path: Path
) -> None:
    primary = build_primary(replace(updated.settings, folder=tmp_path, control=()))
    assert primary.configure(served(DEVICE)) is True
    assert DEVICE.zone in (tmp_path / "tscm.conf").read_text()
    assert (tmp_path / "zones" / DEVICE.zone).exists()


def test_a_server_that_was_not_told_is_told_the_next_time(
    updated: PortalServer, tmp_path: Path
) -> None:
    own = replace(updated.settings, folder=tmp_path, control=("no-such-program",))
    with pytest.raises(PrimaryUnavailable, match="was not told"):
        build_primary(own).configure(served(DEVICE))
    assert build_primary(replace(own, control=())).configure(served(DEVICE)) is True
    assert build_primary(replace(own, control=())).configure(served(DEVICE)) is False


def test_secrets_are_not_for_everybody_to_read(updated: PortalServer, tmp_path: Path) -> None:
    build_primary(replace(updated.settings, folder=tmp_path, control=())).configure(served(DEVICE))
    for path in (tmp_path / "tscm.conf", tmp_path / "zones" / DEVICE.zone):
        assert path.stat().st_mode & 0o007 == 0, path


def test_a_folder_that_cannot_be_used_is_told(updated: PortalServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    own = replace(updated.settings, folder=tmp_path / "file")
    with pytest.raises(PrimaryUnavailable, match="TSCM_PORTAL_DIR"):
        build_primary(own).configure(served(DEVICE))
    with pytest.raises(PrimaryRefused, match="TSCM_PORTAL_DIR"):
        build_primary(replace(own, folder=tmp_path / 'a "quoted" folder'))
