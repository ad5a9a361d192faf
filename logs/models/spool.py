"""The ledger of one device: what its receiver counted, and what no row of a batch holds."""

from __future__ import annotations

from django.db import models

from devices.models import Device
from policies.models import Claimable, ClaimableQuerySet


class SpoolQuerySet(ClaimableQuerySet["Spool"]):
    """Reads of spools, and their claims."""


class Spool(Claimable):
    """What is known of the lines of one device. Who uploads its batches holds its claim.

    The lines of the ledger: received = spooled + refused + over_quota + lost, as the receiver
    counted them; spooled = uploaded + waiting + expired, by the states of batches. Whoever changes
    a batch holds the lock of this row.
    """

    device = models.OneToOneField(Device, on_delete=models.CASCADE, related_name="spool")
    received = models.PositiveBigIntegerField(default=0, help_text="Lines from this device.")
    spooled = models.PositiveBigIntegerField(default=0, help_text="Lines that were kept.")
    refused = models.PositiveBigIntegerField(default=0, help_text="Could not be written.")
    over_quota = models.PositiveBigIntegerField(default=0, help_text="There was no room for them.")
    lost = models.PositiveBigIntegerField(default=0, help_text="Were kept, and are gone.")
    open_lines = models.PositiveBigIntegerField(default=0, help_text="In no closed batch yet.")
    open_bytes = models.PositiveBigIntegerField(default=0)
    open_since = models.DateTimeField(null=True)
    last_line_at = models.DateTimeField(null=True)
    trouble = models.TextField(blank=True, default="", help_text="What the receiver said of it.")
    reported_at = models.DateTimeField(null=True, help_text="When its receiver told last.")
    missed_at = models.DateTimeField(null=True, help_text="When lines were missed last.")

    rotate_asked_at = models.DateTimeField(null=True, help_text="When a person asked for it.")
    rotated_at = models.DateTimeField(null=True, help_text="The asking that was answered last.")

    # Of what was counted before its counters began anew, because its files were lost.
    before_spooled = models.PositiveBigIntegerField(default=0)
    before_refused = models.PositiveBigIntegerField(default=0)
    before_over_quota = models.PositiveBigIntegerField(default=0)
    before_lost = models.PositiveBigIntegerField(default=0)

    # An answer that is about the way and not about one batch stops all uploads of the device.
    stopped_at = models.DateTimeField(
        null=True, help_text="Nothing is uploaded until a person asks, or a setting changes."
    )
    stopped_way = models.CharField(
        max_length=64, blank=True, default="", help_text="Digest of the settings of that time."
    )

    # Of its batches, so that nobody has to read all of them. `logs.services.sums` changes them with
    # the rows; lines are also those of rows that are not kept any more.
    highest_number = models.BigIntegerField(default=0, help_text="That one ever had.")
    known_batches = models.BigIntegerField(default=0, help_text="That have rows.")
    waiting_batches = models.BigIntegerField(default=0)
    refused_batches = models.BigIntegerField(default=0)
    waiting_lines = models.BigIntegerField(default=0, help_text="Of refused ones too.")
    uploaded_lines = models.BigIntegerField(default=0)
    expired_lines = models.BigIntegerField(default=0)
    unsent_bytes = models.BigIntegerField(default=0, help_text="Waiting and refused.")
    kept_bytes = models.BigIntegerField(default=0, help_text="Of files that are there.")

    unparsed_lines = models.PositiveBigIntegerField(
        default=0, help_text="Were removed before they were parsed: reports know nothing of them."
    )

    # Of batches whose rows are not kept any more: those up to this number.
    pruned_number = models.PositiveBigIntegerField(default=0)
    pruned_uploaded = models.PositiveBigIntegerField(default=0, help_text="Lines of them.")
    pruned_expired = models.PositiveBigIntegerField(default=0, help_text="Lines of them.")

    objects = SpoolQuerySet.as_manager()

    class Meta:
        verbose_name = "ledger"
        ordering = ["device__nickname", "id"]

    def __str__(self) -> str:
        return f"spool of {self.device}"

    @property
    def missed(self) -> int:
        """How many lines were received and not kept."""
        return self.refused + self.over_quota + self.lost
