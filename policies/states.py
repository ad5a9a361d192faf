"""The words for a state and the tone each is shown in, declared once for pages, API and CLI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, Self, TypeVar

from django.db.models import TextChoices

Tone = Literal["success", "info", "warning", "danger", "neutral"]


class Toned(TextChoices):
    """Words for a state, each with the tone it is shown in: `NAME = value, tone, label`."""

    tone: Tone

    def __new__(cls, value: str, tone: Tone | None = None) -> Self:
        """Make a member; its label is taken off before. Raises TypeError on one without a tone."""
        if tone is None:  # optional for type checkers only: they take a lookup by value for this
            raise TypeError(f"{cls.__name__} {value!r} has no tone")
        member = str.__new__(cls, value)
        member._value_ = value
        member.tone = tone
        return member


State = TypeVar("State", bound=Toned)


@dataclass(frozen=True, slots=True)
class Told(Generic[State]):
    """How something does: the word, and a sentence that says why and what to do."""

    state: State
    detail: str

    @property
    def label(self) -> str:
        """The word as people read it."""
        return str(self.state.label)

    @property
    def tone(self) -> Tone:
        """The tone it is shown in."""
        return self.state.tone


class SourceState(Toned):
    """How the last retrieval of a source ended."""

    NEW = "new", "neutral", "not retrieved yet"
    CURRENT = "current", "success", "current"
    UNAVAILABLE = "unavailable", "warning", "unavailable"
    REFUSED = "refused", "danger", "refused"


class PolicyState(Toned):
    """How the last compile of a policy ended."""

    NEW = "new", "neutral", "not compiled yet"
    WAITING = "waiting", "neutral", "waiting for its lists"
    CURRENT = "current", "success", "current"
    PARTIAL = "partial", "warning", "current, a source is missing"
    HELD = "held", "danger", "held by the guard"
    PINNED = "pinned", "warning", "pinned by a person"
    FAILED = "failed", "danger", "could not be published"


class Outcome(Toned):
    """How one retrieval ended."""

    CHANGED = "changed", "success", "changed"
    UNCHANGED = "unchanged", "info", "unchanged"
    UNAVAILABLE = "unavailable", "warning", "unavailable"
    REFUSED = "refused", "danger", "refused"


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


class AlarmKind(Toned):
    """What an alarm is about: one open alarm a kind and subject."""

    STALE = "stale", "warning", "list is stale"
    HELD = "held", "danger", "held by the guard"
    FAILED = "failed", "danger", "could not be published"
    UPLOAD_FAILING = "upload-failing", "warning", "logs are not uploaded"
    UPLOAD_REFUSED = "upload-refused", "danger", "logs are refused"
    LINES_MISSED = "lines-missed", "danger", "log lines were missed"
    LEDGER = "ledger", "danger", "log lines do not add up"
    RECEIVER_SILENT = "receiver-silent", "danger", "receiver is silent"
    KERNEL_DROPS = "kernel-drops", "warning", "datagrams were dropped"
    DISK_LOW = "disk-low", "danger", "disk of the logs is full"
    STOPPED_PULLING = "stopped-pulling", "danger", "firewall stopped pulling"
    NOT_ENFORCED = "not-enforced", "danger", "not enforced"
    ROLLED_BACK = "rolled-back", "danger", "change was rolled back"
    ENFORCER_AWAY = "enforcer-away", "danger", "kernel is not read back"
    KERNEL_DIFFERS = "kernel-differs", "warning", "kernel differed"
    CLOCK = "clock", "warning", "clock is not right"
    DATA_DISK = "data-disk", "danger", "disk of the data is full"
    CERTIFICATE = "certificate", "warning", "certificate is near its end"
    TARGET_FAILING = "target-failing", "warning", "alarms are not delivered"
    ENTRY_SILENT = "entry-silent", "danger", "device tells its portal nothing"
    ENTRY_TROUBLE = "entry-trouble", "warning", "device has trouble"
    PORTAL_UNWRITTEN = "portal-unwritten", "danger", "portal is not written"
    LINK_FAILING = "link-failing", "danger", "portal is not reached"

    @property
    def severity(self) -> AlarmSeverity:
        """How bad it is."""
        return AlarmSeverity.CRITICAL if self.tone == "danger" else AlarmSeverity.WARNING


class AlarmSeverity(Toned):
    """How bad it is what an alarm is about, the least first."""

    WARNING = "warning", "warning", "warning"
    CRITICAL = "critical", "danger", "critical"

    @property
    def kinds(self) -> tuple[AlarmKind, ...]:
        """The kinds of alarm that are as bad, or worse."""
        order = list(AlarmSeverity)
        return tuple(kind for kind in AlarmKind if order.index(kind.severity) >= order.index(self))


class AlarmEvent(Toned):
    """What is told of an alarm, each once."""

    OPENED = "opened", "danger", "opened"
    CLOSED = "closed", "success", "closed"


class NoticeState(Toned):
    """What became of a message about alarms."""

    WAITING = "waiting", "info", "waiting"
    SENT = "sent", "success", "sent"
    GIVEN_UP = "given-up", "danger", "given up"


PUBLISHED_STATES = (PolicyState.CURRENT, PolicyState.PARTIAL, PolicyState.PINNED)
FAILED_OUTCOMES = (Outcome.UNAVAILABLE, Outcome.REFUSED)
