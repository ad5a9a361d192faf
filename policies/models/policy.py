"""Policies: block sources, allow sources and a guard."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from policies.models.acceptance import Acceptable
from policies.models.claim import Claimable, ClaimableQuerySet
from policies.models.source import Source
from policies.states import Expectation, PolicyState, Role, StaleEntries

if TYPE_CHECKING:
    from policies.models.snapshot import Candidate

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
validate_name = RegexValidator(
    NAME_PATTERN, "Use 1 to 64 letters, digits, '-' or '_', a letter or digit first."
)


class PolicyQuerySet(ClaimableQuerySet["Policy"]):
    """Questions asked of policies."""

    def due(self, *, now: datetime) -> Self:
        """Return the policies to compile now.

        None is ever due in an hour: that is from before the clock was set back.
        """
        due = Q(due_at__lte=now) | Q(due_at__gt=now + timedelta(hours=1))
        return self.filter(due, is_paused=False).order_by("due_at", "id")


class Policy(Claimable, Acceptable):
    """What is blocked and allowed, and what that may never do."""

    name = models.CharField(max_length=64, unique=True, validators=[validate_name])
    note = models.TextField(blank=True, default="")
    sources = models.ManyToManyField(Source, through="PolicySource", related_name="policies")

    widest4 = models.PositiveSmallIntegerField(
        "widest IPv4 prefix",
        default=8,
        validators=[MinValueValidator(1), MaxValueValidator(32)],
        help_text="Nothing wider than this prefix length is ever published.",
    )
    widest6 = models.PositiveSmallIntegerField(
        "widest IPv6 prefix",
        default=16,
        validators=[MinValueValidator(3), MaxValueValidator(128)],
        help_text="Nothing wider than this prefix length is ever published.",
    )
    max_share = models.DecimalField(
        "share of the address space, %",
        max_digits=5,
        decimal_places=2,
        default=5,
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(100)],
        help_text="Largest part of the address space the block list may cover, in percent.",
    )
    shrink_limit = models.PositiveSmallIntegerField(
        "shrink limit, %",
        default=50,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="A list that loses more than this at once waits for a person.",
    )
    growth_limit = models.PositiveIntegerField(
        "growth limit, %",
        default=200,
        validators=[MinValueValidator(100), MaxValueValidator(100_000)],
        help_text="Percent of its size that a list may become at once; more waits for a person.",
    )
    reject_limit = models.PositiveSmallIntegerField(
        "reject limit, %",
        default=10,
        validators=[MinValueValidator(0), MaxValueValidator(99)],
        help_text="Percent of a list's entries that may be unreadable; more waits for a person.",
    )
    keep_special = models.BooleanField(
        "block special-purpose ranges",
        default=False,
        help_text="For a policy of bogons: private, reserved and multicast ranges stay in the "
        "block list. Loopback, link-local and protected addresses are taken out all the same.",
    )
    protect_critical = models.BooleanField(
        "never block critical public services",
        default=True,
        help_text="Root name servers and large public resolvers are taken out of the block list.",
    )
    critical_except = models.JSONField(
        "critical services that may be blocked",
        default=list,
        blank=True,
        help_text="Names of groups, such as 'Google Public DNS'; empty for none.",
    )
    stale_entries = models.CharField(
        "entries of stale sources",
        max_length=8,
        choices=StaleEntries.choices,
        default=StaleEntries.KEEP,
        help_text="What becomes of the entries of a source whose list is past its limit.",
    )
    merge_to4 = models.PositiveSmallIntegerField(
        "merge IPv4 to at most /",
        null=True,
        blank=True,
        validators=[MinValueValidator(8), MaxValueValidator(32)],
        help_text="For devices too small for the policy: neighbours may be merged to prefixes no "
        "wider than this, which blocks addresses that no list names. Empty for never.",
    )
    merge_to6 = models.PositiveSmallIntegerField(
        "merge IPv6 to at most /",
        null=True,
        blank=True,
        validators=[MinValueValidator(32), MaxValueValidator(64)],
    )
    keep_snapshots = models.PositiveIntegerField(
        "snapshots kept",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(10_000)],
        help_text="Empty for the site's own number.",
    )
    keep_days = models.PositiveIntegerField(
        "days that snapshots are kept",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
        help_text="Older ones go, the newest stay; empty for no limit of age.",
    )
    keep_documentation = models.BooleanField(
        "let documentation addresses through",
        default=False,
        help_text="For samples and trials: documentation ranges stay in the block list.",
    )
    empty_list_address = models.GenericIPAddressField(
        default="192.0.2.1",
        help_text="Published alone where a list is empty on purpose: an empty feed would make the "
        "firewall keep the old list.",
    )

    is_private = models.BooleanField(
        default=False,
        editable=False,
        help_text="Made for one device; its sources are that device's block and allow list.",
    )
    is_paused = models.BooleanField(
        default=False, editable=False, help_text="Every device that follows it has updates off."
    )
    is_sample = models.BooleanField(default=False, editable=False)

    state = models.CharField(
        max_length=16, choices=PolicyState.choices, default=PolicyState.NEW, editable=False
    )
    state_detail = models.TextField(blank=True, default="", editable=False)
    due_at = models.DateTimeField(null=True, db_index=True, editable=False)
    compiled_at = models.DateTimeField(null=True, editable=False)
    holds_change = models.BooleanField(
        default=False,
        editable=False,
        help_text="Held by a shrink or growth limit; a person may let the change pass.",
    )
    inputs_digest = models.CharField(max_length=64, blank=True, default="", editable=False)
    last_number = models.PositiveIntegerField(default=0, editable=False)
    current = models.ForeignKey(
        "policies.Snapshot",
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        editable=False,
    )
    pinned = models.ForeignKey(
        "policies.Snapshot",
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        editable=False,
        help_text="What is published instead of what the sources say, until a person releases it.",
    )
    pinned_at = models.DateTimeField(null=True, editable=False)
    pinned_by = models.CharField(max_length=150, blank=True, default="", editable=False)

    objects = PolicyQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        verbose_name_plural = "policies"
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=PolicyState.values), name="policy_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(widest4__gte=1, widest4__lte=32), name="policy_widest4_is_a_length"
            ),
            models.CheckConstraint(
                condition=Q(widest6__gte=3, widest6__lte=128), name="policy_widest6_is_a_length"
            ),
            models.CheckConstraint(
                condition=Q(max_share__gt=0, max_share__lte=100),
                name="policy_share_is_a_percentage",
            ),
            models.CheckConstraint(
                condition=Q(shrink_limit__gte=1, shrink_limit__lte=100),
                name="policy_shrink_limit_is_a_percentage",
            ),
            models.CheckConstraint(
                condition=Q(growth_limit__gte=100), name="policy_growth_limit_is_no_loss"
            ),
            models.CheckConstraint(
                condition=Q(stale_entries__in=StaleEntries.values),
                name="policy_stale_entries_is_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def state_word(self) -> PolicyState:
        """The state, with its label and tone."""
        return PolicyState(self.state)

    @property
    def held(self) -> Candidate | None:
        """What the guard holds back for a person to decide on; None where it holds nothing."""
        candidate: Candidate | None = getattr(self, "candidate", None)
        return candidate if candidate is not None and not candidate.is_discarded else None

    @property
    def awaits_acceptance(self) -> bool:
        """Whether it, or a source it takes, holds back a change that a person may let pass."""
        return self.holds_change or any(
            source.holds_change and source.is_enabled for source in self.sources.all()
        )


class PolicySource(models.Model):
    """A source in a policy, and what for."""

    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="policy_sources")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="policy_sources")
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.BLOCK)
    priority = models.PositiveSmallIntegerField(
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="1 is kept longest where a device cannot hold all; equal ones in order of name.",
    )

    class Meta:
        ordering = ["role", "priority", "id"]
        constraints = [
            models.UniqueConstraint(fields=["policy", "source"], name="policy_takes_a_source_once"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="policy_role_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.policy} {self.role} {self.source}"


class PolicyTest(models.Model):
    """Something that must hold before a policy is published."""

    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="tests")
    expect = models.CharField(max_length=16, choices=Expectation.choices)
    network = models.CharField(
        max_length=100, help_text="An address, a network or a range, such as 192.0.2.0/24"
    )
    note = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ["network", "id"]
        constraints = [
            models.UniqueConstraint(fields=["policy", "network"], name="policy_tests_once"),
            models.CheckConstraint(
                condition=Q(expect__in=Expectation.values), name="policy_test_expectation_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.network} {self.expect_word.label}"

    @property
    def expect_word(self) -> Expectation:
        """What is expected, with its label."""
        return Expectation(self.expect)


class ProtectedAddress(models.Model):
    """An address or network that no policy may block, and who says so."""

    network = models.CharField(
        max_length=50, help_text="An address or a network, such as 192.0.2.1"
    )
    reason = models.CharField(max_length=200)
    origin = models.CharField(
        max_length=100,
        blank=True,
        default="",
        editable=False,
        help_text="What keeps this row, such as 'device fmc-1'; empty where a person wrote it.",
    )
    until = models.DateTimeField(
        null=True, editable=False, help_text="When it goes by itself; empty for never."
    )

    class Meta:
        ordering = ["network", "id"]
        verbose_name_plural = "protected addresses"
        constraints = [
            models.UniqueConstraint(
                fields=["network", "origin"], name="protected_once_for_each_origin"
            )
        ]

    def __str__(self) -> str:
        return f"{self.network} ({self.reason})"

    @property
    def goes_by_itself(self) -> bool:
        """Whether it is protected for a time; a person may delete such a row before that."""
        return self.until is not None
