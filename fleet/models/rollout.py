"""Changes that go to one group first, and onward while that group stays healthy."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from devices.models import DeviceGroup
from policies.models import Policy
from policies.states import Toned


class RolloutState(Toned):
    """Where a rollout stands."""

    DRAFT = "draft", "neutral", "not begun"
    CANARY = "canary", "info", "on trial in the first group"
    DONE = "done", "success", "everywhere"
    STOPPED = "stopped", "danger", "stopped"
    UNDONE = "undone", "warning", "taken back"


class Rollout(models.Model):
    """One change to what groups inherit: for a first group, then for others."""

    name = models.CharField(max_length=100, unique=True)
    settings = models.JSONField(default=dict, blank=True)
    policy = models.ForeignKey(
        Policy, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    canary = models.ForeignKey(DeviceGroup, on_delete=models.PROTECT, related_name="+")
    onward = models.ManyToManyField(DeviceGroup, related_name="+")
    minutes = models.PositiveIntegerField(
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(30 * 24 * 60)],
        help_text="How long the first group has to stay healthy.",
    )
    state = models.CharField(
        max_length=16, choices=RolloutState.choices, default=RolloutState.DRAFT, editable=False
    )
    detail = models.TextField(blank=True, default="", editable=False)
    before = models.JSONField(
        default=dict, editable=False, help_text="What each group inherited, to take it back."
    )
    begun_with = models.JSONField(
        default=dict, editable=False, help_text="The serials of the entries on trial, by their id."
    )
    created_at = models.DateTimeField(editable=False)
    created_by = models.CharField(max_length=150, editable=False)
    begun_at = models.DateTimeField(null=True, editable=False)
    healthy_since = models.DateTimeField(null=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=RolloutState.values), name="rollout_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def state_word(self) -> RolloutState:
        """The state, with its label and tone."""
        return RolloutState(self.state)
