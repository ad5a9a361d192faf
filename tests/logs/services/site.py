"""A device with a real spool, and a receiver's word for it, for tests of the services."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv6Address

from devices.models import Device
from logs.models import Batch, Spool
from logs.receiver.report import Report, SenderEntry, SpoolEntry
from logs.services import place_of, record_report
from logs.spool.base import Chunk, Manifest
from logs.spool.seal import seal
from logs.spool.writer import Spool as SpoolFiles
from policies.models import Clock
from tests.factories import make_device, make_policy

NODE = "tscm"
_ADDRESS = IPv6Address("::ffff:192.0.2.250").packed
_numbers = itertools.count(1)


def make_sensor(*, now: datetime, **settings: object) -> Sensor:
    """Make a device and open its spool."""
    return Sensor(make_device(policy=make_policy(now=now), now=now, **settings), now)


@dataclass
class Sensor:
    """A device, and the spool that its lines go to."""

    device: Device
    now: datetime
    closed: list[Manifest] = field(default_factory=list)
    least_number: int = 1

    def __post_init__(self) -> None:
        self.files = SpoolFiles(
            place_of(self.device), device_id=self.device.device_id, now=self._nanoseconds,
            least_number=self.least_number,
        )  # fmt: skip

    @property
    def _nanoseconds(self) -> int:
        return int(self.now.timestamp() * 1e9)

    @property
    def spool(self) -> Spool:
        """Its row."""
        return Spool.objects.get(device=self.device)

    def receive(self, lines: int, *, text: bytes = b"<113>a line of a sensor") -> None:
        """Append lines, each with a number of its own."""
        data = b"".join(b"%s %d\n" % (text, next(_numbers)) for _ in range(lines))
        self.files.append([Chunk(data, lines, self._nanoseconds, "udp", _ADDRESS)])

    def receive_text(self, data: bytes, lines: int) -> None:
        """Append lines as they are."""
        self.files.append([Chunk(data, lines, self._nanoseconds, "udp", _ADDRESS)])

    def rotate(self) -> Manifest:
        """Close the open file."""
        number = self.files.rotate()
        assert number is not None
        self.closed.append(
            seal(
                self.files.place,
                number,
                device_id=self.device.device_id,
                writer="receiver",
                closed_at=self.now + timedelta(seconds=number),
            )
        )
        return self.closed[-1]

    def entry(self, *, rotated: datetime | None = None) -> SpoolEntry:
        """Return what a receiver tells of it now; each batch once."""
        state, closed = self.files.state, tuple(self.closed)
        self.closed = []
        return SpoolEntry.of(self.device.pk, state, closed=closed, rotated=rotated)

    def close_batches(self, *sizes: int) -> list[Batch]:
        """Receive, rotate and tell batches of so many lines; return their rows."""
        for lines in sizes:
            self.receive(lines)
            self.rotate()
        tell(self.now, self.entry())
        return list(Batch.objects.filter(spool=self.spool).order_by("number"))


def make_report(
    now: datetime,
    *spools: SpoolEntry,
    number: int | None = None,
    senders: Sequence[SenderEntry] = (),
    **columns: object,
) -> Report:
    """Return a receiver's report; every one has a number of its own."""
    values: dict[str, object] = {
        "node": NODE,
        "started_at": now - timedelta(hours=1),
        "listeners": ("udp [::]:514", "tcp [::]:514"),
        **columns,
    }
    return Report(
        number=next(_numbers) if number is None else number,
        spools=spools,
        senders=tuple(senders),
        **values,  # type: ignore[arg-type]
    )


def tell(now: datetime, *spools: SpoolEntry, node: str = NODE) -> None:
    """Have a receiver tell of some spools."""
    record_report(report=make_report(now, *spools, node=node), now=now)


def settle_clock(*, now: datetime) -> None:
    """Have this machine's clock be looked at now, as for some days."""
    Clock.objects.update_or_create(
        node=NODE,
        defaults={
            "boot": "a", "uptime": 200_000, "checked_at": now, "back_at": now - timedelta(days=2),
        },
    )  # fmt: skip
