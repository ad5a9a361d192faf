"""Where batches are uploaded to, and which way: what an administrator may set."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from logs.shippers.base import ShipperMisconfigured
from logs.shippers.upload_errors import AuthoritiesUnreadable
from policies.sources.http_url import BadUrl, Url
from policies.sources.resolver import is_address

_LONGEST = 1000
_PROXY = re.compile(r"http://[^/?#@]+:[0-9]{1,5}/?")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that knows CONNECT, and who we are to it."""

    url: Url
    login: tuple[bytes, bytes] | None = field(default=None, repr=False)


def read_url(text: str) -> Url:
    """Return the URL of the log service; raise `ShipperMisconfigured`."""
    try:
        url = Url.parse(text)
    except BadUrl as error:
        reason = str(error).replace("; set auth instead", "")
        raise ShipperMisconfigured(f"the upload URL {reason}") from error
    if not (url.is_encrypted or (is_address(url.host) and ip_address(url.host).is_loopback)):
        raise ShipperMisconfigured(
            "the upload URL must begin with https://; http:// is only for a collector on this "
            "machine, by its address (http://127.0.0.1:port/)"
        )
    return url


def read_proxy(text: str, user: str, password: str) -> Proxy:
    """Return the proxy; raise `ShipperMisconfigured`."""
    if text.lower().startswith("https:"):
        raise ShipperMisconfigured(
            "the upload proxy must be http://address:port; an https:// proxy is not supported "
            "(the batch itself is encrypted all the way through an http:// one)"
        )
    try:
        url = Url.parse(text) if _PROXY.fullmatch(text) else None
    except BadUrl:
        url = None
    if url is None:
        raise ShipperMisconfigured(
            "the upload proxy must be http://address:port; user and password are settings of "
            "their own"
        )
    if not user:
        return Proxy(url)
    if ":" in user or not user.isprintable() or max(len(user), len(password)) > _LONGEST:
        raise ShipperMisconfigured(
            f"the proxy user must not hold a colon, and it and the password have up to "
            f"{_LONGEST:,} characters"
        )
    return Proxy(url, (user.encode(), password.encode()))


def read_ca(path: Path) -> str:
    """Return the authorities in a file, as PEM.

    Raises `AuthoritiesUnreadable`, and `ShipperMisconfigured` where it holds none.
    """
    try:
        pem = path.read_text("ascii")
        ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise ShipperMisconfigured(
            f"the file of authorities must hold certificates in PEM form: {path} holds none"
        ) from error
    except OSError as error:
        raise AuthoritiesUnreadable(
            f"reading the file of authorities: {path}: {error.strerror}"
        ) from error
    return pem
