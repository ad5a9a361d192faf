"""A portal as devices see it: a real BIND, and what a console lays down on it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fleet.primary.base import Access, Grant, Key, Role, Served, ServedZone, ZoneContent
from fleet.primary.statuses import read_statuses as records_in_status_zone
from fleet.protocol.base import DeviceKey, PolicyPlace, Portal, Settings, Status, Value
from fleet.protocol.keys import key_text, new_key, tsig_name, tsig_secret
from fleet.protocol.names import settings_zone, status_name, status_zone
from fleet.protocol.settings_zone import body_of
from fleet.protocol.status_zone import read_statuses
from fleet.zones import FORMS
from netsets.cidr import AddressSet
from netsets.parse import parse_text
from tests.fakes.portal_servers import TLS_NAME, PortalServer

_numbers = itertools.count(1)


@dataclass
class Entry:
    """One device as the portal has it: what it lays down, and its good keys, the oldest first."""

    settings: Settings
    keys: list[DeviceKey]
    serial: int = 0

    @property
    def device_id(self) -> str:
        """Its ID."""
        return self.settings.device_id

    @property
    def key_text(self) -> str:
        """The newest key, as an administrator types it."""
        return key_text(self.keys[-1])


@dataclass
class LaidOut:
    """A portal on a primary; each test has devices and policies of its own there."""

    server: PortalServer
    entries: dict[str, Entry] = field(default_factory=dict)
    policies: dict[str, int] = field(default_factory=dict)  # zone: serial

    @property
    def portal(self) -> Portal:
        """Where devices reach it."""
        return Portal(
            "127.0.0.1", self.server.tls_port, self.server.domain, self.server.ca, TLS_NAME
        )

    def enter(
        self, kind: str = "firepower", *, policy: PolicyPlace | None = None, **values: Value
    ) -> Entry:
        """Make an entry and publish it; a Firepower has a management address at least."""
        number = next(_numbers)
        first: dict[str, Value] = {"management_ip": "192.0.2.3"} if kind == "firepower" else {}
        if policy is None:
            first |= {"block_list": f"block-{number}.example", "allow_list": ""}
        settings = Settings(
            device_id=f"tdid_d{number:07x}", nickname=f"dev-{number}", kind=kind,
            values={**first, **values}, policy=policy,
        )  # fmt: skip
        entry = Entry(settings, [new_key()])
        self.entries[entry.device_id] = entry
        self.configure()
        self.write(entry)
        return entry

    def lay_down(self, entry: Entry, **values: Value) -> None:
        """Change settings of an entry, and publish it."""
        entry.settings = replace(entry.settings, values={**entry.settings.values, **values})
        self.write(entry)

    def write(self, entry: Entry, *, content: Settings | None = None) -> None:
        """Publish an entry, or other `content` under its name."""
        entry.serial += 1
        if len(entry.keys) > 1:
            entry.settings = replace(entry.settings, next_key=entry.keys[-1])
        body = body_of(content or entry.settings, sealed_with=entry.keys)
        self._write(settings_zone(entry.device_id, self.server.domain), entry.serial, body)

    def publish(
        self, block: Sequence[str], allow: Sequence[str] = (), *, label: str = "", snapshot: int = 1
    ) -> PolicyPlace:
        """Publish the lists of a policy, a new one where no label is given."""
        label = label or f"edge-{next(_numbers)}"
        form = FORMS["apl"]
        lists = {"block": _set(block), "allow": _set(allow)}
        zones = {str(role): name for role, name in form.zones(label, self.server.domain)}
        self.policies |= {name: self.policies.get(name, 0) + 1 for name in zones.values()}
        self.configure()
        for role, name in form.zones(label, self.server.domain):
            rendered = form.render(role, name, snapshot=snapshot, **lists)
            self._write(name, self.policies[name], rendered.body)
        return PolicyPlace(
            name=label, block_zone=zones["block"], allow_zone=zones["allow"],
            servers=(f"127.0.0.1:{self.server.tls_port}",), port=self.server.tls_port, tls=True,
            tls_name=TLS_NAME, snapshot=snapshot,
        )  # fmt: skip

    def configure(self) -> None:
        """Serve all that there is, to the holders of the keys that are good."""
        keys = [(entry, key) for entry in self.entries.values() for key in entry.keys]
        names = [tsig_name(entry.device_id, key.generation) for entry, key in keys]
        zones = [
            ServedZone(
                settings_zone(entry.device_id, self.server.domain), Role.SETTINGS,
                Access(tuple(tsig_name(entry.device_id, key.generation) for key in entry.keys)),
            )
            for entry in self.entries.values()
        ]  # fmt: skip
        zones += [ServedZone(name, Role.POLICY, Access(tuple(names))) for name in self.policies]
        grants = tuple(
            Grant(name, status_name(entry.device_id, self.server.domain))
            for name, (entry, _) in zip(names, keys, strict=True)
        )
        zones.append(ServedZone(status_zone(self.server.domain), Role.STATUS, Access(), grants))
        secrets = [Key(name, tsig_secret(entry.device_id, key))
                   for name, (entry, key) in zip(names, keys, strict=True)]  # fmt: skip
        self.server.primary().configure(Served(tuple(secrets), tuple(zones)))

    def status(self, entry: Entry) -> Status | None:
        """Return what a device says of itself, None where it said nothing yet."""
        server = self.server.settings.server
        found = records_in_status_zone(server, domain=self.server.domain, held=None)
        assert found is not None
        return read_statuses(found.records).get(entry.device_id)

    def _write(self, zone: str, serial: int, body: bytes) -> None:
        faults = self.server.primary().write([ZoneContent(zone, serial, body)])
        assert not faults, faults


def _set(lines: Sequence[str]) -> AddressSet:
    return parse_text("\n".join(lines).encode()).addresses
