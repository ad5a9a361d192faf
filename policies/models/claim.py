"""Rows that one worker at a time may work on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self, TypeVar

from django.db import models
from django.db.models import Q

from policies.claims import is_gone, new_owner

Row = TypeVar("Row", bound=models.Model)


class ClaimLost(Exception):
    """Another worker took the row over; what was done here must not be written."""


class ClaimableQuerySet(models.QuerySet[Row]):
    """Claims by conditional UPDATE; the count of changed rows is the answer."""

    def unclaimed(self, *, now: datetime, lease: timedelta) -> Self:
        """Return the rows nobody holds a running claim on.

        One that ends later than any can was made before the clock was set back.
        """
        ended = Q(claimed_until__lt=now) | Q(claimed_until__gt=now + 2 * lease)
        return self.filter(Q(claimed_until=None) | ended)

    def claim(self, *, pk: int, now: datetime, lease: timedelta) -> str | None:
        """Claim row `pk` until `now + lease`; return the owner, None when someone else holds it."""
        owner = new_owner()
        taken = {"claimed_by": owner, "claimed_until": now + lease}
        row = self.filter(pk=pk)
        if row.unclaimed(now=now, lease=lease).update(**taken) == 1:
            return owner
        holder = row.values_list("claimed_by", flat=True).first()
        if holder and is_gone(holder) and row.filter(claimed_by=holder).update(**taken) == 1:
            return owner
        return None

    def release(self, *, pk: int, owner: str) -> None:
        """Let go of row `pk` if `owner` still holds it."""
        self.filter(pk=pk, claimed_by=owner).update(claimed_by="", claimed_until=None)


class Claimable(models.Model):
    """A row with room for a claim."""

    claimed_by = models.CharField(max_length=120, blank=True, default="", editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True

    def is_claimed(self, *, now: datetime, lease: timedelta) -> bool:
        """Tell whether somebody holds a running claim; see `ClaimableQuerySet.unclaimed`."""
        until = self.claimed_until
        return until is not None and now <= until <= now + 2 * lease
