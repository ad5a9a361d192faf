"""What was last seen of the clock of a machine, for the next look to compare with."""

from __future__ import annotations

from django.db import models


class Clock(models.Model):
    """The clock of one machine that looks after alarms."""

    node = models.CharField(max_length=64, unique=True)
    boot = models.CharField(max_length=40, help_text="Which boot the uptime is of.")
    uptime = models.FloatField(help_text="Seconds, when it was looked at; no setting moves them.")
    checked_at = models.DateTimeField()
    back_at = models.DateTimeField(help_text="Since when it is looked at without a long gap.")
    stepped_at = models.DateTimeField(null=True)
    stepped_seconds = models.FloatField(default=0, help_text="Forward; less than 0: back.")
    adrift_since = models.DateTimeField(
        null=True, help_text="Since when nothing keeps it in step with the time of the world."
    )

    class Meta:
        ordering = ["node", "id"]

    def __str__(self) -> str:
        return f"clock of {self.node}"
