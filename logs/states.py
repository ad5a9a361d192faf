"""The words for what becomes of a batch and of an attempt, and the tone each is shown in."""

from __future__ import annotations

from django.db.models import TextChoices

from policies.states import Tone


class BatchState(TextChoices):
    """What has become of a batch."""

    WAITING = "waiting", "waiting"
    UPLOADED = "uploaded", "uploaded"
    REFUSED = "refused", "refused by the log service"
    EXPIRED = "expired", "removed before it was uploaded"

    @property
    def tone(self) -> Tone:
        """The tone this state is shown in."""
        return _BATCH_TONES[self]


class DeliveryOutcome(TextChoices):
    """How one attempt to upload a batch ended."""

    DELIVERED = "delivered", "delivered"
    UNAVAILABLE = "unavailable", "unavailable"
    REFUSED = "refused", "refused"

    @property
    def tone(self) -> Tone:
        """The tone this outcome is shown in."""
        return _DELIVERY_TONES[self]


class ForwardState(TextChoices):
    """How forwarding to one target does."""

    CONNECTING = "connecting", "connecting"
    FORWARDING = "forwarding", "forwarding"
    FAILING = "failing", "cannot be reached"

    @property
    def tone(self) -> Tone:
        """The tone this state is shown in."""
        return _FORWARD_TONES[self]


# Their lines are still to be uploaded: of the ledger they are what waits.
UNSENT = (BatchState.WAITING, BatchState.REFUSED)
FINISHED = (BatchState.UPLOADED, BatchState.EXPIRED)

_BATCH_TONES: dict[BatchState, Tone] = {
    BatchState.WAITING: "info",
    BatchState.UPLOADED: "success",
    BatchState.REFUSED: "danger",
    BatchState.EXPIRED: "danger",
}
_DELIVERY_TONES: dict[DeliveryOutcome, Tone] = {
    DeliveryOutcome.DELIVERED: "success",
    DeliveryOutcome.UNAVAILABLE: "warning",
    DeliveryOutcome.REFUSED: "danger",
}
_FORWARD_TONES: dict[ForwardState, Tone] = {
    ForwardState.CONNECTING: "info",
    ForwardState.FORWARDING: "success",
    ForwardState.FAILING: "warning",
}
