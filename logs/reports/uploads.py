"""How the uploads of a device do, in a word and a sentence: one place for console and API."""

from __future__ import annotations

from logs.models import Spool
from logs.reports.ledger import Ledger
from policies.states import Told, Toned


class UploadState(Toned):
    """The word for a device's uploads."""

    OFF = "off", "neutral", "off"
    STOPPED = "stopped", "danger", "stopped"
    REFUSED = "refused", "danger", "refused"
    FAILING = "failing", "warning", "failing"
    WAITING = "waiting", "info", "waiting"
    CURRENT = "current", "success", "up to date"
    EXPIRED = "expired", "warning", "up to date, some expired"
    NOTHING = "nothing", "neutral", "nothing yet"


# Those for which there is something to try again.
TROUBLED = (UploadState.STOPPED, UploadState.REFUSED, UploadState.FAILING)


class Uploads(Told[UploadState]):
    """How uploads do."""


def uploads_of(spool: Spool, ledger: Ledger) -> Uploads:
    """Return how the uploads of a spool's device do."""
    state = _state(spool, ledger)
    return Uploads(state, _detail(state, spool, ledger))


def _state(spool: Spool, ledger: Ledger) -> UploadState:
    checks = (
        (UploadState.OFF, not spool.device.send_logs),
        (UploadState.STOPPED, spool.stopped_at is not None),
        (UploadState.REFUSED, ledger.batches_refused > 0),
        (UploadState.FAILING, ledger.batches_waiting > 0 and spool.device.log_trouble != ""),
        (UploadState.WAITING, ledger.batches_waiting > 0),
        (UploadState.EXPIRED, ledger.expired > 0),
        (UploadState.CURRENT, ledger.uploaded > 0),
    )
    return next((state for state, holds in checks if holds), UploadState.NOTHING)


def _detail(state: UploadState, spool: Spool, ledger: Ledger) -> str:
    trouble = spool.device.log_trouble
    sentences = {
        UploadState.OFF: "Its lines are kept and not uploaded: “send logs” is off.",
        UploadState.STOPPED: (
            f"{trouble} Nothing of this device is uploaded until a setting of the way changes or a "
            f"person has it tried again."
        ),
        UploadState.REFUSED: (
            f"{trouble} The batches behind it go on; it stays until it is tried again."
        ),
        UploadState.FAILING: f"{trouble} It is tried again by itself; the lines are kept.",
        UploadState.WAITING: f"Batches that wait for their turn: {ledger.batches_waiting:,}.",
        UploadState.CURRENT: "Every closed batch is uploaded.",
        UploadState.EXPIRED: (
            f"Every batch that is kept is uploaded. Lines that were removed before, to make room: "
            f"{ledger.expired:,}."
        ),
        UploadState.NOTHING: "No batch was closed yet.",
    }
    return sentences[state].strip()
