"""What a person has beside the password: a phone that makes codes, and recovery codes."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from policies.fields import EncryptedTextField


class SecondFactor(models.Model):
    """A secret that a person's phone makes codes from (RFC 6238); it counts once confirmed."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="second_factors"
    )
    secret = EncryptedTextField(editable=False, help_text="In base32, as the phone holds it.")
    created_at = models.DateTimeField(editable=False)
    confirmed_at = models.DateTimeField(null=True, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)
    last_step = models.BigIntegerField(
        default=0, editable=False, help_text="Time step of the newest code that was taken."
    )
    failures = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="Wrong codes since the last right one."
    )
    failed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["user_id", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(confirmed_at__isnull=False),
                name="one_second_factor_a_user",
            ),
        ]

    def __str__(self) -> str:
        return f"of {self.user.get_username()}"


class RecoveryCode(models.Model):
    """A code for the day the phone is lost; good once, and only its digest is kept."""

    factor = models.ForeignKey(
        SecondFactor, on_delete=models.CASCADE, related_name="recovery_codes"
    )
    digest = models.CharField(max_length=64, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["factor", "digest"], name="recovery_code_once"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"
