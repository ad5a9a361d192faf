"""Which device a refused sender most likely is."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from devices.models import Device
from logs.models import Sender
from logs.receiver.header import parse

_NEAR = {4: 24, 6: 64}  # prefix lengths within which addresses are neighbours

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A device that a sender may be, and what speaks for it; "" where nothing does."""

    device: Device
    reason: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What a device is known by."""

    device: Device
    names: frozenset[str]
    networks: tuple[_Network, ...]


class Adopters:
    """The devices that senders can be adopted for, told apart by names and addresses."""

    def __init__(self, devices: Iterable[Device]) -> None:
        self._known = [_known(device) for device in devices]

    @classmethod
    def all(cls) -> Adopters:
        """Return all devices there are."""
        return cls(Device.objects.filter(is_sample=False).order_by("nickname", "id"))

    def of(self, sender: Sender) -> list[Suggestion]:
        """Return every device, those first that something speaks for."""
        if len(self._known) == 1:
            return [Suggestion(self._known[0].device, "the only device")]
        names = parse(sender.sample.encode()).names
        address = ipaddress.ip_address(sender.address)
        near = ipaddress.ip_network(f"{address}/{_NEAR[address.version]}", strict=False)
        found = [_judged(known, names, near) for known in self._known]
        return [one for _, one in sorted(found, key=lambda judged: judged[0])]


def _known(device: Device) -> _Known:
    names = (device.nickname, device.node, *device.log_names)
    networks = (*filter(None, [device.management_ip]), *device.syslog_sources)
    return _Known(
        device,
        frozenset(name.lower() for name in names if name),
        tuple(ipaddress.ip_network(one, strict=False) for one in networks),
    )


def _judged(known: _Known, names: frozenset[str], near: _Network) -> tuple[int, Suggestion]:
    """Return a device with what speaks for it, and its place: 0 comes first."""
    if named := sorted(known.names & names):
        return 0, Suggestion(known.device, f"its lines say {named[0]}")
    if any(near.version == one.version and near.overlaps(one) for one in known.networks):
        return 1, Suggestion(known.device, "in its network")
    return 2, Suggestion(known.device, "")
