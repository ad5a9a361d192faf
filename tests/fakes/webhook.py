"""A receiver of webhooks that checks signatures by itself, as Standard Webhooks has it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.fakes.webserver import Raw, Reply, Request, WebServer

_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Hook:
    """One message that came, and which of the receiver's secrets it is signed with."""

    message_id: str
    at: int
    body: dict[str, Any]
    good: tuple[str, ...]


class WebhookReceiver(WebServer):
    """Takes what is signed with one of its secrets, and refuses all else with 401."""

    def __init__(
        self, *secrets: str, now: datetime | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(self.take, tls=tls)
        self.secrets = list(secrets)
        self.now = now  # None: however old a message is
        self.hooks: list[Hook] = []
        self.answers: list[Reply | Raw] = []  # for the next requests, instead of its own

    def take(self, request: Request) -> Reply | Raw:
        """Keep a message and answer."""
        hook = self._read(request)
        if self.answers:
            return self.answers.pop(0)
        if not hook.good:
            return Reply(b"the signature is wrong", status=401)
        if self.now is not None and abs(self.now.timestamp() - hook.at) > _TOLERANCE.seconds:
            return Reply(b"too old", status=400)
        self.hooks.append(hook)
        return Reply(status=204)

    def _read(self, request: Request) -> Hook:
        assert request.method == "POST"
        assert request.headers["content-type"] == "application/json"
        named = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        signed = ".".join(named).encode() + b"." + request.body
        given = request.headers["webhook-signature"].split(" ")
        good = tuple(secret for secret in self.secrets if _signature(secret, signed) in given)
        return Hook(named[0], int(named[1]), json.loads(request.body), good)


def _signature(secret: str, signed: bytes) -> str:
    prefix, _, key = secret.partition("_")
    assert prefix == "whsec"
    digest = hmac.new(base64.b64decode(key), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
