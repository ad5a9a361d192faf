"""People whose sign-in another system vouches for."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Kind(models.TextChoices):
    """What vouches for a person."""

    LDAP = "ldap", "LDAP directory"
    OIDC = "oidc", "OpenID Connect provider"


class ExternalAccount(models.Model):
    """Whom a user is elsewhere. A user without one is the appliance's own.

    Names alone would not do: whoever may choose one in a directory could become a local owner.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="external_account"
    )
    kind = models.CharField(max_length=8, choices=Kind.choices)
    subject = models.CharField(
        max_length=255, help_text="The name in the directory; the provider's `sub`."
    )

    class Meta:
        ordering = ["kind", "subject", "id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject"], name="external_account_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.subject}"
