"""logs --verify: count every line from the files, and hold it against what is written down."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from devices.models import Device
from logs import services
from logs.models import Receiver
from logs.reports.recounted import Rows, are_behind, differences, rows_of
from logs.spool.verify import Recount, recount
from tsadmin.commands.finding import find_device
from tsadmin.errors import Refused
from tsadmin.screen import print_json, print_line, print_table, progress
from tsadmin.words import counted

COLUMNS = (
    "Device", "Received", "Kept", "Refused", "Over quota", "Lost", "Uploaded", "Waiting", "Expired",
    "Open", "Recounted",
)  # fmt: skip
# A receiver tells every second or two how its spools do.
SETTLE_SECONDS = 10.0
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Verified:
    """What the files of a device hold, what its rows say, and where these differ."""

    device: Device
    found: Recount
    rows: Rows
    differences: tuple[str, ...]

    def row(self) -> tuple[str, ...]:
        """Return it for the table."""
        return (self.device.nickname, *(f"{n:,}" for n in self._lines()), f"{self.found.spooled:,}")

    def json(self) -> dict[str, object]:
        """Return it for programs."""
        names = (
            "received", "spooled", "refused", "over_quota", "lost", "uploaded", "waiting",
            "expired", "open",
        )  # fmt: skip
        return {
            "name": self.device.nickname,
            **dict(zip(names, self._lines(), strict=True)),
            "recounted": self.found.spooled,
            "batches": len(self.found.batches),
            "differences": list(self.differences),
        }

    def _lines(self) -> tuple[int, ...]:
        ledger = self.rows.ledger
        return (
            ledger.received, ledger.spooled, ledger.refused, ledger.over_quota, ledger.lost,
            ledger.uploaded, ledger.waiting, ledger.expired, ledger.open,
        )  # fmt: skip


def verify_logs(*, nickname: str | None, as_json: bool) -> None:
    """Recount the lines of one device or of all, and print it; raises Refused on a difference."""
    if nickname is None:
        devices = list(Device.objects.filter(is_sample=False).order_by("nickname", "id"))
    else:
        devices = [find_device(nickname)]
    with progress(quiet=as_json) as on_progress:
        verified = []
        for device in devices:
            on_progress(f"recount {device}")
            verified.append(_verify(device))
    count = sum(len(one.differences) for one in verified)
    if as_json:
        print_json({"devices": [one.json() for one in verified]})
    else:
        _print(verified)
    if count:
        which = counted(count, "difference", "differences")
        raise Refused(f"{which} between what the files hold and what is written down")


def _print(verified: Iterable[Verified]) -> None:
    print_table(COLUMNS, [one.row() for one in verified])
    for one in verified:
        for difference in one.differences:
            print_line(f"{one.device}: {difference}", tone="danger")


def _verify(device: Device) -> Verified:
    before = rows_of(device)
    found = recount(services.place_of(device), pruned=before.pruned)
    after = _settled(device, found)
    if after.pruned != before.pruned:
        return _verify(device)  # rows and manifests of old batches went meanwhile: once an hour
    return Verified(device, found, after, tuple(differences(found, before=before, after=after)))


def _settled(device: Device, found: Recount) -> Rows:
    """Return the rows once they tell of all that was found; as they are, if they never will."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        rows = rows_of(device)
        is_over = time.monotonic() >= deadline or not _is_somebody_telling()
        if is_over or not are_behind(rows, found):
            return rows
        time.sleep(_POLL_SECONDS)


def _is_somebody_telling() -> bool:
    """Tell whether a receiver runs: then rows follow the files within seconds."""
    now = timezone.now()
    running = Receiver.objects.filter(stopped_at=None)
    return any(not row.is_silent(now=now) for row in running.order_by("pk"))
