"""What is known of events files, of the hours that they sum up to, and of lines nobody can read."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from devices.models import Device

NO_LIST = 0
_DIRECTIONS = (0, 1)  # as in events files
_ACTIONS = (0, 1, 2)


class EventFileQuerySet(models.QuerySet["EventFile"]):
    """Questions asked of events files."""

    def live(self) -> Self:
        """Return those whose events count; others are only not deleted yet."""
        return self.filter(removed_at=None)

    def between(self, since: datetime, until: datetime) -> Self:
        """Return the live ones that may hold an event at `since` or later and before `until`."""
        return self.live().filter(first_at__lt=until, last_at__gte=since)


class EventFile(models.Model):
    """One Parquet file of events, all of one day (UTC): of a batch, or of many put together."""

    name = models.CharField(max_length=120, unique=True, help_text="Below the folder of events.")
    day = models.DateField()
    batch = models.ForeignKey(
        "logs.Batch",
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Whose events it holds; empty where it holds those of many.",
    )
    events = models.PositiveBigIntegerField()
    bytes = models.PositiveBigIntegerField()
    first_at = models.DateTimeField(help_text="When its first event was.")
    last_at = models.DateTimeField()
    created_at = models.DateTimeField()
    without = models.JSONField(
        default=dict,
        help_text="Batches that were parsed again since: {batch: events}; these do not count.",
    )
    removed_at = models.DateTimeField(
        null=True, help_text="When its events were let go, or went into another file."
    )

    objects = EventFileQuerySet.as_manager()

    class Meta:
        ordering = ["day", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(first_at__lte=models.F("last_at")),
                name="event_file_ends_after_it_began",
            ),
        ]
        indexes = [
            models.Index(
                fields=["first_at", "last_at"], condition=Q(removed_at=None), name="event_file_when"
            ),
            models.Index(fields=["day"], condition=Q(removed_at=None), name="event_file_day"),
            models.Index(
                fields=["removed_at"], condition=Q(removed_at__isnull=False), name="event_file_gone"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def counted(self) -> int:
        """How many of its events count."""
        without: dict[str, int] = self.without
        return self.events - sum(without.values())


class HitHour(models.Model):
    """How many connections one device told of in one hour, for each list, direction and action."""

    hour = models.DateTimeField(help_text="When it begins.")
    # It outlives the device, as the events do: the two tell of the same connections.
    device = models.ForeignKey(
        Device, on_delete=models.DO_NOTHING, db_constraint=False, related_name="hit_hours"
    )
    list_id = models.PositiveBigIntegerField(help_text="The source; 0 where no list has it.")
    direction = models.PositiveSmallIntegerField(help_text="0 in, 1 out.")
    action = models.PositiveSmallIntegerField(help_text="0 allowed, 1 dropped, 2 monitored.")
    connections = models.PositiveBigIntegerField()

    class Meta:
        ordering = ["hour", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["device", "hour", "list_id", "direction", "action"], name="hit_hour_once"
            ),
            models.CheckConstraint(
                condition=Q(direction__in=_DIRECTIONS), name="hit_hour_direction_is_known"
            ),
            models.CheckConstraint(
                condition=Q(action__in=_ACTIONS), name="hit_hour_action_is_known"
            ),
        ]
        indexes = [
            # It holds all that a sum over time reads, so that the rows themselves are not read.
            models.Index(
                fields=["action", "hour", "direction", "list_id", "device", "connections"],
                name="hit_hour_sums",
            ),
        ]

    def __str__(self) -> str:
        return f"device {self.device_id} {self.hour:%Y-%m-%d %H}"


class LineShape(models.Model):
    """Lines of one device that no parser knows and that look alike."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="line_shapes")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the shape.")
    shape = models.TextField()
    sample = models.TextField(help_text="One of the lines, cut to a bound.")
    lines = models.PositiveBigIntegerField()
    first_at = models.DateTimeField(help_text="When the first batch with such a line arrived.")
    last_at = models.DateTimeField()
    version = models.PositiveIntegerField(help_text="Of the parsers that did not know it.")

    class Meta:
        verbose_name = "unknown line"
        ordering = ["-lines", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["device", "digest"], name="line_shape_once_a_device"),
        ]

    def __str__(self) -> str:
        return self.shape[:80]
