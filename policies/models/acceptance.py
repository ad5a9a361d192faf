"""Rows whose next change beyond their limits a person may let pass."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models

# Long enough for a source that is down over night; later a person looks at what it is then.
ACCEPTED_FOR = timedelta(days=1)


class Acceptable(models.Model):
    """A row with room for an acceptance, which is spent by one change or lapses."""

    accepted_until = models.DateTimeField(
        null=True,
        editable=False,
        help_text="Until then a person lets one change beyond the limits pass.",
    )

    class Meta:
        abstract = True

    def is_accepted(self, *, now: datetime) -> bool:
        """Tell whether a change beyond the limits may pass now."""
        return self.accepted_until is not None and now <= self.accepted_until
