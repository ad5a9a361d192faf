"""Closed batches of lines, and each attempt to upload one."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from logs.models.spool import Spool
from logs.states import BatchState, DeliveryOutcome
from policies.models import Claimable, ClaimableQuerySet

_UPLOADED, _WAITING = Q(state=BatchState.UPLOADED), Q(state=BatchState.WAITING)


class BatchQuerySet(ClaimableQuerySet["Batch"]):
    """Reads of batches, and the claims of who parses them."""


class Batch(Claimable):
    """What was closed at one time, as its manifest says, and what has become of it since.

    Who parses it holds its claim; who uploads it, that of its spool. Of its lines, once parsed:
    lines = events + no_connection + unknown.
    """

    spool = models.ForeignKey(Spool, on_delete=models.CASCADE, related_name="batches")
    number = models.PositiveBigIntegerField(help_text="Of this device; a gap is a lost batch.")
    writer = models.CharField(max_length=16)
    device_id = models.CharField(max_length=64, help_text="Under which it is uploaded.")
    lines = models.PositiveBigIntegerField()
    bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    closed_at = models.DateTimeField()

    state = models.CharField(max_length=16, choices=BatchState.choices, default=BatchState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True, help_text="Not before this; empty: not any more.")
    error = models.TextField(blank=True, default="")
    uploaded_at = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True, help_text="When its lines were let go.")
    is_deleted = models.BooleanField(default=False, help_text="Whether its files are gone.")

    parsed_version = models.PositiveIntegerField(
        default=0, help_text="Of the parsers that read it last; 0 where none did."
    )
    parsed_at = models.DateTimeField(null=True)
    events = models.PositiveBigIntegerField(default=0, help_text="Lines that tell of a connection.")
    no_connection = models.PositiveBigIntegerField(
        default=0, help_text="Lines that tell of something else."
    )
    unknown = models.PositiveBigIntegerField(default=0, help_text="Lines that no parser knows.")
    parse_error = models.TextField(blank=True, default="")
    parse_due_at = models.DateTimeField(
        null=True, help_text="Not before this, after a failure; empty for at once."
    )

    objects = BatchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "batches"
        ordering = ["-closed_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["spool", "number"], name="batch_once_a_number"),
            models.CheckConstraint(
                condition=Q(state__in=BatchState.values), name="batch_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(_UPLOADED, uploaded_at__isnull=False) | Q(~_UPLOADED, uploaded_at=None),
                name="batch_uploaded_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(_WAITING, due_at__isnull=False) | Q(~_WAITING, due_at=None),
                name="batch_waiting_has_a_time",
            ),
            models.CheckConstraint(
                condition=~Q(state=BatchState.EXPIRED) | Q(removed_at__isnull=False),
                name="batch_expired_is_removed",
            ),
        ]
        indexes = [
            models.Index(fields=["-closed_at", "-id"], name="batch_newest"),
            models.Index(fields=["due_at"], condition=_WAITING, name="batch_due"),
            models.Index(fields=["spool", "state", "number"], name="batch_by_state"),
            models.Index(
                fields=["spool", "number"], condition=Q(removed_at=None), name="batch_kept"
            ),
            models.Index(
                fields=["state", "closed_at"], condition=Q(removed_at=None), name="batch_oldest"
            ),
            models.Index(
                fields=["removed_at"],
                condition=Q(removed_at__isnull=False, is_deleted=False),
                name="batch_to_delete",
            ),
            models.Index(
                fields=["removed_at"],
                condition=Q(removed_at__isnull=False, is_deleted=True),
                name="batch_removed",
            ),
            models.Index(
                fields=["claimed_until"], condition=~Q(claimed_by=""), name="batch_claimed"
            ),
            models.Index(
                fields=["parsed_version", "id"], condition=Q(removed_at=None), name="batch_to_parse"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.spool.device} batch {self.number}"

    @property
    def state_word(self) -> BatchState:
        """The state, with its label and tone."""
        return BatchState(self.state)


class Delivery(models.Model):
    """One attempt to upload a batch, or several in a row that ended alike."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="deliveries")
    at = models.DateTimeField(help_text="When the last of them began.")
    seconds = models.FloatField(default=0, help_text="How long that one took.")
    outcome = models.CharField(max_length=16, choices=DeliveryOutcome.choices)
    sent = models.PositiveBigIntegerField(default=0, help_text="Bytes on the wire.")
    detail = models.TextField(blank=True, default="")
    times = models.PositiveIntegerField(default=1, help_text="How often in a row.")

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=DeliveryOutcome.values), name="delivery_outcome_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.batch} {self.outcome} {self.at:%Y-%m-%d %H:%M:%S}"

    @property
    def outcome_word(self) -> DeliveryOutcome:
        """The outcome, with its label and tone."""
        return DeliveryOutcome(self.outcome)
