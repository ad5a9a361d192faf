"""Snapshots: compiled policies that never change, and their feeds."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from policies.models.policy import Policy
from policies.states import Role


class Snapshot(models.Model):
    """One immutable compiled version of a policy: a manifest of digests and its numbers."""

    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="snapshots")
    number = models.PositiveIntegerField()
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
    sources = models.JSONField(
        help_text="The lists it was compiled from: name, role, digest of each."
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["policy", "number"], name="snapshot_number_once_a_policy"
            )
        ]

    def __str__(self) -> str:
        return f"{self.policy} #{self.number}"


class Feed(models.Model):
    """One list of a snapshot in one format: a file written once and served for ever."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="feeds")
    list = models.CharField(max_length=8, choices=Role.choices)
    format = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the body; names the file.")
    md5 = models.CharField(max_length=32)
    size = models.PositiveBigIntegerField()
    gzip_size = models.PositiveBigIntegerField()
    lines = models.PositiveIntegerField()

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
