"""Hand one mail to the site's mail server."""

from __future__ import annotations

import smtplib
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from policies.words import shortened

_LONGEST_ANSWER = 300  # characters of what a server says


class MailFailed(Exception):
    """A mail was not taken; the message says by whom and why. Trying again may help."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail."""

    name: str
    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Mail:
    """What is sent to whom."""

    subject: str
    recipients: tuple[str, ...]
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()
    message_id: str = ""  # the same where the same mail is sent again, so that readers see it once


def send_mail(mail: Mail) -> None:
    """Send a mail, all its recipients at once, in bounded time. Raises MailFailed."""
    if not settings.EMAIL_HOST:
        raise MailFailed("There is no mail server: set TSCM_SMTP_HOST and start anew.")
    message = EmailMultiAlternatives(
        subject=" ".join(mail.subject.split()),
        body=mail.text,
        to=list(mail.recipients),
        headers={"Message-ID": mail.message_id} if mail.message_id else {},
    )
    message.attach_alternative(mail.html, "text/html")
    for one in mail.attachments:
        message.attach(one.name, one.content, one.media_type)
    where = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    try:
        get_connection().send_messages([message])
    except smtplib.SMTPRecipientsRefused as error:
        raise MailFailed(f"{where} refused {_refused(error)}.") from error
    except smtplib.SMTPResponseException as error:
        raise MailFailed(f"{where} answered {error.smtp_code} {_said(error.smtp_error)}") from error
    except (smtplib.SMTPException, OSError, ValueError) as error:
        # A ValueError is of an address that no mail can be written to, however well it looks.
        raise MailFailed(f"Mail could not be handed to {where}: {_said(str(error))}.") from error


def _refused(error: smtplib.SMTPRecipientsRefused) -> str:
    told: Sequence[tuple[str, tuple[int, bytes]]] = list(error.recipients.items())
    return ", ".join(f"{address}: {code} {_said(why)}" for address, (code, why) in told)


def _said(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return shortened(" ".join(text.split()), most=_LONGEST_ANSWER)
