"""Who is signed in: one row a session, known by the digest of its key."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Session(models.Model):
    """One browser's session. Without its row a session has ended, whatever the browser holds."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    data = models.TextField(editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.CASCADE,
        related_name="sessions",
        help_text="Null while nobody has signed in yet.",
    )
    began_at = models.DateTimeField("signed in")
    seen_at = models.DateTimeField(help_text="To about five minutes.")
    expires_at = models.DateTimeField(db_index=True)
    address = models.CharField(max_length=45, blank=True)
    agent = models.CharField("browser", max_length=200, blank=True)

    class Meta:
        ordering = ["-seen_at", "-id"]

    def __str__(self) -> str:
        who = self.user.get_username() if self.user else "nobody"
        return f"of {who} from {self.address or 'this machine'}"
