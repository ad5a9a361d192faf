"""Policies as zones: which, in what forms, for whom, and what was written."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from policies.models import Policy
from policies.states import Role

# A label of a zone's name, with room for what a form adds.
LABEL = r"^[A-Za-z0-9]([A-Za-z0-9-]{0,48}[A-Za-z0-9])?$"


class Publication(models.Model):
    """That a policy is published as zones."""

    policy = models.OneToOneField(Policy, on_delete=models.CASCADE, related_name="publication")
    label = models.CharField(
        max_length=50,
        unique=True,
        validators=[RegexValidator(LABEL, "Use letters, digits and '-'.")],
        help_text="What the names of its zones begin with.",
    )
    # What its followers are told that the policy is called.
    told_name = models.CharField(max_length=64, blank=True, default="", editable=False)
    forms = models.JSONField(default=list, help_text="Such as apl, a, txt, rpz.")
    by_address = models.BooleanField(
        "to known addresses too",
        default=True,
        help_text="Not by key alone: devices whose public address is known may ask without one.",
    )
    networks = models.JSONField(
        default=list, blank=True, help_text="Further networks that may transfer, secondaries say."
    )

    class Meta:
        ordering = ["policy"]

    def __str__(self) -> str:
        return f"publication of {self.policy}"


class PolicyZone(models.Model):
    """One zone of a published policy, and what it holds."""

    publication = models.ForeignKey(Publication, on_delete=models.CASCADE, related_name="zones")
    form = models.CharField(max_length=8)
    role = models.CharField(
        max_length=8, choices=[*Role.choices, ("both", "both")], help_text="What it lists."
    )
    name = models.CharField(max_length=253, unique=True)
    serial = models.PositiveBigIntegerField(default=0)
    snapshot_number = models.PositiveIntegerField(null=True)
    list_digest = models.CharField(max_length=64, blank=True, default="")
    entries = models.PositiveIntegerField(default=0)
    written_at = models.DateTimeField(null=True)
    # The snapshot that was tried last, so that one that a form refuses is not tried for ever.
    tried_number = models.PositiveIntegerField(null=True, editable=False)
    due_at = models.DateTimeField(null=True, editable=False, help_text="When it is tried again.")
    error = models.TextField(blank=True, default="", help_text="Why it is not up to date.")

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="policy_zone_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name
