"""Whose lines are kept: from an address to the device it stands for."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from logs.receiver.header import parse
from logs.spool.base import Place, Writer, device_place, kernel_place

_MAPPED = bytes(10) + b"\xff\xff"
_MOST_REMEMBERED = 65_536


@dataclass(frozen=True, slots=True)
class KnownSender:
    """A device as the receiver needs it."""

    key: int
    nickname: str
    device_id: str
    networks: tuple[str, ...]  # addresses and networks it sends from
    names: tuple[str, ...] = ()  # what its lines call it, where devices share an address
    log_size: int = 100_000  # bytes at which a batch closes
    quota: int = 1_000_000_000  # bytes it may have on disk
    least_number: int = 1  # of its next batch
    is_kernel: bool = False  # this machine: its lines come from this kernel
    is_other: bool = False  # another program writes its file, such as rsyslog

    @property
    def is_read_from_kernel(self) -> bool:
        """Whether its lines are read from the kernel's log, which a process of its own does."""
        return self.is_kernel and not self.is_other

    @property
    def writer(self) -> Writer:
        """Who writes its spool."""
        if self.is_other:
            return "other"
        return "kernel" if self.is_kernel else "receiver"

    def place(self, log_dir: Path) -> Place:
        """Return where its spool is."""
        return kernel_place(log_dir) if self.is_kernel else device_place(log_dir, self.nickname)


class SenderTable:
    """Finds the devices of an address: those of its longest network that any has."""

    def __init__(self, known: Iterable[KnownSender]) -> None:
        """Make the table. Raises ValueError on a network that is none."""
        self.known = {sender.key: sender for sender in known}
        self._by_length: dict[int, dict[int, list[KnownSender]]] = {}
        for sender in self.known.values():
            for network in sender.networks:
                self._add(ipaddress.ip_network(network), sender)
        self._lengths = sorted(self._by_length, reverse=True)
        self._found: dict[bytes, tuple[KnownSender, ...]] = {}

    def find(self, address: bytes) -> tuple[KnownSender, ...]:
        """Return the devices that 16 bytes of address stand for; none, one, or those behind it."""
        found = self._found.get(address)
        if found is None:
            if len(self._found) >= _MOST_REMEMBERED:
                self._found.clear()
            found = self._found[address] = self._search(int.from_bytes(address))
        return found

    def _add(
        self, network: ipaddress.IPv4Network | ipaddress.IPv6Network, sender: KnownSender
    ) -> None:
        base = int.from_bytes(packed(network.network_address))
        length = network.prefixlen + (96 if network.version == 4 else 0)
        senders = self._by_length.setdefault(length, {}).setdefault(base, [])
        if sender not in senders:
            senders.append(sender)

    def _search(self, address: int) -> tuple[KnownSender, ...]:
        for length in self._lengths:
            base = address >> (128 - length) << (128 - length)
            if base in self._by_length[length]:
                return tuple(self._by_length[length][base])
        return ()


def chosen(devices: Iterable[KnownSender], line: bytes) -> KnownSender | None:
    """Return which of the devices behind one address sent a line; None where none can be told.

    The one whose names the line bears; else the only one that has no names to be told by.
    """
    found = parse(line).names
    nameless = []
    for device in devices:
        if any(name.lower() in found for name in device.names):
            return device
        if not device.names:
            nameless.append(device)
    return nameless[0] if len(nameless) == 1 else None


def packed(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    """Return an address as 16 bytes."""
    return address.packed if address.version == 6 else _MAPPED + address.packed


def shown(address: bytes) -> str:
    """Return 16 bytes of address as text."""
    if address.startswith(_MAPPED):
        return str(ipaddress.IPv4Address(address[12:]))
    return str(ipaddress.IPv6Address(address))
