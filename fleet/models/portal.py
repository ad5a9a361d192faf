"""The one row of a portal: who writes to its primary now, and how that went."""

from __future__ import annotations

from django.db import models

from policies.models.claim import Claimable, ClaimableQuerySet


class PortalStateQuerySet(ClaimableQuerySet["PortalState"]):
    """There is one row."""


class PortalState(Claimable):
    """What was written to the primary, and read from it; its primary key is 1."""

    configured_digest = models.CharField(max_length=64, blank=True, default="")
    configured_at = models.DateTimeField(null=True)
    wrote_at = models.DateTimeField(null=True, help_text="When writing last succeeded.")
    error = models.TextField(blank=True, default="", help_text="Why writing fails.")
    failing_since = models.DateTimeField(null=True)
    status_serial = models.PositiveBigIntegerField(null=True)
    statuses_at = models.DateTimeField(null=True, help_text="When statuses were read last.")
    status_error = models.TextField(blank=True, default="")

    objects = PortalStateQuerySet.as_manager()

    def __str__(self) -> str:
        return "portal"
