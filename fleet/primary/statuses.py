"""What devices wrote into the status zone, read back from the primary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dns.rdatatype import RdataType

from fleet.primary.errors import fault_of
from fleet.primary.exchange import zone_records
from fleet.primary.records import Record, serial_of
from fleet.primary.server import NameServer
from fleet.protocol.names import status_zone
from policies.sources.base import Deadline, SourceError
from policies.sources.dns_errors import TimedOut
from policies.sources.zone_errors import ZoneTooLarge

MOST_RECORDS = 64  # of one device; a status has less than twenty
SECONDS = 30.0
_BOUNDED = (
    "The name server is told to keep it smaller: see that it has read tscm.conf as it is now"
    " (TSCM_PORTAL_DIR, _CONTROL)."
)


@dataclass(frozen=True, slots=True)
class StatusRecords:
    """One version of the status zone."""

    serial: int
    # Owners below the zone's name, and texts; of each device the first `MOST_RECORDS`.
    records: tuple[tuple[str, str], ...]
    counts: Mapping[str, int]  # of all that came, by what stands for the device's ID
    is_whole: bool = True  # there is more than is read

    @property
    def flooding(self) -> list[str]:
        """What stands for the IDs of devices that wrote more than any status has."""
        return sorted(device for device, count in self.counts.items() if count > MOST_RECORDS)


def read_statuses(
    server: NameServer, *, domain: str, held: int | None, seconds: float = SECONDS
) -> StatusRecords | None:
    """Return what all devices report, for `fleet.protocol.status_zone`; None at the serial held.

    However much one device wrote, what the others say is read. Raises a `PrimaryError`.
    """
    zone = status_zone(domain)
    found = _Reading()
    try:
        with server.stream(Deadline.after(seconds)) as stream:
            talk = server.talk(stream, zone)
            if talk.serial() == held:
                return None
            records = zone_records(talk)
            found.serial = serial_of(next(records))
            for device, record in below_devices(records):
                found.take(device, record)
    except SourceError as error:
        partly = found.taken(is_whole=False)
        if isinstance(error, ZoneTooLarge | TimedOut) and partly.flooding:
            return partly  # who writes so much is known, and can be stopped
        advice = _BOUNDED if isinstance(error, ZoneTooLarge) else ""
        deed = "what devices report could not be read"
        raise fault_of(error, deed=deed, advice=advice) from error
    return found.taken(is_whole=True)


@dataclass(slots=True)
class _Reading:
    """What has come of the zone so far."""

    serial: int = 0
    kept: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, device: str, record: Record) -> None:
        self.counts[device] += 1
        if self.counts[device] <= MOST_RECORDS:
            self.kept.append(_read(record))

    def taken(self, *, is_whole: bool) -> StatusRecords:
        return StatusRecords(self.serial, tuple(self.kept), self.counts, is_whole)


def below_devices(records: Iterator[Record]) -> Iterator[tuple[str, Record]]:
    """Yield the TXT records that devices wrote, and what stands for the ID of the device.

    That is the last label: a right to write is one at and below it.
    """
    for record in records:
        if record.rdtype == RdataType.TXT and record.owner:
            yield _strings(record.owner)[-1].decode("latin-1"), record


def _read(record: Record) -> tuple[str, str]:
    owner = b".".join(_strings(record.owner))
    text = b"".join(_strings(record.rdata))
    return owner.decode("latin-1"), text.decode(errors="replace")


def _strings(wire: bytes) -> list[bytes]:
    """Return the parts that follow their lengths, as labels and texts do."""
    found, at = [], 0
    while at < len(wire):
        found.append(wire[at + 1 : at + 1 + wire[at]])
        at += 1 + wire[at]
    return found
