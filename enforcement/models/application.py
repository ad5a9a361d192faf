"""What was done in a kernel, once for each time it was changed."""

from __future__ import annotations

from django.db import models
from django.db.models import Q, TextChoices

from devices.models import Gateway
from policies.models import Snapshot
from policies.states import Toned


class Trigger(TextChoices):
    """Why a kernel was worked on."""

    POLICY = "policy", "new snapshot"
    SETTINGS = "settings", "settings changed"
    DIFFERENCE = "difference", "the kernel differed"


class Outcome(Toned):
    """How the work ended."""

    APPLIED = "applied", "success", "applied"
    HEALED = "healed", "warning", "healed"
    ROLLED_BACK = "rolled-back", "danger", "rolled back"
    REFUSED = "refused", "danger", "refused"
    FAILED = "failed", "danger", "failed"


class Application(models.Model):
    """One change of a kernel, or one that did not come about."""

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="applications")
    snapshot = models.ForeignKey(Snapshot, null=True, on_delete=models.SET_NULL, related_name="+")
    snapshot_number = models.PositiveIntegerField(null=True)
    at = models.DateTimeField()
    seconds = models.FloatField(default=0)
    trigger = models.CharField(max_length=16, choices=Trigger.choices)
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    way = models.CharField(max_length=16, blank=True, default="")
    added = models.PositiveIntegerField(default=0, help_text="Block entries that came.")
    removed = models.PositiveIntegerField(default=0, help_text="Block entries that went.")
    cut = models.PositiveIntegerField(default=0, help_text="Open connections that were cut.")
    detail = models.TextField(blank=True, default="")
    times = models.PositiveIntegerField(default=1, help_text="How often this was done in a row.")

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=Outcome.values), name="application_outcome_is_known"
            ),
            models.CheckConstraint(
                condition=Q(trigger__in=Trigger.values), name="application_trigger_is_known"
            ),
        ]
        indexes = [models.Index(fields=["-at", "-id"], name="application_newest")]

    def __str__(self) -> str:
        return f"{self.gateway.device} {self.outcome} {self.at:%Y-%m-%d %H:%M:%S}"

    @property
    def outcome_word(self) -> Outcome:
        """The outcome, with its label and tone."""
        return Outcome(self.outcome)
