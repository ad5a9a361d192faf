"""Device entries: what a portal knows of each device that links to it, and what the device said."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from devices.kinds import CHOICES
from devices.kinds.rules import DEVICE_ID, NICKNAME
from devices.models import DeviceGroup
from policies.fields import EncryptedTextField
from policies.models import Policy

_PLAIN_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
_validate_nickname = RegexValidator(f"^{NICKNAME.pattern}$", "Use letters, digits, '-' and '_'.")
_validate_device_id = RegexValidator(f"^{DEVICE_ID.pattern}$", "Use letters, digits, '-' and '_'.")


class Steering(models.Model):
    """Settings and a policy that somebody laid down: for one device, or for a whole group."""

    policy = models.ForeignKey(
        Policy, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    settings = models.JSONField(
        default=dict, blank=True, help_text="By name, as the kind stores them; no secrets."
    )
    secrets = EncryptedTextField(
        blank=True, default="", help_text="The secret settings, as JSON.", editable=False
    )

    class Meta:
        abstract = True


class Entry(Steering):
    """One device as the portal knows it: its settings are published, and it links by its key.

    What neither it nor its group says is the default of the kind.
    """

    nickname = models.CharField(max_length=64, unique=True, validators=[_validate_nickname])
    device_id = models.CharField(
        "device ID", max_length=64, unique=True, validators=[_validate_device_id]
    )
    kind = models.CharField(max_length=32, choices=CHOICES)
    manufacturer = models.CharField(max_length=64, blank=True, default="")
    model = models.CharField(max_length=64, blank=True, default="")
    group = models.ForeignKey(
        DeviceGroup, null=True, blank=True, on_delete=models.PROTECT, related_name="entries"
    )
    note = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(editable=False)
    # The digest of what the machine that made it knows alone: only that one may ask for it again.
    registration_digest = models.CharField(max_length=64, blank=True, default="", editable=False)

    # Of its zone: what is wanted is due, and what was written is told.
    due_at = models.DateTimeField(null=True, db_index=True, editable=False)
    serial = models.PositiveBigIntegerField(default=0, editable=False)
    content_digest = models.CharField(max_length=64, blank=True, default="", editable=False)
    written_at = models.DateTimeField(null=True, editable=False)
    write_error = models.TextField(blank=True, default="", editable=False)
    # Its keys up to this one may not report, for with one of them too much was written.
    muted_generation = models.PositiveIntegerField(default=0, editable=False)
    # The address its domain name has now, where its public address is dynamic.
    resolved = models.JSONField(default=list, editable=False)
    resolved_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["nickname", "id"]
        verbose_name = "device entry"
        verbose_name_plural = "device entries"
        constraints = [
            models.CheckConstraint(
                condition=Q(nickname__regex=_PLAIN_NAME), name="entry_nickname_is_plain"
            ),
            models.CheckConstraint(
                condition=Q(device_id__regex=_PLAIN_NAME), name="entry_device_id_is_plain"
            ),
        ]

    def __str__(self) -> str:
        return self.nickname


class EntryKey(models.Model):
    """A device key; while one takes the place of another, both are good for a while."""

    entry = models.ForeignKey(Entry, on_delete=models.CASCADE, related_name="keys")
    generation = models.PositiveIntegerField()
    text = EncryptedTextField(help_text="As an administrator types it.")
    created_at = models.DateTimeField()
    retires_at = models.DateTimeField(null=True, help_text="When it is good no more.")

    class Meta:
        ordering = ["entry", "generation"]
        constraints = [
            models.UniqueConstraint(fields=["entry", "generation"], name="entry_key_once"),
        ]

    def __str__(self) -> str:
        return f"key {self.generation} of {self.entry}"


class EntryStatus(models.Model):
    """What a device said of itself last."""

    entry = models.OneToOneField(Entry, on_delete=models.CASCADE, related_name="status")
    reported_at = models.DateTimeField(help_text="By the clock of the device.")
    received_at = models.DateTimeField(help_text="When the portal read it.")
    version = models.CharField(max_length=64, blank=True, default="")
    state = models.CharField(
        max_length=64, blank=True, default="", help_text="Such as enforced, or serving."
    )
    serial = models.PositiveBigIntegerField(default=0, help_text="Of the settings in force.")
    behind_since = models.DateTimeField(
        null=True, help_text="Since when it says the same old serial again and again."
    )
    snapshot_number = models.PositiveIntegerField(null=True)
    digest = models.CharField(
        max_length=64, blank=True, default="", help_text="Of the block list in force."
    )
    retrieved_at = models.DateTimeField(null=True)
    uploaded_at = models.DateTimeField(null=True)
    clock_offset = models.FloatField(null=True, help_text="Seconds that its clock is ahead.")
    errors = models.JSONField(default=list, help_text="Sentences.")
    overrides = models.JSONField(default=list, help_text="Names of settings it overrides.")
    digest_of_records = models.CharField(max_length=64, blank=True, default="", editable=False)

    class Meta:
        ordering = ["entry"]
        verbose_name_plural = "entry statuses"

    def __str__(self) -> str:
        return f"status of {self.entry}"


class GroupSettings(Steering):
    """What all device entries of a group inherit, as far as they say nothing else themselves."""

    group = models.OneToOneField(
        DeviceGroup, on_delete=models.CASCADE, related_name="fleet_settings"
    )

    class Meta:
        ordering = ["group"]
        verbose_name_plural = "settings of groups"

    def __str__(self) -> str:
        return f"settings of {self.group}"
