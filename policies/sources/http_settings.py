"""The settings of a web list that say who we are and which way we go."""

from __future__ import annotations

import base64
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from policies.sources.base import SourceMisconfigured
from policies.sources.http_url import BadUrl, Url
from policies.sources.settings import Settings, shown

AUTH = ("none", "basic", "bearer", "header", "certificate")

_LONGEST = 4096
_LONGEST_PEM = 200_000
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VISIBLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
# What HTTP itself depends on, and what we say ourselves.
_OURS = frozenset(
    {
        "accept-encoding", "authorization", "connection", "content-length", "expect", "host",
        "if-modified-since", "if-none-match", "keep-alive", "proxy-authorization", "range", "te",
        "trailer", "transfer-encoding", "upgrade", "user-agent",
    }
)  # fmt: skip

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom we trust, and the certificate we show."""

    ca: str = ""  # PEM; "": whom the system trusts
    certificate: str = ""  # PEM
    key: str = field(default="", repr=False)  # PEM

    def context(self, *, with_certificate: bool) -> ssl.SSLContext:
        """Return a context that verifies the server; raise `ssl.SSLError` for a bad PEM."""
        context = ssl.create_default_context(cadata=self.ca or None)
        if with_certificate and self.certificate:
            with _readable(self.certificate) as certificate, _readable(self.key) as key:
                # Without a password OpenSSL would ask for one at the terminal.
                context.load_cert_chain(certificate, key, password="")
        return context


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy, and who we are to it."""

    url: Url
    login: tuple[bytes, bytes] | None = field(default=None, repr=False)


@contextmanager
def _readable(text: str) -> Iterator[str]:
    """Give a path to `text` that ssl can read; a key must not be written to a disk."""
    with os.fdopen(os.memfd_create("pem"), "wb") as file:
        file.write(text.encode())
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def told_to(settings: Mapping[str, object]) -> tuple[object, ...]:
    """Return what decides who gets to know the secrets: the server, the proxy, whom TLS trusts."""
    try:
        origin = Url.parse(str(settings.get("url", ""))).origin
    except BadUrl:
        origin = ""
    return origin, settings.get("proxy") or "", settings.get("ca") or ""


def read_url(read: Settings) -> Url:
    """Return the list's URL; raise `SourceMisconfigured`."""
    try:
        return Url.parse(read.text("url"))
    except BadUrl as error:
        raise SourceMisconfigured(f"url {error}") from error


def read_auth(read: Settings) -> tuple[Header, ...]:
    """Return the headers that say who we are; raise `SourceMisconfigured`."""
    auth = read.choice("auth", default="none", among=AUTH)
    if auth == "basic":
        login = b":".join(_login(read, "username", "password"))
        return ((b"Authorization", b"Basic " + base64.b64encode(login)),)
    if auth == "bearer":
        return ((b"Authorization", b"Bearer " + _value(read, "token", needed_by="bearer")),)
    if auth == "header":
        name = read.text("header_name")
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
            raise SourceMisconfigured(
                f"header_name must be the name of a header such as Key, not {shown(name)}"
            )
        return ((name.encode(), _value(read, "header_value", needed_by="header")),)
    return ()


def read_tls(read: Settings) -> Tls:
    """Return whom we trust and the certificate we show; raise `SourceMisconfigured`."""
    ca = read.optional("ca", longest=_LONGEST_PEM)
    try:
        if ca:
            Tls(ca=ca).context(with_certificate=False)
    except (ssl.SSLError, TypeError, ValueError) as error:
        raise SourceMisconfigured("ca must be certificates in PEM form") from error
    if read.values.get("auth") != "certificate":
        return Tls(ca=ca)
    tls = Tls(
        ca=ca,
        certificate=read.optional("client_certificate", longest=_LONGEST_PEM),
        key=read.optional("client_key", longest=_LONGEST_PEM, secret=True),
    )
    for name, pem in (("client_certificate", tls.certificate), ("client_key", tls.key)):
        if not pem:
            raise SourceMisconfigured(f"{name} must be given where auth is certificate")
    try:
        tls.context(with_certificate=True)
    except (ssl.SSLError, TypeError, ValueError) as error:
        raise SourceMisconfigured(
            "client_certificate and client_key must be a certificate in PEM form and its own key, "
            "without a password"
        ) from error
    return tls


def read_proxy(read: Settings) -> Proxy | None:
    """Return the proxy, None where there is none; raise `SourceMisconfigured`."""
    text = read.optional("proxy", longest=_LONGEST)
    if not text:
        return None
    if text.lower().startswith("https:"):
        raise SourceMisconfigured(
            "proxy must be http://host:port; an https:// proxy is not supported (a list by https "
            "is encrypted through the other kind as well)"
        )
    try:
        url = Url.parse(text)
    except BadUrl as error:
        reason = str(error).replace("auth", "proxy_username and proxy_password")
        raise SourceMisconfigured(f"proxy {reason}") from error
    if url.target != "/":
        raise SourceMisconfigured("proxy must be http://host:port, without a path")
    if not read.optional("proxy_username", longest=_LONGEST):
        return Proxy(url)
    return Proxy(url, _login(read, "proxy_username", "proxy_password"))


def read_user_agent(read: Settings, *, default: str) -> str:
    """Return the name we give ourselves; raise `SourceMisconfigured`."""
    agent = read.optional("user_agent", longest=200) or default
    if not _VISIBLE.fullmatch(agent):
        raise SourceMisconfigured(f"user_agent must be plain ASCII, not {shown(agent)}")
    return agent


def _login(read: Settings, name_key: str, password_key: str) -> tuple[bytes, bytes]:
    name = read.text(name_key)
    if ":" in name or not name.isprintable() or len(name) > _LONGEST:
        raise SourceMisconfigured(f"{name_key} must not hold a colon, not {shown(name)}")
    password = read.values.get(password_key, "")
    if not isinstance(password, str) or not 0 < len(password) <= _LONGEST:
        raise SourceMisconfigured(f"{password_key} must be given with {name_key}")
    try:
        return name.encode(), password.encode()
    except UnicodeEncodeError:
        # Not chained: the error holds the password.
        raise SourceMisconfigured(f"{password_key} must be Unicode text") from None


def _value(read: Settings, key: str, *, needed_by: str) -> bytes:
    value = read.optional(key, longest=_LONGEST, secret=True)
    if not _VISIBLE.fullmatch(value):
        raise SourceMisconfigured(f"{key} must be given in plain ASCII where auth is {needed_by}")
    return value.encode()
