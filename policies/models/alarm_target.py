"""Who is told of alarms, and what became of telling them.

    AlarmTarget   a mailbox, a web address or a log server
    AlarmNews     one thing that one target is to be told: this alarm opened, that one closed
    AlarmNotice   one message to one target, with all the news there were when it was written

News are written in the transaction that opens or closes the alarm, so that none is lost; which
message carries them is decided when it is sent.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q

from policies.fields import EncryptedTextField
from policies.models.alarm import Alarm
from policies.models.claim import Claimable, ClaimableQuerySet
from policies.states import AlarmEvent, AlarmKind, AlarmSeverity, NoticeState

# However often it failed before.
LONGEST_RETRY = timedelta(hours=1)


class TargetKind(models.TextChoices):
    """By which way a target is told."""

    EMAIL = "email", "e-mail"
    WEBHOOK = "webhook", "webhook"
    SYSLOG = "syslog", "syslog"


def _has_come(column: str, *, now: datetime) -> Q:
    """Match rows that need not wait any longer.

    What is to wait longer than anything may is from before the clock was set back.
    """
    beyond = now + 2 * LONGEST_RETRY
    return Q(**{f"{column}__lte": now}) | Q(**{f"{column}__gt": beyond})


def is_due(*, now: datetime) -> Q:
    """Match the messages that wait and are to be sent now."""
    return Q(state=NoticeState.WAITING) & _has_come("due_at", now=now)


class AlarmTargetQuerySet(ClaimableQuerySet["AlarmTarget"]):
    """Questions asked of targets."""

    def due(self, *, now: datetime) -> Self:
        """Return the targets that have something to be told and may be tried now."""
        waiting = AlarmNotice.objects.filter(is_due(now=now), target=OuterRef("pk"))
        news = AlarmNews.objects.filter(target=OuterRef("pk"), notice=None)
        may_be_tried = Q(retry_at=None) | _has_come("retry_at", now=now)
        return self.filter(may_be_tried, Exists(waiting) | Exists(news), is_enabled=True)


class AlarmTarget(Claimable):
    """One mailbox, web address or log server that is told of alarms."""

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=16, choices=TargetKind.choices)
    settings = models.JSONField(default=dict, blank=True)
    secrets = EncryptedTextField(blank=True, default="", editable=False)
    kinds = models.JSONField(
        default=list, blank=True, help_text="The kinds of alarm it is told of; empty for all."
    )
    least_severity = models.CharField(
        max_length=16, choices=AlarmSeverity.choices, default=AlarmSeverity.WARNING
    )
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(editable=False)

    sent_at = models.DateTimeField(null=True, editable=False, help_text="When a message arrived.")
    failing_since = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    retry_at = models.DateTimeField(null=True, editable=False)
    error = models.TextField(blank=True, default="", editable=False)

    objects = AlarmTargetQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=TargetKind.values), name="alarm_target_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(least_severity__in=AlarmSeverity.values),
                name="alarm_target_severity_is_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def kind_label(self) -> str:
        """The kind as people say it."""
        return str(TargetKind(self.kind).label)

    def wants(self, kind: AlarmKind) -> bool:
        """Tell whether it is told of alarms of a kind; never that telling somebody fails."""
        if kind == AlarmKind.TARGET_FAILING or (self.kinds and kind not in self.kinds):
            return False
        return kind in AlarmSeverity(self.least_severity).kinds


class AlarmNotice(models.Model):
    """One message to one target; it keeps its id however often it is tried."""

    target = models.ForeignKey(AlarmTarget, on_delete=models.CASCADE, related_name="notices")
    message_id = models.CharField(max_length=40, unique=True)
    made_at = models.DateTimeField()
    state = models.CharField(
        max_length=16, choices=NoticeState.choices, default=NoticeState.WAITING
    )
    due_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    detail = models.TextField(blank=True, default="", help_text="What the other side said.")

    class Meta:
        ordering = ["-made_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=NoticeState.values), name="alarm_notice_state_is_known"
            ),
        ]
        indexes = [models.Index(fields=["target", "state", "due_at"], name="alarm_notice_due")]

    def __str__(self) -> str:
        return self.message_id

    @property
    def state_word(self) -> NoticeState:
        """The state, with its label and tone."""
        return NoticeState(self.state)


class AlarmNews(models.Model):
    """One thing to be told to one target, once."""

    target = models.ForeignKey(AlarmTarget, on_delete=models.CASCADE, related_name="news")
    alarm = models.ForeignKey(Alarm, on_delete=models.CASCADE, related_name="news")
    event = models.CharField(max_length=8, choices=AlarmEvent.choices)
    notice = models.ForeignKey(
        AlarmNotice, null=True, on_delete=models.CASCADE, related_name="news"
    )

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "alarm news"
        constraints = [
            models.UniqueConstraint(
                fields=["target", "alarm", "event"], name="alarm_news_are_told_once"
            ),
            models.CheckConstraint(
                condition=Q(event__in=AlarmEvent.values), name="alarm_event_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.alarm} {self.event}"

    @property
    def event_word(self) -> AlarmEvent:
        """The event, with its label and tone."""
        return AlarmEvent(self.event)
