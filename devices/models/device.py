"""Devices: the firewalls we serve, and what each of them pulled."""

from __future__ import annotations

from typing import Self

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Exists, Q

from devices.kinds import CHOICES, KINDS
from devices.kinds.iptables import TEST_ADDRESS
from devices.kinds.rules import (
    DEVICE_ID,
    LOG_QUOTA_LEAST,
    LOG_QUOTA_MOST,
    LOG_SIZE_LEAST,
    LOG_SIZE_MOST,
    NICKNAME,
)
from devices.models.group import DeviceGroup
from policies.fields import EncryptedTextField
from policies.models import Packing, Policy, Snapshot

# Names become file names, set names and parts of URLs: one pattern, here and in the database.
_PLAIN_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
_validate_nickname = RegexValidator(f"^{NICKNAME.pattern}$", "Use letters, digits, '-' and '_'.")
_validate_device_id = RegexValidator(f"^{DEVICE_ID.pattern}$", "Use letters, digits, '-' and '_'.")


class IpType(models.TextChoices):
    """How the service knows the appliance's public address."""

    STATIC = "static", "static"
    DYNAMIC = "dynamic", "dynamic"


class Enforcer(models.TextChoices):
    """What a gateway's kernel is told with."""

    IPTABLES = "iptables", "ipset and iptables"
    NFTABLES = "nftables", "nftables"


class Verdict(models.TextChoices):
    """What a gateway does with a listed packet."""

    DROP = "drop", "drop"
    REJECT = "reject", "reject"


class LogWriter(models.TextChoices):
    """Who writes a device's log files."""

    RECEIVER = "receiver", "this appliance"
    RSYSLOG = "rsyslog", "rsyslog of this machine, as tsadmin rsyslog sets it up"


class ForwardSource(models.TextChoices):
    """How a forwarded line tells whom it came from."""

    NONE = "none", "not at all: the bytes as they came"
    STRUCTURED_DATA = "structured-data", "RFC 5424 structured data"
    HEADER = "header", "a header with the sender's address"


