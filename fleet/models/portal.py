"""The one row of a portal: who writes to its primary now, and how that went."""

from __future__ import annotations

from django.db import models

from policies.models.claim import Claimable, ClaimableQuerySet


class PortalStateQuerySet(ClaimableQuerySet["PortalState"]):
    """There is one row."""


class PortalState(Claimable):
    """What was written to the primary, and read from it; its primary key is 1."""

    # Counted up by whoever changes what is to be served; told is the count that was served last.
    changes = models.PositiveBigIntegerField(default=0)
    changes_served = models.PositiveBigIntegerField(default=0)
    configured_digest = models.CharField(
        max_length=64, blank=True, default="", help_text="Of what is served."
    )
    configured_at = models.DateTimeField(null=True)
    # A policy that is deleted takes its zones along, and tells nobody.
    policy_zones = models.PositiveIntegerField(default=0, help_text="How many are served.")
    wrote_at = models.DateTimeField(null=True, help_text="When writing last succeeded.")
    error = models.TextField(blank=True, default="", help_text="Why writing fails.")
    failing_since = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True, help_text="Not before this, after a failure.")
    status_serial = models.PositiveBigIntegerField(null=True)
    statuses_at = models.DateTimeField(null=True, help_text="When statuses were read last.")
    status_error = models.TextField(blank=True, default="")

    objects = PortalStateQuerySet.as_manager()

    def __str__(self) -> str:
        return "portal"
