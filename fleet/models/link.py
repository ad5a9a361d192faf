"""An appliance's link to a portal: where its settings come from, and what came."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from devices.models import Device
from policies.fields import EncryptedTextField
from policies.models.claim import Claimable, ClaimableQuerySet


class LinkQuerySet(ClaimableQuerySet["Link"]):
    """Questions asked of links."""

    def due(self, *, now: datetime) -> Self:
        """Return the links whose portal is to be asked now."""
        return self.filter(due_at__lte=now).order_by("due_at", "id")


class Link(Claimable):
    """One device here whose settings a portal lays down."""

    device = models.OneToOneField(Device, on_delete=models.CASCADE, related_name="link")
    host = models.CharField(max_length=253)
    port = models.PositiveIntegerField(default=5353)
    domain = models.CharField(max_length=200)
    ca = models.TextField(
        blank=True, default="", help_text="PEM of the CAs to trust; empty for the system's."
    )
    tls_name = models.CharField(
        max_length=253, blank=True, default="", help_text="Of its certificate, if not the host."
    )
    key = EncryptedTextField(help_text="The device key as it was typed, or came since.")
    next_key = EncryptedTextField(
        blank=True, default="", help_text="The one that takes its place, until it was seen to work."
    )

    serial = models.PositiveBigIntegerField(null=True, help_text="Of the settings held.")
    settings = models.JSONField(default=dict, help_text="What the portal said last; no secrets.")
    secrets = EncryptedTextField(blank=True, default="", help_text="The secret ones, as JSON.")
    records = models.JSONField(
        default=list,
        help_text="As they came, so with the secrets sealed: what changes is asked for.",
    )
    overrides = models.JSONField(default=dict, help_text="What is set here instead.")
    secret_overrides = EncryptedTextField(blank=True, default="")

    due_at = models.DateTimeField(db_index=True)
    linked_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True)
    reached_at = models.DateTimeField(null=True, help_text="When the portal last answered well.")
    changed_at = models.DateTimeField(null=True, help_text="When settings last changed.")
    failures = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, default="")
    server = models.CharField(
        max_length=100, blank=True, default="", help_text="The address that answered last."
    )
    refused = models.JSONField(default=list, help_text="Settings not in force here, and why.")
    limits = models.JSONField(
        default=dict, help_text="How much its own lists might change, from before it took zones."
    )
    clock_offset = models.FloatField(null=True, help_text="Seconds the clock here is ahead.")
    reported_at = models.DateTimeField(null=True)
    report_digest = models.CharField(max_length=64, blank=True, default="")
    report_error = models.TextField(blank=True, default="")

    objects = LinkQuerySet.as_manager()

    class Meta:
        ordering = ["device"]
        constraints = [
            models.CheckConstraint(condition=Q(port__gte=1, port__lte=65535), name="link_port"),
        ]

    def __str__(self) -> str:
        return f"{self.device} by {self.portal}"

    @property
    def portal(self) -> str:
        """The portal as people write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 5353 else f"{host}:{self.port}"
