"""What a line calls its device: the host in its head, and the device that Firepower names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from logs.parsers import head

_DEVICE = re.compile(rb"DeviceUUID: ([0-9A-Fa-f-]{36})")


@dataclass(frozen=True, slots=True)
class Record:
    """What the head of a line says; "" and None for what it does not say."""

    priority: int | None
    stamp: str  # as written
    host: str
    device_uuid: str
    is_rfc5424: bool
    body_at: int  # where the head ends

    @property
    def names(self) -> frozenset[str]:
        """What the line calls its device: the host, its first label, the DeviceUUID."""
        found = {self.host, self.host.partition(".")[0], self.device_uuid}
        return frozenset(name.lower() for name in found if name)


def parse(line: bytes) -> Record:
    """Return what the head of `line` says. Never raises."""
    found = head.parse(line)
    uuid = _DEVICE.search(line)
    return Record(
        priority=found.priority, stamp=found.stamp, host=found.host,
        device_uuid=uuid[1].decode("ascii") if uuid else "",
        is_rfc5424=found.is_rfc5424, body_at=found.body_at,
    )  # fmt: skip
