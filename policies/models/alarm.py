"""What a person has to know about, one row a cause."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q

from policies.states import AlarmKind, AlarmSeverity

LONGEST_NOTE = 500


class AlarmQuerySet(models.QuerySet["Alarm"]):
    """Questions asked of alarms."""

    def still_open(self) -> Self:
        """Return the alarms that there still is a cause for."""
        return self.filter(closed_at=None)

    def calling(self) -> Self:
        """Return the open alarms that nobody has said he has seen."""
        return self.filter(closed_at=None, acknowledged_at=None)


class Alarm(models.Model):
    """Something that is wrong: opened when it begins, closed by itself when it is over."""

    kind = models.CharField(max_length=16, choices=AlarmKind.choices)
    # Wider than any name, for the word in front of it.
    subject = models.CharField(max_length=250, help_text="Such as 'source edge-block'.")
    message = models.TextField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    fine_since = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Since when there is no cause, while it is not trusted to stay so.",
    )
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=150, blank=True, default="")
    note = models.CharField(
        max_length=LONGEST_NOTE, blank=True, default="", help_text="Of who has seen it."
    )

    objects = AlarmQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"],
                condition=Q(closed_at=None),
                name="alarm_open_once_a_cause",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=AlarmKind.values), name="alarm_kind_is_known"
            ),
        ]
        indexes = [
            models.Index(fields=["kind", "subject", "opened_at"], name="alarm_of_a_cause"),
            models.Index(fields=["-opened_at", "-id"], name="alarm_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind_word.label}: {self.subject}"

    @property
    def kind_word(self) -> AlarmKind:
        """The kind, with its label and tone."""
        return AlarmKind(self.kind)

    @property
    def severity_word(self) -> AlarmSeverity:
        """How bad it is."""
        return self.kind_word.severity

    @property
    def is_open(self) -> bool:
        """Whether there still is a cause for it."""
        return self.closed_at is None
