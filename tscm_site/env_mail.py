"""What the environment says of mail: which server takes it, and as whom it is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tscm_site.env_values import (
    HOST,
    LOOPBACK,
    Bind,
    EnvironmentRefused,
    env_choice,
    env_int,
    env_path_or_none,
    env_seconds,
    env_str,
    is_ip,
    parts_of_url,
)

Security = Literal["starttls", "tls", "none"]
_SECURITY: tuple[Security, ...] = ("starttls", "tls", "none")
_ADDRESS = re.compile(r"[^\s@<>\",;]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Everything the environment decides of mail."""

    host: str  # empty: no mail is sent
    port: int
    security: Security
    user: str
    password: str = field(repr=False)
    ca: Path | None  # beside the machine's own
    sender: str
    seconds: float  # for each step of a conversation
    console_url: str  # what links in mails begin with; no slash at the end


def read_mail_settings(
    environ: Mapping[str, str], *, console: Bind, checkout: Path
) -> MailSettings:
    """Read and check the variables of mail. Raises EnvironmentRefused."""
    host = _host(environ)
    security = env_choice("TSCM_SMTP_SECURITY", environ, known=_SECURITY)
    user, password = env_str("TSCM_SMTP_USER", environ), env_str("TSCM_SMTP_PASSWORD", environ)
    if bool(user) != bool(password):
        missing = "TSCM_SMTP_PASSWORD" if user else "TSCM_SMTP_USER"
        raise EnvironmentRefused(missing, "", "a user and a password, or neither")
    if user and security == "none" and host not in LOOPBACK:
        raise EnvironmentRefused(
            "TSCM_SMTP_SECURITY", security, "starttls or tls, for a password crosses the network"
        )
    return MailSettings(
        host=host,
        port=env_int("TSCM_SMTP_PORT", environ, least=1, most=65535),
        security=security,
        user=user,
        password=password,
        ca=env_path_or_none("TSCM_SMTP_CA", environ, relative_to=checkout),
        sender=_sender(environ),
        seconds=env_seconds("TSCM_SMTP_SECONDS", environ, least=1, most=120),
        console_url=_console_url(environ, console),
    )


def _host(environ: Mapping[str, str]) -> str:
    value = env_str("TSCM_SMTP_HOST", environ)
    if not value or HOST.fullmatch(value) or is_ip(value, version=6):
        return value
    raise EnvironmentRefused("TSCM_SMTP_HOST", value, "a host name or an address, without a port")


def _sender(environ: Mapping[str, str]) -> str:
    value = env_str("TSCM_MAIL_FROM", environ)
    if _ADDRESS.fullmatch(value):
        return value
    raise EnvironmentRefused("TSCM_MAIL_FROM", value, "an address such as tscm@example.net")


def _console_url(environ: Mapping[str, str], console: Bind) -> str:
    """Return what was given, else where the console listens."""
    name = "TSCM_CONSOLE_URL"
    value = env_str(name, environ) or console.url
    url = parts_of_url(value)
    if url is not None and url.scheme in {"http", "https"} and url.path in {"", "/"}:
        is_plain = not (url.query or url.fragment or "@" in url.netloc)
        if is_plain:
            return value.rstrip("/")
    raise EnvironmentRefused(name, value, "https://tscm.example.net, no user, query or path")
