"""The words for what becomes of a batch, of an attempt and of a replay, and the tone of each."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import TextChoices

from policies.states import Toned


class Every(TextChoices):
    """How often a report is mailed."""

    NEVER = "never", "never"
    DAILY = "daily", "daily"
    WEEKLY = "weekly", "weekly"
    MONTHLY = "monthly", "monthly"

    @property
    def longest(self) -> timedelta:
        """Longer than any wait until it is mailed next, or tried again."""
        return _LONGEST[self]


_LONGEST = {
    Every.NEVER: timedelta(days=1),
    Every.DAILY: timedelta(days=2),
    Every.WEEKLY: timedelta(days=8),
    Every.MONTHLY: timedelta(days=33),
}


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


class Verdict(Toned):
    """What replaying a block list over past connections came to."""

    NO_EVENTS = "no_events", "neutral", "nothing to try it on"
    UNCHANGED = "unchanged", "success", "nothing changes"
    DROPS = "drops", "danger", "would drop what was let through"
    PASSES = "passes", "warning", "would let pass what was dropped"


# Their lines are still to be uploaded: of the ledger they are what waits.
UNSENT = (BatchState.WAITING, BatchState.REFUSED)
FINISHED = (BatchState.UPLOADED, BatchState.EXPIRED)
