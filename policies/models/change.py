"""Who changed what, when."""

from __future__ import annotations

from django.db import models


class Change(models.Model):
    """One thing a person or a program did to a device, a policy or a source."""

    at = models.DateTimeField(db_index=True)
    actor = models.CharField(max_length=150, help_text="Such as 'console:alice' or 'tsadmin:root'.")
    verb = models.CharField(max_length=32)
    subject = models.CharField(max_length=200, help_text="Such as 'device fmc-1'.")
    detail = models.JSONField(default=dict, help_text="{setting: [before, after], …}; no secrets.")

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["subject", "-at"], name="change_by_subject")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.verb} {self.subject}"
