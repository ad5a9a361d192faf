"""What a person has to know about, one row a cause."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from policies.states import AlarmKind


class Alarm(models.Model):
    """Something that is wrong: opened when it begins, closed by itself when it is over."""

    kind = models.CharField(max_length=16, choices=AlarmKind.choices)
    # Wider than any name, for the word in front of it.
    subject = models.CharField(max_length=250, help_text="Such as 'source edge-block'.")
    message = models.TextField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

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

    def __str__(self) -> str:
        return f"{self.kind_word.label}: {self.subject}"

    @property
    def kind_word(self) -> AlarmKind:
        """The kind, with its label and tone."""
        return AlarmKind(self.kind)
