"""What an OpenID Connect provider says of itself (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import httpcore
from django.conf import settings
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from accounts.sso.settings import OidcSettings
from policies.sources.base import Deadline
from policies.sources.http_address import Allowed
from policies.sources.http_errors import HttpFault, TimedOut
from policies.sources.http_settings import Tls
from policies.sources.http_transport import Route
from policies.sources.http_url import Url

_PATH = "/.well-known/openid-configuration"
_LONGEST = 1 << 20
_HELD_FOR = timedelta(hours=1)
_AWAY_FOR = timedelta(seconds=15)
_OK = 200
_BROKEN = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class ProviderAway(Exception):
    """The provider gives no answer that can be used; the message says what came instead."""


@dataclass(frozen=True, slots=True)
class Provider:
    """The addresses of a provider."""

    authorization: str
    token: str
    userinfo: str
    keys: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came when the provider was asked last."""

    asked_at: datetime
    provider: Provider | None
    why_not: str = ""

    def is_fresh(self, *, now: datetime) -> bool:
        """Tell whether it need not be asked again yet."""
        return abs(now - self.asked_at) <= (_HELD_FOR if self.provider else _AWAY_FOR)


_held: dict[str, _Answer] = {}
_asking = Lock()


def provider(*, now: datetime) -> Provider:
    """Return the provider's addresses, asked for at most once an hour. Raises ProviderAway.

    Anybody may ask: so one request at a time waits for the answer, and a provider that gave none
    is left alone for some seconds.
    """
    issuer = ours().issuer
    held = _held.get(issuer)
    if held is None or not held.is_fresh(now=now):
        held = _asked(issuer, held, now=now)
    if held.provider is None:
        raise ProviderAway(held.why_not)
    return held.provider


def _asked(issuer: str, held: _Answer | None, *, now: datetime) -> _Answer:
    """Ask the provider; return what is held while somebody else is asking."""
    if not _asking.acquire(blocking=False):
        return held or _Answer(now, None, f"{issuer} is being asked just now. Try again")
    try:
        found = _Answer(now, _read(issuer, _ask(issuer.rstrip("/") + _PATH)))
    except ProviderAway as away:
        found = _Answer(now, None, str(away))
    finally:
        _asking.release()
    _held[issuer] = found
    return found


def ours() -> OidcSettings:
    """Return what the site says of its provider."""
    given: OidcSettings | None = settings.TSCM_OIDC
    assert given is not None  # noqa: S101  else nothing here is asked
    return given


def verify() -> str | bool:
    """Return what certificates are verified against."""
    return str(ours().ca) if ours().ca else True


def signing_keys(*, now: datetime) -> bytes:
    """Return the provider's keys as it publishes them (RFC 7517). Raises ProviderAway."""
    return _ask(provider(now=now).keys)


def _ask(url: str) -> bytes:
    """Return what a URL answers, all of it within the bound in time. Raises ProviderAway."""
    deadline = Deadline.after(ours().seconds)
    try:
        parsed = Url.parse(url)
        # A provider is inside the network as often as not, and the site named it.
        route = Route(
            allowed=Allowed.parse((parsed.host,)),
            tls=Tls(ca=(ours().ca or Path(DEFAULT_CA_BUNDLE_PATH)).read_text()),
            proxy=None,
            max_bytes=_LONGEST,
        )
        answer = route.ask(parsed, (), with_certificate=False, deadline=deadline)
    except HttpFault as fault:
        raise ProviderAway(f"{url} gives no answer: {_cause(fault)}") from fault
    except (ValueError, OSError, *_BROKEN) as error:
        raise ProviderAway(f"{url} gives no answer: {error}") from error
    if answer.status != _OK:
        raise ProviderAway(f"{url} answers {answer.status}")
    return answer.body


def _cause(fault: HttpFault) -> str:
    """Return what went wrong, in other words than for who retrieves a list."""
    if isinstance(fault, TimedOut):
        return "not in time"
    return str(fault).removesuffix(f" {fault.advice}").removesuffix(".")


def _read(issuer: str, body: bytes) -> Provider:
    try:
        told: dict[str, Any] = json.loads(body)
        said = told["issuer"]
        found = Provider(
            authorization=told["authorization_endpoint"],
            token=told["token_endpoint"],
            userinfo=told["userinfo_endpoint"],
            keys=told["jwks_uri"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ProviderAway(f"{issuer} does not say what it is: {error!r}") from error
    if said != issuer:
        raise ProviderAway(f"{issuer} calls itself {said}: set TSCM_OIDC_ISSUER to that")
    for url in (found.authorization, found.token, found.userinfo, found.keys):
        _check(url)
    return found


def _check(url: object) -> None:
    """Raise ProviderAway for an address that secrets must not be sent to."""
    parts = urlsplit(str(url))
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ProviderAway(f"the provider names {url}, which is not https")
