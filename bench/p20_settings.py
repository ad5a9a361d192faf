"""P20, P21: a change of settings into all devices' zones on one BIND, and all their statuses read.

The peer of P20 is nsupdate, which sends the same changes one after the other; that of P21 is dig,
which transfers the same zone and prints it.
"""

from __future__ import annotations

import base64
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.rows import Row, RowSkipped
from devices.kinds import KINDS
from fleet.primary.base import Access, Grant, Key, Primary, Role, Served, ServedZone, ZoneContent
from fleet.primary.folder import Folder
from fleet.primary.held import Held, remember
from fleet.primary.statuses import read_statuses
from fleet.protocol.base import DeviceKey, Settings, Status
from fleet.protocol.keys import new_key, tsig_name, tsig_secret
from fleet.protocol.names import settings_zone, status_name, status_zone
from fleet.protocol.settings_zone import body_of
from fleet.protocol.status_zone import read_statuses as statuses_of, records_of
from fleet.protocol.values import rdata
from tests.fakes.foreground import NotInstalled, program
from tests.fakes.portal_servers import PortalBind

ADDRESSES_A_DEVICE = 200  # of --size: five thousand devices for a million
ROUNDS = 3
_MOMENT = datetime(2026, 11, 26, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Device:
    """One of the fleet."""

    name: str
    key: DeviceKey

    def content(self, domain: str, serial: int) -> ZoneContent:
        """Return its settings, those of a gateway, with one that changes."""
        values = {one.name: one.default for one in KINDS["iptables"].settings}
        settings = Settings(
            device_id=self.name,
            nickname=f"gateway-{self.name}",
            kind="iptables",
            values=values | {"log_limit": f"{serial}/second"},
        )
        body = body_of(settings, sealed_with=[self.key])
        return ZoneContent(settings_zone(self.name, domain), serial, body)


def measure(*, size: int) -> list[Row]:
    """Measure both on one server."""
    devices = [
        _Device(f"tdid_{n:08x}", new_key()) for n in range(max(1, size // ADDRESSES_A_DEVICE))
    ]
    try:
        for name, package in (("nsupdate", "bind9-dnsutils"), ("dig", "bind9-dnsutils")):
            program(name, package)
        server = PortalBind()
    except NotInstalled as error:
        raise RowSkipped(str(error)) from error
    with server:
        began = time.perf_counter()
        server.primary().configure(_served(devices, server.domain))
        configured = time.perf_counter() - began
        return [_written(server, devices, configured), _read(server, devices)]


def _served(devices: list[_Device], domain: str) -> Served:
    names = {one.name: tsig_name(one.name, one.key.generation) for one in devices}
    keys = (Key(names[one.name], tsig_secret(one.name, one.key)) for one in devices)
    zones = [
        ServedZone(settings_zone(name, domain), Role.SETTINGS, Access(keys=(key,)))
        for name, key in names.items()
    ]
    grants = (Grant(key, status_name(name, domain)) for name, key in names.items())
    status = ServedZone(status_zone(domain), Role.STATUS, Access(), tuple(grants))
    return Served(tuple(keys), (*zones, status))


def _written(server: PortalBind, devices: list[_Device], configured: float) -> Row:
    primary, domain = server.primary(), server.domain
    serial = 1
    first = _seconds(lambda: _write(primary, [one.content(domain, 1) for one in devices]))
    ours, peers = [], []
    for _ in range(ROUNDS):
        serial += 1
        contents = [one.content(domain, serial) for one in devices]
        ours.append(_seconds(lambda: _write(primary, contents)))  # noqa: B023  # run at once
        serial += 1
        script = _script(server, devices, serial)
        peers.append(_seconds(lambda: _nsupdate(server, script)))  # noqa: B023  # run at once
        for content in [one.content(domain, serial) for one in devices]:
            remember(Folder(server.settings.folder), content.name, Held(serial, content.body))
    return Row(
        name="P20",
        work=f"one setting changed in the zones of {len(devices):,} devices",
        peer="nsupdate -v",
        peer_value=statistics.median(peers),
        our_value=statistics.median(ours),
        unit="s",
        goal="≤ 30",
        note=f"medians of {ROUNDS}; all new: {configured:.1f} s to serve, {first:.1f} s to fill",
    )


def _write(primary: Primary, contents: list[ZoneContent]) -> None:
    if faults := primary.write(contents):
        raise RuntimeError(
            f"P20: {len(faults)} zones were not written: {next(iter(faults.values()))}"
        )


def _script(server: PortalBind, devices: list[_Device], serial: int) -> Path:
    """Write what nsupdate is to do: the same change, and the serial that goes with it."""
    path = server.folder / "script"
    server_line = f"server {server.address} {server.port}\n"
    with path.open("w", encoding="ascii") as file:
        for one in devices:
            zone = settings_zone(one.name, server.domain)
            soa = f"portal.{server.domain}. hostmaster.{server.domain}. {serial} 300 60 604800 60"
            file.write(
                f"{server_line}zone {zone}\nupdate delete log-limit.{zone} TXT\n"
                f'update add log-limit.{zone} 60 TXT "s:{serial}/second"\n'
                f"update add {zone} 60 SOA {soa}\nsend\n"
            )
    return path


def _nsupdate(server: PortalBind, script: Path) -> None:
    command = [program("nsupdate", "bind9-dnsutils"), "-v", "-y", _key(server), str(script)]
    subprocess.run(command, check=True, timeout=600, capture_output=True)


def _read(server: PortalBind, devices: list[_Device]) -> Row:
    zone = status_zone(server.domain)
    lines = (
        f"{name}.{one.name}\tTXT\t{rdata(text)}\n"
        for one in devices
        for name, text in records_of(_status(one)).items()
    )
    _write(server.primary(), [ZoneContent(zone, 1000, "".join(sorted(lines)).encode())])
    printed = server.folder / "printed"
    ours, peers = [], []
    for _ in range(ROUNDS):
        peers.append(_seconds(lambda: _dug(server, zone, printed)))
        ours.append(_seconds(lambda: _statuses(server, len(devices))))
    return Row(
        name="P21",
        work=f"the statuses of {len(devices):,} devices read and understood",
        peer="dig axfr -y",
        peer_value=statistics.median(peers),
        our_value=statistics.median(ours),
        unit="s",
        goal="≤ 2",
        note=f"medians of {ROUNDS}",
    )


def _status(device: _Device) -> Status:
    return Status(
        reported_at=_MOMENT,
        version="0.1.0",
        state="enforced",
        serial=7,
        snapshot=int(device.name[-4:], 16),
        digest="0123456789abcdef" * 4,
        retrieved_at=_MOMENT,
        uploaded_at=_MOMENT,
        clock_offset=0.25,
        errors=("block or allow list web could not be fetched from ThreatSTOP DNS servers.",),
        overrides=("log_limit",),
    )


def _statuses(server: PortalBind, expected: int) -> None:
    found = read_statuses(server.settings.server, domain=server.domain, held=None)
    if found is None or len(statuses_of(found.records)) != expected:
        raise RuntimeError("P21: not all statuses came")


def _dug(server: PortalBind, zone: str, printed: Path) -> None:
    dig = program("dig", "bind9-dnsutils")
    command = [dig, f"@{server.address}", "-p", str(server.port), "axfr", zone, "-y", _key(server)]
    with printed.open("wb") as out:
        subprocess.run(command, stdout=out, check=True, timeout=300)


def _key(server: PortalBind) -> str:
    own = server.settings.server.key
    return f"hmac-sha256:{own.name}:{base64.b64encode(own.secret).decode()}"


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
