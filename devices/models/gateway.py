"""What is known of a gateway's kernel: what it holds, since when, and when that was last seen."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

from devices.models.device import Device
from policies.states import Toned

# The kernel is read back every minute; less often where that takes long.
CHECK_EVERY = timedelta(seconds=60)
_CHECK_SHARE = 20  # so many times as long as a check takes
_CHECK_MOST = timedelta(minutes=10)  # whatever a clock that was set makes of that
_CHECKS_MISSED = 4  # are no accident


class GatewayState(Toned):
    """How the last work of the enforcer ended."""

    WAITING = "waiting", "info", "waiting for its enforcer"
    ENFORCED = "enforced", "success", "enforced"
    PAUSED = "paused", "warning", "paused"
    ROLLED_BACK = "rolled-back", "danger", "rolled back"
    REFUSED = "refused", "danger", "cannot be enforced"
    FAILED = "failed", "danger", "enforcing failed"


class Gateway(models.Model):
    """The kernel of one device: written by its enforcer, and by nobody else but to make it due."""

    device = models.OneToOneField(Device, on_delete=models.CASCADE, related_name="gateway")
    state = models.CharField(
        max_length=16, choices=GatewayState.choices, default=GatewayState.WAITING
    )
    detail = models.TextField(blank=True, default="")
    due_at = models.DateTimeField(null=True, help_text="When a person or a setting asked for it.")
    retry_at = models.DateTimeField(null=True, help_text="Not before this, after a failure.")
    failed_at = models.DateTimeField(null=True, help_text="When it failed last.")
    failures = models.PositiveIntegerField(default=0)
    paused_until = models.DateTimeField(null=True)
    paused_by = models.CharField(max_length=150, blank=True, default="")
    # What was rolled back, a pause aside, is not tried again until something else is wanted or a
    # person asks.
    refused_target = models.CharField(max_length=64, blank=True, default="")
    refused_because = models.TextField(blank=True, default="")

    target = models.CharField(
        max_length=64, blank=True, default="", help_text="Digest of what is in force, rules too."
    )
    snapshot_number = models.PositiveIntegerField(null=True)
    block_digest = models.CharField(max_length=64, blank=True, default="")
    allow_digest = models.CharField(max_length=64, blank=True, default="")
    applied_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True, help_text="When the kernel was read back last.")
    check_seconds = models.FloatField(default=0, help_text="How long that took.")
    sets = models.JSONField(default=dict, help_text="Live sets: {name: [entries, bytes]}.")
    warnings = models.JSONField(default=list)
    healed = models.PositiveIntegerField(default=0, help_text="Differences found and healed.")
    healed_at = models.DateTimeField(null=True)
    dropped_in = models.PositiveBigIntegerField(default=0)
    dropped_out = models.PositiveBigIntegerField(default=0)
    dropped_since = models.DateTimeField(null=True)
    # The kernel's own counters, which begin anew with its rules.
    counter_in = models.PositiveBigIntegerField(default=0)
    counter_out = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=GatewayState.values), name="gateway_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"kernel of {self.device}"

    @property
    def state_word(self) -> GatewayState:
        """The state, with its label and tone."""
        return GatewayState(self.state)

    @property
    def check_every(self) -> timedelta:
        """How often the kernel is read back."""
        wanted = _CHECK_SHARE * timedelta(seconds=self.check_seconds)
        return min(max(CHECK_EVERY, wanted), _CHECK_MOST)

    def is_unseen(self, *, now: datetime) -> bool:
        """Tell whether the kernel was not read back for so long that the enforcer must be away."""
        return (
            self.checked_at is not None
            and now - self.checked_at > _CHECKS_MISSED * self.check_every
        )

    @property
    def entries(self) -> int:
        """How many entries the live sets hold."""
        return sum(entries for entries, _ in self.sets.values())


# What an enforcer has learned of one machine: nothing of it is true of another.
LEARNED = (
    "state", "detail", "retry_at", "failed_at", "failures", "refused_target", "refused_because",
    "target", "snapshot_number", "block_digest", "allow_digest", "applied_at", "checked_at",
    "check_seconds", "sets", "warnings", "healed", "healed_at", "dropped_in", "dropped_out",
    "dropped_since", "counter_in", "counter_out",
)  # fmt: skip


class GatewayRelease(models.Model):
    """A kernel that is to be let go: its device was removed, or another machine enforces it now."""

    node = models.CharField(max_length=64, unique=True)
    nickname = models.CharField(max_length=64, help_text="Of the device it enforced.")
    asked_at = models.DateTimeField()
    detail = models.TextField(blank=True, default="", help_text="Why it could not be done yet.")

    class Meta:
        ordering = ["asked_at", "id"]

    def __str__(self) -> str:
        return f"{self.node} of {self.nickname}"

    @property
    def sentence(self) -> str:
        """What somebody has to know about it."""
        why = self.detail or "its enforcer has not come to it"
        return f"{self.node} is still to let go of the list of {self.nickname}: {why}."
