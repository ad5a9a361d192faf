"""The promise every way of telling keeps, and how it fails.

NoticeError
├── NoticeUnavailable   no answer, no connection, "come back later": tried again soon
└── NoticeRefused       a bad certificate, a wrong login, a refusal: a person must look; tried
                        again too, for what a person mends is to arrive by itself

`NotifierMisconfigured` stands outside the tree on purpose: no retry may hide it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Literal, Protocol

from policies.sources.base import Deadline

Event = Literal["opened", "closed"]
# What mails, bodies and lines call themselves.
AGENT = "TSCM"


class NoticeError(Exception):
    """A message that did not arrive; its news are kept and told later."""


class NoticeUnavailable(NoticeError):
    """The other side could not take it now; trying again may help."""


class NoticeRefused(NoticeError):
    """The other side will not take it as things are."""


class NotifierMisconfigured(ValueError):
    """A target's settings cannot work; the message names the setting and what it accepts."""


@dataclass(frozen=True, slots=True)
class News:
    """One thing that is told: an alarm opened, or is over."""

    event: Event
    alarm: int  # its number, the same in both news of it
    kind: str  # a word for programs
    label: str  # the same for people
    severity: Literal["warning", "critical"]
    subject: str
    message: str
    next_step: str
    opened_at: datetime
    closed_at: datetime | None
    url: str  # of its page, "" where the console's address is not known

    @property
    def at(self) -> datetime:
        """When it happened."""
        return self.closed_at if self.event == "closed" and self.closed_at else self.opened_at


@dataclass(frozen=True, slots=True)
class Message:
    """What one target is told at once. The id stays when it is tried again."""

    message_id: str
    appliance: str  # which of the site's appliances speaks
    made_at: datetime
    news: tuple[News, ...]
    is_test: bool = False


class Notifier(Protocol):
    """One way to tell one target."""

    # For how long news are collected after a message, so that a burst is a few of them.
    gathers: ClassVar[timedelta]

    def tell(self, message: Message, *, now: datetime, deadline: Deadline) -> str:
        """Send a message whole and return what the other side said of it.

        Raises `NoticeUnavailable` or `NoticeRefused`, never anything else, for whatever the other
        side does, and not much later than `deadline`.
        """
        ...
