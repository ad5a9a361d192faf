"""The words for what becomes of a batch and of an attempt, and the tone each is shown in."""

from __future__ import annotations

from policies.states import Toned


class BatchState(Toned):
    """What has become of a batch."""

    WAITING = "waiting", "info", "waiting"
    UPLOADED = "uploaded", "success", "uploaded"
    REFUSED = "refused", "danger", "refused by the log service"
    EXPIRED = "expired", "danger", "removed before it was uploaded"


class DeliveryOutcome(Toned):
    """How one attempt to upload a batch ended."""

    DELIVERED = "delivered", "success", "delivered"
    UNAVAILABLE = "unavailable", "warning", "unavailable"
    REFUSED = "refused", "danger", "refused"


class ForwardState(Toned):
    """How forwarding to one target does."""

    CONNECTING = "connecting", "info", "connecting"
    FORWARDING = "forwarding", "success", "forwarding"
    FAILING = "failing", "warning", "cannot be reached"


# Their lines are still to be uploaded: of the ledger they are what waits.
UNSENT = (BatchState.WAITING, BatchState.REFUSED)
FINISHED = (BatchState.UPLOADED, BatchState.EXPIRED)