class DeviceQuerySet(models.QuerySet["Device"]):
    """Devices, by who may see them."""

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Return the devices that `user` sees: those of his groups, all where he is in none.

        A superuser sees all, whoever is not signed in sees none. It costs no query of its own.
        """
        if user.pk is None:
            return self.none()
        if getattr(user, "is_superuser", False):
            return self
        held = DeviceGroup.people.through.objects.filter(user_id=user.pk)
        return self.filter(~Exists(held) | Q(group__in=held.values("devicegroup")))


class Device(models.Model):
    """A firewall we serve, of some kind."""

    nickname = models.CharField(max_length=64, unique=True, validators=[_validate_nickname])
    kind = models.CharField(max_length=32, choices=CHOICES)
    device_id = models.CharField(
        "device ID", max_length=64, unique=True, validators=[_validate_device_id]
    )
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="devices")
    pinned_snapshot = models.ForeignKey(
        Snapshot,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="What is served while policy updates are off.",
    )
    # A group goes only when it is empty: what its people saw must not become what all see.
    group = models.ForeignKey(
        DeviceGroup, null=True, blank=True, on_delete=models.PROTECT, related_name="devices"
    )
    is_sample = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(editable=False)

    management_ip = models.GenericIPAddressField("device management IP", null=True, blank=True)
    policy_updates = models.BooleanField("enable policy updates", default=True)
    max_policy_size = models.PositiveIntegerField(
        "maximum policy size", null=True, blank=True, help_text="Entries the device can hold."
    )
    client_networks = models.JSONField(
        default=list, blank=True, help_text="Networks that may fetch the feeds; empty for all."
    )
    send_logs = models.BooleanField("send logs to ThreatSTOP", default=True)
    syslog_sources = models.JSONField("additional syslog source IPs", default=list, blank=True)
    log_size = models.PositiveIntegerField("log rotate size", default=100_000)
    log_quota = models.PositiveBigIntegerField(
        "room for logs", default=1_000_000_000, help_text="Bytes on this appliance."
    )
    log_names = models.JSONField(
        "names in its log lines", default=list, blank=True,
        help_text="Host names or DeviceUUIDs, where devices share an address.",
    )  # fmt: skip
    log_writer = models.CharField(
        "who writes its log files", max_length=16, choices=LogWriter.choices,
        default=LogWriter.RECEIVER,
    )  # fmt: skip
    syslog_forward = models.CharField(max_length=2400, blank=True, default="")
    forward_source = models.CharField(
        max_length=16, choices=ForwardSource.choices, default=ForwardSource.NONE
    )
    upload_proxy = models.CharField("log upload proxy", max_length=300, blank=True, default="")
    upload_proxy_user = models.CharField(max_length=100, blank=True, default="")
    upload_proxy_password = EncryptedTextField(blank=True, default="")
    ip_type = models.CharField(
        "IP type", max_length=8, choices=IpType.choices, default=IpType.STATIC
    )
    public_ip = models.GenericIPAddressField("public IP address", null=True, blank=True)
    domain_name = models.CharField(max_length=253, blank=True, default="")
    note = models.TextField(blank=True, default="")

    # Of gateways.
    node = models.CharField(
        "machine that enforces", max_length=64, blank=True, default="",
        help_text="The name it calls itself by.",
    )  # fmt: skip
    enforcer = models.CharField(max_length=16, choices=Enforcer.choices, default=Enforcer.IPTABLES)
    verdict = models.CharField(max_length=8, choices=Verdict.choices, default=Verdict.DROP)
    log_limit = models.CharField(max_length=16, blank=True, default="")
    cut_connections = models.BooleanField(default=True)
    canaries = models.JSONField(default=list, blank=True)
    test_address = models.GenericIPAddressField(null=True, blank=True, default=TEST_ADDRESS)

    # Web Automation: which of these a portal lays down, and which portal.
    portal = models.CharField(max_length=300, blank=True, default="", editable=False)
    set_by_portal = models.JSONField(default=list, editable=False)

    last_pull_at = models.DateTimeField(null=True, editable=False)
    last_pull_number = models.PositiveIntegerField(null=True, editable=False)
    # Here and not with the rest of the logs: a list of devices shows it without asking for more.
    log_trouble = models.TextField(blank=True, default="", editable=False)
    log_trouble_since = models.DateTimeField(null=True, editable=False)

    objects = DeviceQuerySet.as_manager()

    class Meta:
        ordering = ["nickname", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(nickname__regex=_PLAIN_NAME), name="device_nickname_is_plain"
            ),
            models.CheckConstraint(
                condition=Q(device_id__regex=_PLAIN_NAME), name="device_id_is_plain"
            ),
            models.CheckConstraint(
                condition=Q(log_size__gte=LOG_SIZE_LEAST, log_size__lte=LOG_SIZE_MOST),
                name="device_log_size_is_in_range",
            ),
            models.CheckConstraint(
                condition=Q(log_quota__gte=LOG_QUOTA_LEAST, log_quota__lte=LOG_QUOTA_MOST),
                name="device_log_quota_is_in_range",
            ),
            models.CheckConstraint(
                condition=Q(forward_source__in=ForwardSource.values),
                name="device_forward_source_is_known",
            ),
            models.CheckConstraint(
                condition=Q(log_writer__in=LogWriter.values), name="device_log_writer_is_known"
            ),
            models.CheckConstraint(
                condition=Q(ip_type__in=IpType.values), name="device_ip_type_is_known"
            ),
            models.CheckConstraint(
                condition=Q(enforcer__in=Enforcer.values), name="device_enforcer_is_known"
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=Verdict.values), name="device_verdict_is_known"
            ),
            # A kernel holds one policy: its sets and chains have one name each.
            models.UniqueConstraint(
                fields=["node"], condition=~Q(node=""), name="device_one_a_node"
            ),
        ]

    def __str__(self) -> str:
        return self.nickname

    @property
    def is_gateway(self) -> bool:
        """Whether an enforcer loads its lists into a kernel; else it pulls feeds."""
        return self.kind in KINDS and KINDS[self.kind].is_gateway

    @property
    def published(self) -> Snapshot | None:
        """The snapshot the device is served: pinned, or the newest that fits; None when none is.

        Derived, never stored: there is nothing that could go stale when the policy's current
        snapshot flips.
        """
        return self.newest_fitting if self.policy_updates else self.pinned_snapshot

    @property
    def newest_fitting(self) -> Snapshot | None:
        """The policy's newest snapshot that the device can hold; None where there is none."""
        current, most = self.policy.current, self.max_policy_size
        if current is None or most is None or current.entries <= most:
            return current  # no snapshot is newer
        if self.packing is not None:
            return current
        fitting = Snapshot.objects.filter(policy=self.policy_id).fitting(most)
        return fitting.order_by("-number").first()

    @property
    def packing(self) -> Packing | None:
        """The policy's current snapshot made to fit this device, None where none is or need be."""
        current = self.policy.current
        if current is None or not self.needs_packing:
            return None
        # all(), so that a list of devices can prefetch policy__current__packings.
        packings = current.packings.all()
        return next((one for one in packings if one.most == self.max_policy_size), None)

    @property
    def needs_packing(self) -> bool:
        """Whether the policy's current snapshot is larger than this device holds."""
        current, most = self.policy.current, self.max_policy_size
        return current is not None and most is not None and current.entries > most

    @property
    def is_too_small(self) -> bool:
        """Whether the policy's current snapshot does not fit this device, not even packed."""
        return self.needs_packing and self.packing is None


class Pull(models.Model):
    """One request for a feed: who, when, which snapshot, how it ended."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="pulls")
    at = models.DateTimeField()
    client = models.GenericIPAddressField()
    agent = models.CharField(max_length=200, blank=True, default="")
    file = models.CharField(max_length=40, help_text="Such as threatstop-block.txt")
    method = models.CharField(max_length=8)
    status = models.PositiveSmallIntegerField()
    snapshot_number = models.PositiveIntegerField(null=True)
    sent = models.PositiveBigIntegerField(help_text="Bytes of the body that were sent.")
    is_complete = models.BooleanField(
        default=True, help_text="False when the client went away half-way."
    )

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["device", "-at"], name="pull_by_device"),
            models.Index(fields=["-at", "-id"], name="pull_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.device} {self.file} {self.status} {self.at:%Y-%m-%d %H:%M:%S}"
