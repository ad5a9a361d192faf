"""Which device a refused sender most likely is."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from devices.models import Device
from logs.models import Sender
from logs.receiver.header import parse
from policies.visible import Person

_NEAR = {4: 24, 6: 64}  # prefix lengths within which addresses are neighbours

# First and last address, as numbers: there may be a thousand senders for a thousand devices.
_Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A device that a sender may be, and what speaks for it; "" where nothing does."""

    device: Device
    reason: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What a device is known by, and what is said where nothing speaks for it."""

    device: Device
    names: frozenset[str]
    spans: dict[int, tuple[_Span, ...]]  # by version
    unlikely: Suggestion


class Adopters:
    """The devices that senders can be adopted for, told apart by names and addresses."""

    def __init__(self, devices: Iterable[Device]) -> None:
        self._known = [_known(device) for device in devices]

    @classmethod
    def all(cls) -> Adopters:
        """Return all devices there are."""
        return cls(Device.objects.filter(is_sample=False).order_by("nickname", "id"))

    @classmethod
    def seen_by(cls, user: Person) -> Adopters:
        """Return the devices that a person sees."""
        devices = Device.objects.visible_to(user).filter(is_sample=False)
        return cls(devices.order_by("nickname", "id"))

    def of(self, sender: Sender) -> list[Suggestion]:
        """Return every device, those first that something speaks for."""
        if len(self._known) == 1:
            return [Suggestion(self._known[0].device, "the only device")]
        names = parse(sender.sample.encode()).names
        address = ipaddress.ip_address(sender.address)
        near = _span(f"{address}/{_NEAR[address.version]}")
        places: tuple[list[Suggestion], ...] = ([], [], [])
        for known in self._known:
            place, suggestion = _judged(known, names, address.version, near)
            places[place].append(suggestion)
        return [*places[0], *places[1], *places[2]]


def _known(device: Device) -> _Known:
    names = (device.nickname, device.node, *device.log_names)
    networks = [*filter(None, [device.management_ip]), *device.syslog_sources]
    return _Known(
        device,
        frozenset(name.lower() for name in names if name),
        {
            4: tuple(_span(one) for one in networks if ":" not in one),
            6: tuple(_span(one) for one in networks if ":" in one),
        },
        Suggestion(device, ""),
    )


def _span(network: str) -> _Span:
    found = ipaddress.ip_network(network, strict=False)
    return int(found.network_address), int(found.broadcast_address)


def _judged(
    known: _Known, names: frozenset[str], version: int, near: _Span
) -> tuple[int, Suggestion]:
    """Return a device with what speaks for it, and its place: 0 comes first."""
    if not known.names.isdisjoint(names):
        return 0, Suggestion(known.device, f"its lines say {min(known.names & names)}")
    first, last = near
    for low, high in known.spans[version]:
        if low <= last and first <= high:
            return 1, Suggestion(known.device, "in its network")
    return 2, known.unlikely
