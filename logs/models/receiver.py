"""What receivers told of themselves, and of senders that no device is known by."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

# A receiver tells every two seconds.
SILENT_AFTER = timedelta(minutes=1)


class Receiver(models.Model):
    """The receiver of one machine: since when, where it listens, what it counts since then."""

    node = models.CharField(max_length=80, unique=True)
    started_at = models.DateTimeField()
    reported_at = models.DateTimeField()
    report_number = models.PositiveBigIntegerField(default=0, help_text="The last one of this run.")
    stopped_at = models.DateTimeField(null=True, help_text="When it said that it stops.")
    listeners = models.JSONField(default=list, help_text="Such as 'udp [::]:514'.")
    counters = models.JSONField(default=dict, help_text="{name: number}, since it started.")
    trouble = models.TextField(blank=True, default="")
    dropped_at = models.DateTimeField(
        null=True, help_text="When the kernel dropped datagrams last."
    )

    class Meta:
        ordering = ["node", "id"]

    def __str__(self) -> str:
        return f"receiver of {self.node}"

    @property
    def kernel_drops(self) -> int:
        """How many datagrams its kernel dropped since it started."""
        return int(self.counters.get("kernel_drops", 0))

    def is_silent(self, *, now: datetime) -> bool:
        """Tell whether it told nothing for so long that it cannot be running."""
        return now - self.reported_at > SILENT_AFTER


class Sender(models.Model):
    """An address whose lines are refused, because no device is known by it."""

    address = models.GenericIPAddressField(unique=True)
    lines = models.PositiveBigIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0)
    transports = models.JSONField(default=list, help_text="Such as ['tcp', 'udp'].")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    sample = models.CharField(max_length=200, blank=True, default="")
    is_ignored = models.BooleanField(default=False, help_text="A person wants none of it.")

    class Meta:
        verbose_name = "refused sender"
        ordering = ["-last_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(first_at__lte=models.F("last_at")), name="sender_ends_after_it_began"
            ),
        ]

    def __str__(self) -> str:
        return str(self.address)
