"""Sources and what each retrieval of them brought."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from policies.fields import EncryptedTextField
from policies.models.acceptance import Acceptable
from policies.models.claim import Claimable, ClaimableQuerySet
from policies.sources import WATCHED
from policies.states import Outcome, SourceState

LONGEST_REFRESH = timedelta(days=7)
# Between two machines that keep time.
CLOCKS_DIFFER = timedelta(minutes=5)
# A list is retrieved hourly, or more seldom where a person says so; three missed ones are no
# accident.
STALE_AFTER = timedelta(hours=3)
STALE_REFRESHES = 3
WATCH = timedelta(minutes=1)
# What refuses us now will hardly change its mind, and asking every few minutes is impolite.
LONGEST_BACK_OFF = timedelta(hours=6)


class SourceQuerySet(ClaimableQuerySet["Source"]):
    """Questions asked of sources."""

    def due(self, *, now: datetime) -> Self:
        """Return the sources to retrieve now: due, enabled, and asked for by a running policy.

        What was checked in the future, or is due later than any source can be, is from before the
        clock was set back.
        """
        set_back = Q(checked_at__gt=now + CLOCKS_DIFFER) | Q(due_at__gt=now + LONGEST_REFRESH)
        return (
            self.filter(Q(due_at__lte=now) | set_back, is_enabled=True, policies__is_paused=False)
            .distinct()
            .order_by("due_at", "id")
        )


class Source(Claimable, Acceptable):
    """A place addresses come from, and the list it last said, normalised."""

    name = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=32)
    settings = models.JSONField(default=dict, blank=True)
    settings_key = models.CharField(
        max_length=64,
        unique=True,
        editable=False,
        help_text="Digest of kind and settings: the same list is retrieved once.",
    )
    may_be_empty = models.BooleanField(
        default=False,
        help_text="Take an answer without any entry as meant. Otherwise it is a failed retrieval.",
    )
    shrink_limit = models.PositiveSmallIntegerField(
        default=50,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Percent of its entries the list may lose at once; more waits for a person.",
    )
    severity = models.PositiveSmallIntegerField(
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(5)],
        help_text="How bad traffic with what it lists is: 1 a nuisance, 5 a compromised machine.",
    )
    refresh_minutes = models.PositiveIntegerField(default=60, validators=[MinValueValidator(5)])
    stale_minutes = models.PositiveIntegerField(
        "stale after, minutes",
        null=True,
        blank=True,
        validators=[MinValueValidator(10)],
        help_text="Age of the list that raises an alarm; empty for three refreshes, three hours at "
        "least.",
    )
    is_enabled = models.BooleanField(default=True)
    is_sample = models.BooleanField(default=False, editable=False)
    is_private = models.BooleanField(
        default=False,
        editable=False,
        help_text="Made for the lists of a device; it goes with the last of them.",
    )

    due_at = models.DateTimeField(db_index=True)
    state = models.CharField(
        max_length=16, choices=SourceState.choices, default=SourceState.NEW, editable=False
    )
    error = models.TextField(blank=True, default="", editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    server = models.CharField(max_length=100, blank=True, default="", editable=False)
    holds_change = models.BooleanField(
        default=False,
        editable=False,
        help_text="The last answer lost more than the limit; a person may let it pass.",
    )
    checked_at = models.DateTimeField(null=True, editable=False)
    retrieved_at = models.DateTimeField(null=True, editable=False)
    changed_at = models.DateTimeField(null=True, editable=False)
    list_digest = models.CharField(max_length=64, blank=True, default="", editable=False)
    list_prefixes = models.PositiveIntegerField(default=0, editable=False)
    list_entries = models.PositiveIntegerField(default=0, editable=False)
    # Of what was meant as entries; a retrieval tells all that was skipped.
    list_skipped = models.PositiveIntegerField(default=0, editable=False)
    entries_digest = models.CharField(
        max_length=64, blank=True, default="", editable=False, help_text="The list as written."
    )
    ledger_digest = models.CharField(
        max_length=64,
        blank=True,
        default="",
        editable=False,
        help_text="When each of its entries was seen first and last.",
    )
    version = models.TextField(
        blank=True, default="", editable=False, help_text="A serial or an ETag of what is held."
    )
    payload_digest = models.CharField(
        max_length=64,
        blank=True,
        default="",
        editable=False,
        help_text="What the source is given back, so that it can ask for the changes alone.",
    )
    whole_at = models.DateTimeField(
        null=True, editable=False, help_text="When it was last retrieved without a version."
    )

    objects = SourceQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=SourceState.values), name="source_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(shrink_limit__gte=1, shrink_limit__lte=100),
                name="source_shrink_limit_is_a_percentage",
            ),
            models.CheckConstraint(
                condition=Q(severity__gte=1, severity__lte=5), name="source_severity_is_in_range"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def state_word(self) -> SourceState:
        """The state, with its label and tone."""
        return SourceState(self.state)

    @property
    def stale_after(self) -> timedelta:
        """The age beyond which the list held is stale."""
        if self.stale_minutes:
            return timedelta(minutes=self.stale_minutes)
        return max(STALE_AFTER, STALE_REFRESHES * timedelta(minutes=self.refresh_minutes))

    @property
    def stale_limit(self) -> str:
        """That age as people say it: "3 hours"."""
        minutes = self.stale_after // timedelta(minutes=1)
        for unit, size in (("day", 24 * 60), ("hour", 60)):
            if minutes % size == 0:
                return _counted(minutes // size, unit)
        return _counted(minutes, "minute")

    def is_stale(self, *, now: datetime) -> bool:
        """Tell whether the list held is older than it may be."""
        return self.retrieved_at is not None and now - self.retrieved_at > self.stale_after

    @property
    def is_watched(self) -> bool:
        """Whether it is looked at every minute, whatever its refresh."""
        return self.kind in WATCHED

    def next_due(self, *, after: datetime) -> datetime:
        """Return when to retrieve next; a failing source is asked ever more seldom.

        Sooner than the refresh at first while it is unavailable, later than it while it refuses.
        """
        refresh = WATCH if self.is_watched else timedelta(minutes=self.refresh_minutes)
        doubled: int = 2 ** min(self.failures, 10)
        if self.state == SourceState.UNAVAILABLE:
            return after + min(refresh, timedelta(minutes=doubled))
        if self.state == SourceState.REFUSED:
            return after + max(refresh, min(refresh * doubled / 2, LONGEST_BACK_OFF))
        return after + refresh


def _counted(number: int, unit: str) -> str:
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"


class SourceSecrets(models.Model):
    """The passwords, tokens and keys of a source, read only when it is retrieved.

    A row of its own: a lost key must not take the lists down with it.
    """

    source = models.OneToOneField(Source, on_delete=models.CASCADE, related_name="kept_secrets")
    values = EncryptedTextField(help_text="JSON: {setting: text}.")
    names = models.JSONField(
        default=list, help_text="Which settings are kept: to be told without the key."
    )

    class Meta:
        verbose_name_plural = "source secrets"

    def __str__(self) -> str:
        return f"secrets of {self.source}"


class Retrieval(models.Model):
    """One attempt to retrieve a source: what came, or why nothing did."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="retrievals")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    error = models.TextField(blank=True, default="")
    server = models.CharField(max_length=100, blank=True, default="")
    entries = models.PositiveIntegerField(default=0)
    prefixes = models.PositiveIntegerField(default=0)
    host_bits_cleared = models.PositiveIntegerField(default=0)
    skipped = models.JSONField(default=list, help_text="[[reason, count], …]")
    samples = models.JSONField(default=list, help_text="The first few skipped entries.")
    added = models.JSONField(default=int, help_text="Addresses the list gained.")
    removed = models.JSONField(default=int, help_text="Addresses the list lost.")
    list_digest = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        ordering = ["-started_at", "-id"]
        indexes = [
            models.Index(fields=["source", "-started_at"], name="retrieval_by_source"),
            models.Index(fields=["-started_at", "-id"], name="retrieval_newest"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=Outcome.values), name="retrieval_outcome_is_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.started_at:%Y-%m-%d %H:%M:%S} {self.outcome}"

    @property
    def outcome_word(self) -> Outcome:
        """The outcome, with its label and tone."""
        return Outcome(self.outcome)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.finished_at - self.started_at).total_seconds()
