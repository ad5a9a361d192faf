"""Records of the lists that people keep here: what is listed, why, by whom, and until when."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from netsets.span import Span
from policies.models.source import Source

LONGEST_NOTE = 200


def sortable(number: int) -> str:
    """Return an address as text that sorts and compares as the number does, in both families."""
    return f"{number:032x}"


class ListRecordQuerySet(models.QuerySet["ListRecord"]):
    """Questions asked of records."""

    def unexpired(self, *, now: datetime) -> Self:
        """Return the records in force."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now))

    def expired(self, *, now: datetime) -> Self:
        """Return the records whose time is over."""
        return self.filter(expires_at__lte=now)

    def touching(self, span: Span) -> Self:
        """Return the records that hold any address of `span`."""
        return self.filter(
            family=span.version, first__lte=sortable(span.last), last__gte=sortable(span.first)
        )


class ListRecord(models.Model):
    """One entry of a list that is kept here."""

    source = models.ForeignKey(
        Source, verbose_name="list", on_delete=models.CASCADE, related_name="records"
    )
    text = models.CharField(
        "entry",
        max_length=100,
        help_text="An address, a network or a range, such as 203.0.113.7, 203.0.113.0/24 or "
        "203.0.113.1-203.0.113.9.",
    )
    family = models.PositiveSmallIntegerField(editable=False)
    first = models.CharField(max_length=32, editable=False)
    last = models.CharField(max_length=32, editable=False)
    note = models.CharField(
        max_length=LONGEST_NOTE, blank=True, default="", help_text="Why it is listed."
    )
    added_by = models.CharField(max_length=150, editable=False)
    added_at = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField(
        "expires",
        null=True,
        blank=True,
        help_text="From this moment on it is no longer listed; empty for never. UTC.",
    )

    objects = ListRecordQuerySet.as_manager()

    class Meta:
        ordering = ["source", "family", "first", "last", "id"]
        verbose_name = "record"
        indexes = [
            models.Index(fields=["source", "family", "first", "last"], name="record_by_address"),
            models.Index(
                fields=["expires_at"],
                name="record_by_expiry",
                condition=Q(expires_at__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["source", "text"], name="record_once_a_list"),
            models.CheckConstraint(condition=Q(family__in=(4, 6)), name="record_family_is_known"),
        ]

    def __str__(self) -> str:
        return self.text
