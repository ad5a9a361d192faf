"""Who changed what, when, from where. What was written stays as it was written."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models
from django.db.models import Q

from policies.chain import Entry, digest_of

LONGEST_ACTOR, LONGEST_SUBJECT = 150, 200


class RecordIsKept(TypeError):
    """Somebody tried to alter or remove a row of the record."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("the record of changes is only added to; nothing alters or removes a row")


class ChangeQuerySet(models.QuerySet["Change"]):
    """Rows of the record; the database itself refuses what is refused here."""

    def update(self, **_columns: object) -> NoReturn:
        """Raise RecordIsKept."""
        raise RecordIsKept

    def delete(self) -> NoReturn:
        """Raise RecordIsKept."""
        raise RecordIsKept

    def bulk_update(self, *_rows: object, **_options: object) -> NoReturn:
        """Raise RecordIsKept."""
        raise RecordIsKept

    def bulk_create(self, *_rows: object, **_options: object) -> NoReturn:
        """Raise RecordIsKept: each row covers the one before."""
        raise RecordIsKept


class Change(models.Model):
    """One thing a person or a program did; written by `record_change` and by nothing else."""

    at = models.DateTimeField(db_index=True)
    actor = models.CharField(
        max_length=LONGEST_ACTOR, help_text="Such as 'console:alice' or 'tsadmin:root'."
    )
    channel = models.CharField(
        max_length=100, blank=True, default="",
        help_text="The way it came: console, API with the token, tsadmin, system.",
    )  # fmt: skip
    origin = models.CharField(
        max_length=64, blank=True, default="", help_text="The address it came from, if any."
    )
    verb = models.CharField(max_length=32)
    subject = models.CharField(max_length=LONGEST_SUBJECT, help_text="Such as 'device fmc-1'.")
    detail = models.JSONField(default=dict, help_text="{setting: [before, after], …}; no secrets.")
    digest = models.CharField(
        max_length=64, editable=False,
        help_text="SHA-256 of this row and of the digest of the row before.",
    )  # fmt: skip

    objects = ChangeQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["subject", "-at"], name="change_by_subject"),
            models.Index(fields=["actor", "-at"], name="change_by_actor"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(digest=""), name="change_is_in_the_chain"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.verb} {self.subject}"

    def save(self, *args: Any, **options: Any) -> None:
        """Write a new row; raises RecordIsKept for one that is written."""
        if not self._state.adding:
            raise RecordIsKept
        super().save(*args, **options)

    def delete(self, *_args: Any, **_options: Any) -> NoReturn:
        """Raise RecordIsKept."""
        raise RecordIsKept

    def digest_after(self, before: str) -> str:
        """Return what its digest is to be where the row before has the digest `before`."""
        entry = Entry(
            at=self.at, actor=self.actor, channel=self.channel, origin=self.origin,
            verb=self.verb, subject=self.subject, detail=self.detail,
        )  # fmt: skip
        return digest_of(entry, before=before)
