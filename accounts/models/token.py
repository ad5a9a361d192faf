"""Keys to the API."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class TokenRight(models.TextChoices):
    """What a token is good for."""

    ALL = "all", "whatever its user may do"
    ADD_ENTRIES = "add-entries", "adding device entries, and nothing else"


class ApiToken(models.Model):
    """A key to the API that belongs to one user; only its digest is kept."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=64, help_text="What it is for, such as 'backup script'.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    right = models.CharField(
        max_length=32, choices=TokenRight.choices, default=TokenRight.ALL,
        help_text="What it may be used for.",
    )  # fmt: skip
    created_at = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(
        null=True, editable=False, help_text="To about five minutes; null while never used."
    )

    class Meta:
        ordering = ["name", "id"]
        verbose_name = "API token"
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="token_name_once_a_user"),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="token_lives_for_a_while"
            ),
        ]

    def __str__(self) -> str:
        return self.name
