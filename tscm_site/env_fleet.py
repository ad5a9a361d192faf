"""What the environment says of Web Automation: of a portal, and of linking to one."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tscm_site.env_values import (
    HOST,
    EnvironmentRefused,
    env_choice,
    env_int,
    env_list,
    env_path,
    env_str,
    env_url,
    is_ip,
)

PrimaryKind = Literal["bind", "knot"]
PrimaryWay = Literal["update", "file"]
_KINDS: tuple[PrimaryKind, ...] = ("bind", "knot")
_WAYS: tuple[PrimaryWay, ...] = ("update", "file")
PORT = 5353
_DOMAIN = re.compile(r"(?=.{1,180}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
                     r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A host and a port, as other machines reach them."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class PortalSettings:
    """How this console is a portal; it is none where no primary is named."""

    primary: Place | None  # where the name server takes updates and transfers from the console
    domain: str
    kind: PrimaryKind
    way: PrimaryWay
    folder: Path  # of what is written for the name server
    control: tuple[str, ...]  # the program that tells it to read that, with its arguments
    address: Place | None  # where devices reach it, by DNS over TLS
    tls_name: str
    secondaries: tuple[str, ...]  # where devices transfer policies from; none: from the address
    key: bytes = field(repr=False)  # the console's own; empty where it is no portal


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """Everything the environment decides of Web Automation."""

    portal: PortalSettings
    link_portal: Place | None  # the portal to link to where a command names none
    link_domain: str
    link_ca: Path | None
    link_seconds: float  # between two looks at a portal
    register_url: str  # of the portal's console, where this machine is to register itself
    register_key: str = field(repr=False)  # of its API


def read_fleet_settings(environ: Mapping[str, str], *, checkout: Path, key: str) -> FleetSettings:
    """Read and check the variables of Web Automation; `key` is the portal's, "" where it has none.

    Raises EnvironmentRefused.
    """
    ca = env_str("TSCM_LINK_CA", environ)
    return FleetSettings(
        portal=PortalSettings(
            primary=_place("TSCM_PORTAL_PRIMARY", environ, port=53),
            domain=_domain("TSCM_PORTAL_DOMAIN", environ),
            kind=env_choice("TSCM_PORTAL_SERVER", environ, known=_KINDS),
            way=env_choice("TSCM_PORTAL_WAY", environ, known=_WAYS),
            folder=env_path("TSCM_PORTAL_DIR", environ, relative_to=checkout),
            control=_words("TSCM_PORTAL_CONTROL", environ),
            address=_place("TSCM_PORTAL_ADDRESS", environ, port=PORT),
            tls_name=_name("TSCM_PORTAL_TLS_NAME", environ),
            secondaries=env_list("TSCM_PORTAL_SECONDARIES", environ),
            key=_key("TSCM_PORTAL_KEY", key),
        ),
        link_portal=_place("TSCM_LINK_PORTAL", environ, port=PORT),
        link_domain=_domain("TSCM_LINK_DOMAIN", environ),
        link_ca=env_path("TSCM_LINK_CA", environ, relative_to=checkout) if ca else None,
        link_seconds=env_int("TSCM_LINK_SECONDS", environ, least=1, most=300),
        register_url=_url("TSCM_REGISTER_URL", environ),
        register_key=env_str("TSCM_REGISTER_KEY", environ),
    )


def place(name: str, text: str, *, port: int) -> Place:
    """Return `host`, `host:port` or `[IPv6]:port` as a place. Raises EnvironmentRefused."""
    host, colon, number = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):  # no port, or a bare IPv6 address
        host, number = text, str(port)
    host = host.removeprefix("[").removesuffix("]")
    is_host = is_ip(host, version=4) or is_ip(host, version=6) or HOST.fullmatch(host)
    if not is_host or not number.isdecimal() or not 1 <= int(number) <= 65535:
        raise EnvironmentRefused(name, text, "a host name or an address, with :port where needed")
    return Place(host, int(number))


def _place(name: str, environ: Mapping[str, str], *, port: int) -> Place | None:
    text = env_str(name, environ)
    return place(name, text, port=port) if text else None


def _url(name: str, environ: Mapping[str, str]) -> str:
    return env_url(name, environ, schemes=("https", "http")) if env_str(name, environ) else ""


def _domain(name: str, environ: Mapping[str, str]) -> str:
    text = env_str(name, environ).rstrip(".").lower()
    if _DOMAIN.fullmatch(text):
        return text
    raise EnvironmentRefused(name, text, "a domain name such as tscm.internal")


def _name(name: str, environ: Mapping[str, str]) -> str:
    text = env_str(name, environ)
    if not text or HOST.fullmatch(text):
        return text
    raise EnvironmentRefused(name, text, "a host name")


def _words(name: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    text = env_str(name, environ)
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise EnvironmentRefused(name, text, f"a command line ({error})") from error


def new_portal_key() -> str:
    """Return a new TSIG secret in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def _key(name: str, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) >= 32 or not text:
        return key
    raise EnvironmentRefused(name, "…", "at least 32 bytes in base64")
