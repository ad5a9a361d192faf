"""Snapshots: compiled policies that never change, and their feeds."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.expressions import Combinable

from policies.models.policy import Policy
from policies.states import Role


class Compilation(models.Model):
    """A compiled version of a policy: a manifest of digests and its numbers."""

    created_at = models.DateTimeField()
    block_digest = models.CharField(max_length=64)
    allow_digest = models.CharField(max_length=64)
    block_prefixes = models.PositiveIntegerField()
    allow_prefixes = models.PositiveIntegerField()
    entries = models.PositiveIntegerField(help_text="Block and allow prefixes together.")
    empty_list_address = models.GenericIPAddressField()
    numbers = models.JSONField(
        help_text="Addresses of each list and family, and the difference to the snapshot before."
    )
    cuts = models.JSONField(
        help_text="What was taken out of the block list: [[reason, addresses], …]"
    )
    cut_items = models.JSONField(
        default=list, help_text="Because of what, one by one: [[reason, label, addresses], …]"
    )
    before_digest = models.CharField(
        max_length=64,
        blank=True,
        default="",
        help_text="The block list before the allow list was taken out: what allow entries cut.",
    )
    sources = models.JSONField(
        help_text="The lists it was compiled from: name, role, digests of each."
    )

    class Meta:
        abstract = True


class SnapshotQuerySet(models.QuerySet["Snapshot"]):
    """Questions asked of snapshots."""

    def fitting(self, most: int | Combinable) -> Self:
        """Return those that a device of `most` entries holds, as they are or packed for it."""
        return self.filter(Q(entries__lte=most) | Q(packings__most=most))


class Snapshot(Compilation):
    """One immutable compiled version of a policy."""

    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="snapshots")
    number = models.PositiveIntegerField()
    note = models.CharField(
        max_length=300,
        blank=True,
        default="",
        help_text="What is special about it, such as who approved it.",
    )

    objects = SnapshotQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["policy", "number"], name="snapshot_number_once_a_policy"
            )
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="snapshot_newest")]

    def __str__(self) -> str:
        return f"{self.policy} #{self.number}"


class Candidate(Compilation):
    """What a policy would publish if its guard let it: for a person to look at."""

    policy = models.OneToOneField(Policy, on_delete=models.CASCADE, related_name="candidate")
    inputs_digest = models.CharField(max_length=64)
    findings = models.JSONField(help_text="What the guard says: [{rule, message, …}, …]")
    may_be_approved = models.BooleanField(
        help_text="Only limits on change were tripped; nobody may let an absolute rule pass."
    )
    is_discarded = models.BooleanField(
        default=False, help_text="A person looked at it and wants the snapshot in force to stay."
    )

    def __str__(self) -> str:
        return f"candidate of {self.policy}"


class FeedFile(models.Model):
    """A body in the store, with its gzip and its MD5: written once and served for ever."""

    digest = models.CharField(max_length=64, help_text="SHA-256 of the body; names the file.")
    md5 = models.CharField(max_length=32)
    size = models.PositiveBigIntegerField()
    gzip_size = models.PositiveBigIntegerField()
    lines = models.PositiveIntegerField()

    class Meta:
        abstract = True


class Feed(FeedFile):
    """One list of a snapshot in one format."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="feeds")
    list = models.CharField(max_length=8, choices=Role.choices)
    format = models.CharField(max_length=16)

    class Meta:
        ordering = ["list", "format", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["snapshot", "list", "format"], name="feed_once_a_list_and_format"
            ),
            models.CheckConstraint(condition=Q(list__in=Role.values), name="feed_list_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.snapshot} {self.list}.{self.format}"


class Packing(FeedFile):
    """A snapshot's block list made to fit devices of one size: merged, then cut by priority.

    `most` and `entries` count the allow list as well, which is never cut.
    """

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="packings")
    most = models.PositiveIntegerField(help_text="Entries that the devices hold.")
    created_at = models.DateTimeField()
    entries = models.PositiveIntegerField(help_text="Block and allow prefixes together.")
    block_digest = models.CharField(max_length=64)
    inputs_digest = models.CharField(
        max_length=64,
        default="",
        help_text="Of what it was made by: priorities, limits and what may not be merged over.",
    )
    added = models.JSONField(help_text="Addresses that merging blocks and no list names.")
    left_out = models.JSONField(help_text="Addresses that did not fit.")
    dropped = models.JSONField(
        help_text="What did not fit, by source: [[name, prefixes, addresses], …]"
    )

    class Meta:
        ordering = ["snapshot", "most"]
        constraints = [
            models.UniqueConstraint(fields=["snapshot", "most"], name="packing_once_a_size"),
        ]

    def __str__(self) -> str:
        return f"{self.snapshot} in {self.most:,} entries"

    @property
    def is_whole(self) -> bool:
        """Whether everything that the policy blocks is in it."""
        return not self.dropped
