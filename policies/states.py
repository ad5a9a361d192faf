"""The words for a state and the tone each is shown in, declared once for pages, API and CLI."""

from __future__ import annotations

from typing import Literal

from django.db.models import TextChoices

Tone = Literal["success", "info", "warning", "danger", "neutral"]


class SourceState(TextChoices):
    """How the last retrieval of a source ended."""

    NEW = "new", "not retrieved yet"
    CURRENT = "current", "current"
    UNAVAILABLE = "unavailable", "unavailable"
    REFUSED = "refused", "refused"

    @property
    def tone(self) -> Tone:
        """The tone this state is shown in."""
        return _SOURCE_TONES[self]


class PolicyState(TextChoices):
    """How the last compile of a policy ended."""

    NEW = "new", "not compiled yet"
    WAITING = "waiting", "waiting for its lists"
    CURRENT = "current", "current"
    PARTIAL = "partial", "current, a source is missing"
    HELD = "held", "held by the guard"
    PINNED = "pinned", "pinned by a person"
    FAILED = "failed", "could not be published"

    @property
    def tone(self) -> Tone:
        """The tone this state is shown in."""
        return _POLICY_TONES[self]


class Outcome(TextChoices):
    """How one retrieval ended."""

    CHANGED = "changed", "changed"
    UNCHANGED = "unchanged", "unchanged"
    UNAVAILABLE = "unavailable", "unavailable"
    REFUSED = "refused", "refused"

    @property
    def tone(self) -> Tone:
        """The tone this outcome is shown in."""
        return _OUTCOME_TONES[self]


class Role(TextChoices):
    """What a policy takes a source for."""

    BLOCK = "block", "block"
    ALLOW = "allow", "allow"


class StaleEntries(TextChoices):
    """What a policy does with the entries of a source whose list is past its limit."""

    KEEP = "keep", "keep them"
    DROP = "drop", "drop them"


class Expectation(TextChoices):
    """What a policy test expects of an address or network."""

    BLOCKED = "blocked", "must be blocked"
    NOT_BLOCKED = "not-blocked", "must never be blocked"


class AlarmKind(TextChoices):
    """What an alarm is about: one open alarm a kind and subject."""

    STALE = "stale", "list is stale"
    HELD = "held", "held by the guard"
    FAILED = "failed", "could not be published"
    UPLOAD_FAILING = "upload-failing", "logs are not uploaded"
    UPLOAD_REFUSED = "upload-refused", "logs are refused"
    LINES_MISSED = "lines-missed", "log lines were missed"
    LEDGER = "ledger", "log lines do not add up"
    RECEIVER_SILENT = "receiver-silent", "receiver is silent"
    KERNEL_DROPS = "kernel-drops", "datagrams were dropped"
    DISK_LOW = "disk-low", "disk of the logs is full"

    @property
    def tone(self) -> Tone:
        """The tone this alarm is shown in."""
        return _ALARM_TONES[self]


PUBLISHED_STATES = (PolicyState.CURRENT, PolicyState.PARTIAL, PolicyState.PINNED)
FAILED_OUTCOMES = (Outcome.UNAVAILABLE, Outcome.REFUSED)

_SOURCE_TONES: dict[SourceState, Tone] = {
    SourceState.NEW: "neutral",
    SourceState.CURRENT: "success",
    SourceState.UNAVAILABLE: "warning",
    SourceState.REFUSED: "danger",
}
_POLICY_TONES: dict[PolicyState, Tone] = {
    PolicyState.NEW: "neutral",
    PolicyState.WAITING: "neutral",
    PolicyState.CURRENT: "success",
    PolicyState.PARTIAL: "warning",
    PolicyState.HELD: "danger",
    PolicyState.PINNED: "warning",
    PolicyState.FAILED: "danger",
}
_OUTCOME_TONES: dict[Outcome, Tone] = {
    Outcome.CHANGED: "success",
    Outcome.UNCHANGED: "info",
    Outcome.UNAVAILABLE: "warning",
    Outcome.REFUSED: "danger",
}
_ALARM_TONES: dict[AlarmKind, Tone] = {
    AlarmKind.STALE: "warning",
    AlarmKind.HELD: "danger",
    AlarmKind.FAILED: "danger",
    AlarmKind.UPLOAD_FAILING: "warning",
    AlarmKind.UPLOAD_REFUSED: "danger",
    AlarmKind.LINES_MISSED: "danger",
    AlarmKind.LEDGER: "danger",
    AlarmKind.RECEIVER_SILENT: "danger",
    AlarmKind.KERNEL_DROPS: "warning",
    AlarmKind.DISK_LOW: "danger",
}
