"""Reports that are kept, and mailed when their time comes."""

from __future__ import annotations

from datetime import datetime, time
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from logs.states import Every
from policies.models import Claimable, ClaimableQuerySet

LONGEST_QUERY = 4000
MOST_RECIPIENTS = 20


class SavedReportQuerySet(ClaimableQuerySet["SavedReport"]):
    """Reads of saved reports, and their claims."""

    def seen_by(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Return those that a user may open: his own, and what others share."""
        return self.filter(Q(owner=user.pk) | Q(is_shared=True))

    def due(self, *, now: datetime) -> Self:
        """Return those to be mailed now, the longest due first.

        What is to wait longer than its schedule ever has it is from before the clock was set back.
        """
        due = Q(next_at__lte=now)
        for every in Every:
            due |= Q(every=every, next_at__gt=now + every.longest)
        return self.filter(due).order_by("next_at", "id")


class SavedReport(Claimable):
    """A question with a name. `next_at` says when it is mailed; whoever mails it holds its claim.

    It is mailed with what its owner may see, whoever receives it.
    """

    name = models.CharField(max_length=100, unique=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="saved_reports"
    )
    query = models.CharField(
        "question",
        max_length=LONGEST_QUERY,
        blank=True,
        default="",
        help_text="What stands in the address of the report's page behind the question mark.",
    )
    is_shared = models.BooleanField(
        "shared", default=False, help_text="Whether all who may see reports may open it."
    )
    every = models.CharField(
        "mailed", max_length=8, choices=Every.choices, default=Every.NEVER, help_text="How often."
    )
    at = models.TimeField(default=time(7), help_text="Time of day, in the zone below.")
    zone = models.CharField(
        "time zone", max_length=64, default="UTC", help_text="Such as Europe/Berlin."
    )
    weekday = models.PositiveSmallIntegerField(
        default=0,
        choices=list(
            enumerate(
                ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
            )
        ),
        help_text="Of a report that is mailed weekly.",
    )
    day = models.PositiveSmallIntegerField(
        "day of the month",
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text="Of one that is mailed monthly; the last day where a month is shorter.",
    )
    recipients = models.JSONField(default=list, blank=True, help_text="Mail addresses.")

    next_at = models.DateTimeField(null=True, editable=False, help_text="When it is mailed next.")
    due_for = models.DateTimeField(
        null=True, editable=False, help_text="The moment of the mail that was tried last."
    )
    attempts = models.PositiveIntegerField(default=0, editable=False, help_text="Failed in a row.")
    error = models.TextField(blank=True, default="", editable=False)
    mailed_at = models.DateTimeField(null=True, editable=False)

    objects = SavedReportQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        permissions = [("view_hits", "Can view reports of connections")]
        constraints = [
            models.CheckConstraint(
                condition=Q(every__in=Every.values), name="saved_report_every_is_known"
            ),
            models.CheckConstraint(
                condition=Q(weekday__gte=0, weekday__lte=6), name="saved_report_weekday_is_one"
            ),
            models.CheckConstraint(
                condition=Q(day__gte=1, day__lte=31), name="saved_report_day_is_one"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at"], condition=Q(next_at__isnull=False), name="saved_report_due"
            ),
        ]

    def __str__(self) -> str:
        return self.name
