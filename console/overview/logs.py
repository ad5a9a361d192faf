"""What the start page says of the log lines of devices: whether they come, and go on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min

from logs.models import Batch, Spool
from logs.reports.ledger import ledgers
from logs.reports.uploads import Uploads, UploadState, uploads_of
from logs.states import UNSENT
from policies.states import Told, Tone, Toned

# A firewall that drops nothing has nothing to tell; a whole day of that is worth a word.
QUIET_AFTER = timedelta(days=1)
# A batch is closed every quarter of an hour: two that were not sent are no accident.
LATE_AFTER = timedelta(minutes=30)


class FlowState(Toned):
    """The word for the lines of a device."""

    NONE = "none", "neutral", "none yet"
    QUIET = "quiet", "warning", "quiet"
    FLOWING = "flowing", "success", "flowing"


class Flow(Told[FlowState]):
    """Whether the lines of a device come."""


@dataclass(frozen=True, slots=True)
class Logs:
    """The lines of one device."""

    flow: Flow
    last_line_at: datetime | None = None
    uploads: Uploads | None = None  # None where nothing was ever received
    unsent_since: datetime | None = None  # when the batch was closed that waits the longest
    is_late: bool = False

    @property
    def uploads_tone(self) -> Tone:
        """The tone of its uploads: to wait for a while is nothing that anybody has to look at."""
        if self.uploads is None:
            return "neutral"
        is_waiting = self.uploads.state == UploadState.WAITING
        return "warning" if is_waiting and self.is_late else self.uploads.tone


NO_LOGS = Logs(Flow(FlowState.NONE, "No line has come from it."))


def logs_of(devices: Iterable[int], *, now: datetime) -> dict[int, Logs]:
    """Return what there is to say of the lines of devices, by their ids, in three queries.

    A device that has no ledger is left out: NO_LOGS is said of it.
    """
    rows = Spool.objects.filter(device__in=devices).select_related("device")
    spools = list(rows)
    told, unsent = ledgers(rows), _unsent_since(spools)
    return {
        spool.device_id: Logs(
            flow=_flow(spool.last_line_at, now=now),
            last_line_at=spool.last_line_at,
            uploads=uploads_of(spool, told[spool.device_id]) if spool.received else None,
            unsent_since=unsent.get(spool.pk),
            is_late=spool.pk in unsent and now - unsent[spool.pk] > LATE_AFTER,
        )
        for spool in spools
        if spool.device_id in told
    }


def _flow(last: datetime | None, *, now: datetime) -> Flow:
    if last is None:
        return NO_LOGS.flow
    if now - last > QUIET_AFTER:
        return Flow(FlowState.QUIET, "No line has come for more than a day.")
    return Flow(FlowState.FLOWING, "Its lines come.")


def _unsent_since(spools: Iterable[Spool]) -> dict[int, datetime]:
    """Return when the batch was closed that waits the longest, by spool."""
    behind = [spool.pk for spool in spools if spool.waiting_batches or spool.refused_batches]
    waiting = Batch.objects.filter(spool__in=behind, state__in=UNSENT).order_by()
    return {
        row["spool"]: row["at"] for row in waiting.values("spool").annotate(at=Min("closed_at"))
    }
