"""From the row of a target to what tells it; mail goes through the site's own mail settings."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.conf import settings as site
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection

from policies.mailboxes import check_mailbox
from policies.models import AlarmTarget, TargetKind
from policies.notices.base import (
    Message,
    NoticeRefused,
    NoticeUnavailable,
    Notifier,
    NotifierMisconfigured,
)
from policies.notices.syslog import SETTINGS as SYSLOG_SETTINGS, SyslogNotifier
from policies.notices.webhook import SETTINGS as WEBHOOK_SETTINGS, WebhookNotifier
from policies.notices.wording import subject_of, text_of
from policies.sources.base import Deadline, SourceMisconfigured
from policies.sources.settings import Settings

SETTINGS: Mapping[str, tuple[str, ...]] = {
    TargetKind.EMAIL: ("to",),
    TargetKind.WEBHOOK: WEBHOOK_SETTINGS,
    TargetKind.SYSLOG: SYSLOG_SETTINGS,
}
# For a form and a manual: what each kind takes.
EXAMPLES: Mapping[str, str] = {
    TargetKind.EMAIL: '{"to": ["noc@example.net"]}',
    TargetKind.WEBHOOK: '{"url": "https://example.net/hook", "allow_internal": [], "ca": ""}',
    TargetKind.SYSLOG: '{"host": "siem.example.net", "protocol": "udp, tcp or tls", "port": 514, '
    '"facility": 16, "server_name": "", "ca": ""}',
}
MOST_MAILBOXES = 50


def build_notifier(
    *, kind: str, settings: Mapping[str, object], secrets: Sequence[str] = ()
) -> Notifier:
    """Build what tells a target of a kind; raises NotifierMisconfigured."""
    if kind == TargetKind.EMAIL:
        return MailNotifier.from_settings(settings)
    if kind == TargetKind.SYSLOG:
        return SyslogNotifier.from_settings(settings)
    if kind == TargetKind.WEBHOOK:
        return WebhookNotifier.from_settings(settings, secrets=secrets)
    raise NotifierMisconfigured(
        f"kind {kind!r} is not known; known are {', '.join(TargetKind.values)}"
    )


def notifier_of(target: AlarmTarget, *, now: datetime) -> Notifier:
    """Build what tells a target; raises NotifierMisconfigured, DecryptionFailed."""
    return build_notifier(
        kind=target.kind, settings=target.settings, secrets=Secrets.of(target).good(now=now)
    )


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a webhook is signed with; after a change the one before is good for a while too."""

    current: str = ""
    previous: str = ""
    previous_until: str = ""  # ISO 8601

    @classmethod
    def of(cls, target: AlarmTarget) -> Self:
        """Return those of a target; raises DecryptionFailed."""
        return cls(**json.loads(target.secrets)) if target.secrets else cls()

    def text(self) -> str:
        """Return them as they are kept."""
        kept = {
            "current": self.current,
            "previous": self.previous,
            "previous_until": self.previous_until,
        }
        return json.dumps(kept)

    def good(self, *, now: datetime) -> tuple[str, ...]:
        """Return those that a message is signed with, the one in force first."""
        if self.previous and now < datetime.fromisoformat(self.previous_until):
            return self.current, self.previous
        return (self.current,) if self.current else ()


@dataclass(frozen=True, slots=True)
class MailNotifier:
    """Mailboxes that get one mail a message."""

    gathers: ClassVar[timedelta] = timedelta(minutes=5)

    to: tuple[str, ...]

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Self:
        """Build it; raise `NotifierMisconfigured` for a setting that cannot work."""
        read = Settings(settings)
        try:
            read.only(SETTINGS[TargetKind.EMAIL])
            to = read.texts("to", most=MOST_MAILBOXES, longest=254)
        except SourceMisconfigured as error:
            raise NotifierMisconfigured(str(error)) from error
        for mailbox in to:
            try:
                check_mailbox(mailbox)
            except (ValidationError, ValueError) as error:
                raise NotifierMisconfigured(
                    f"to must hold addresses such as noc@example.net, not {mailbox!r}"
                ) from error
        return cls(to)

    def tell(self, message: Message, *, now: datetime, deadline: Deadline) -> str:  # noqa: ARG002
        """Hand one mail to the site's mail server; raise a `NoticeError`."""
        if not site.EMAIL_HOST:
            raise NoticeRefused(
                "No mail server is set: give TSCM_SMTP_HOST and restart; then it is sent by itself."
            )
        left = max(0.1, deadline.remaining())
        domain = site.DEFAULT_FROM_EMAIL.rpartition("@")[2]
        mail = EmailMessage(
            subject_of(message),
            text_of(message),
            to=list(self.to),
            headers={
                # The same however often it is tried: a mail program shows it once.
                "Message-ID": f"<{message.message_id}@{domain}>",
                "Auto-Submitted": "auto-generated",
            },
            # By itself it would wait so long for each answer, however many there are.
            connection=get_connection(
                timeout=min(float(site.EMAIL_TIMEOUT or left), left), whole=left
            ),
        )
        try:
            mail.send()
        except smtplib.SMTPException as error:
            raise _fault(error) from error
        except OSError as error:
            raise NoticeUnavailable(
                f"The mail server {site.EMAIL_HOST} cannot be reached ({_said(error)}). Check "
                f"TSCM_SMTP_HOST, TSCM_SMTP_PORT and TSCM_SMTP_SECURITY."
            ) from error
        except ValueError as error:
            raise NoticeRefused(
                f"No mail can be written to {', '.join(self.to)} ({_said(error)}). Check them."
            ) from error
        return f"taken by {site.EMAIL_HOST} for {', '.join(self.to)}"


def _fault(error: smtplib.SMTPException) -> NoticeRefused | NoticeUnavailable:
    where = f"The mail server {site.EMAIL_HOST}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = "; ".join(
            f"{mailbox}: {code} {_plain(said)}"
            for mailbox, (code, said) in list(error.recipients.items())[:5]
        )
        is_lasting = any(code >= 500 for code, _ in error.recipients.values())
        message = f"{where} takes nothing for these mailboxes ({answers})."
    elif isinstance(error, smtplib.SMTPResponseException):
        is_lasting = error.smtp_code >= 500
        message = f"{where} answered {error.smtp_code} {_plain(error.smtp_error)}."
    else:
        is_lasting = isinstance(error, smtplib.SMTPNotSupportedError)
        message = f"{where} did not take it ({_said(error)})."
    if is_lasting:
        return NoticeRefused(f"{message} Check the mailboxes, and TSCM_SMTP_USER.")
    return NoticeUnavailable(f"{message} It is tried again.")


def _plain(said: bytes | str) -> str:
    text = said.decode("utf-8", errors="replace") if isinstance(said, bytes) else str(said)
    return " ".join(text.split())[:200]


def _said(error: Exception) -> str:
    return _plain(getattr(error, "strerror", None) or str(error) or type(error).__name__)
