"""A webhook: one signed POST a message, over a connection that is checked before it is made.

The way out is that of web lists (`policies.sources.http_transport.Door`): the name is resolved,
every address is checked, and one that was checked is connected to; addresses inside the network
need to be allowed by name. Redirects are not followed: the news are meant for this address.

Path and query may be the key of whoever takes them: what is said of a message names the origin.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Self

import httpcore

from policies.notices.base import (
    AGENT,
    Message,
    News,
    NoticeError,
    NoticeRefused,
    NoticeUnavailable,
    NotifierMisconfigured,
)
from policies.notices.signing import key_of, signatures
from policies.sources.base import Deadline, SourceMisconfigured, SourceUnavailable
from policies.sources.http_address import Allowed
from policies.sources.http_errors import HttpFault, ReachesInside, TimedOut
from policies.sources.http_settings import Tls, read_tls, read_url
from policies.sources.http_transport import Door, for_httpcore
from policies.sources.http_url import Url
from policies.sources.settings import Settings

SETTINGS = ("url", "ca", "allow_internal")
_LONGEST_ANSWER = 2_000  # bytes of what it says that are read
_SHOWN = 200
# "Come back later", in one way or another; all else below 500 a person must look at.
_LATER = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class WebhookNotifier:
    """A web address that takes messages."""

    gathers: ClassVar[timedelta] = timedelta(seconds=10)

    url: Url
    allowed: Allowed
    tls: Tls
    keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], *, secrets: Sequence[str]) -> Self:
        """Build it; raise `NotifierMisconfigured` for a setting that cannot work.

        The first of the secrets is the one in force, the others are still good.
        """
        read = Settings(settings)
        try:
            read.only(SETTINGS)
            return cls(
                url=read_url(read),
                allowed=Allowed.parse(read.optional_texts("allow_internal", most=50, longest=300)),
                tls=read_tls(read),
                keys=tuple(key_of(secret) for secret in secrets),
            )
        except (SourceMisconfigured, ValueError) as error:
            raise NotifierMisconfigured(str(error)) from error

    def tell(self, message: Message, *, now: datetime, deadline: Deadline) -> str:
        """Post a message and return the status it was taken with; raise a `NoticeError`."""
        body = json.dumps(body_of(message), ensure_ascii=False, separators=(",", ":")).encode()
        # Of this attempt, not of the message: a receiver refuses what was signed long ago.
        timestamp = int(now.timestamp())
        signed = signatures(
            self.keys, message_id=message.message_id, timestamp=timestamp, body=body
        )
        headers = [
            (b"Host", self.url.authority.encode()),
            (b"User-Agent", AGENT.encode()),
            (b"Content-Type", b"application/json"),
            (b"Content-Length", b"%d" % len(body)),
            (b"Webhook-Id", message.message_id.encode()),
            (b"Webhook-Timestamp", b"%d" % timestamp),
            (b"Webhook-Signature", signed.encode()),
        ]
        try:
            status, said = self._post(headers, body, deadline)
        except HttpFault as fault:
            raise _told_anew(self.url.origin, fault) from fault
        except ssl.SSLError as error:
            raise NoticeRefused(
                f"{self.url.origin}: TLS cannot be set up ({error.reason})"
            ) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise NoticeUnavailable(f"{self.url.origin}: the connection broke ({error})") from error
        return _taken(self.url.origin, status, said)

    def _post(
        self, headers: list[tuple[bytes, bytes]], body: bytes, deadline: Deadline
    ) -> tuple[int, str]:
        door = Door(allowed=self.allowed, proxy=None, deadline=deadline)
        context = self.tls.context(with_certificate=False) if self.url.is_encrypted else None
        target = for_httpcore(self.url, self.url.target)
        with (
            httpcore.ConnectionPool(ssl_context=context, network_backend=door) as pool,
            pool.stream("POST", target, headers=headers, content=body) as answer,
        ):
            return answer.status, _beginning(answer, key=self.url.target)


def body_of(message: Message) -> dict[str, object]:
    """Return what is posted, as JSON holds it."""
    kind = "alarms.test" if message.is_test else "alarms.changed"
    return {
        "type": kind,
        "timestamp": message.made_at.isoformat(),
        "data": {
            "appliance": message.appliance,
            "alarms": [_news_body(one) for one in message.news],
        },
    }


def _news_body(news: News) -> dict[str, object]:
    return {
        "event": news.event,
        "id": news.alarm,
        "kind": news.kind,
        "label": news.label,
        "severity": news.severity,
        "subject": news.subject,
        "message": news.message,
        "next_step": news.next_step,
        "opened_at": news.opened_at.isoformat(),
        "closed_at": news.closed_at.isoformat() if news.closed_at else None,
        "url": news.url,
    }


def _beginning(answer: httpcore.Response, *, key: str) -> str:
    """Return the beginning of what the other side says, for who has to find out why.

    Many repeat what was asked for; it is left out.
    """
    said = b""
    for chunk in answer.iter_stream():
        said += chunk
        if len(said) >= _LONGEST_ANSWER:
            break
    text = " ".join(said[:_LONGEST_ANSWER].decode("utf-8", errors="replace").split())
    if len(key) > 1:
        text = text.replace(key, "/…").replace(key.partition("?")[0], "/…")
    return "".join(letter for letter in text if letter.isprintable())[:_SHOWN]


def _taken(origin: str, status: int, said: str) -> str:
    """Return what is told of an answer that took it, or raise why it was not taken."""
    if 200 <= status < 300:
        return f"{origin} answered {status}"
    told = f"{origin} answered {status}" + (f": {said}" if said else "")
    if status in _LATER or status >= 500:
        raise NoticeUnavailable(f"{told}. It is tried again.")
    if 300 <= status < 400:
        raise NoticeRefused(f"{told}, a redirect, which is not followed. Give the final URL.")
    raise NoticeRefused(f"{told}. Look at the receiver's log, and at its idea of the secret.")


def _told_anew(origin: str, fault: HttpFault) -> NoticeError:
    """Return a fault of the web as one of a message: other words, the same cause."""
    if isinstance(fault, TimedOut):
        return NoticeUnavailable(f"{origin}: no answer in time. It is tried again.")
    cause = str(fault).removesuffix(f" {fault.advice}").removesuffix(".")
    if isinstance(fault, ReachesInside):
        return NoticeRefused(f"{cause}. Where that is meant, name the host in allow_internal.")
    if isinstance(fault, SourceUnavailable):
        return NoticeUnavailable(f"{cause}. It is tried again.")
    return NoticeRefused(
        f"{cause}. Check the URL, and ca where the site has an authority of its own."
    )
