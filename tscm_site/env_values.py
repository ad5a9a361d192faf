"""Values of the environment, each read as what it is. All of them raise EnvironmentRefused."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from tscm_site.env_variables import DEFAULTS

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\.?")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_TRUE = frozenset({"true", "1"})
_FALSE = frozenset({"false", "0"})

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Word = TypeVar("Word", bound=str)


class EnvironmentRefused(Exception):
    """A variable holds something unusable: says which one, what it holds, what is accepted."""

    def __init__(self, variable: str, value: str, accepted: str) -> None:
        super().__init__(f"{variable}={value}: not accepted. Accepted: {accepted}")
        self.variable, self.value, self.accepted = variable, value, accepted


@dataclass(frozen=True, slots=True)
class Bind:
    """Where a server listens; `str()` gives `host:port`, IPv6 in brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_wildcard(self) -> bool:
        """True when it listens on every address of the machine."""
        return self.host in {"0.0.0.0", "::"}  # noqa: S104  compared with, never bound

    @property
    def url(self) -> str:
        """The address to type on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://{Bind(host, self.port)}/"


def env_str(name: str, environ: Mapping[str, str]) -> str:
    """The value of `name`, or its default from VARIABLES; in both `<data>` is the data folder."""
    value = environ.get(name, "").strip() or DEFAULTS[name]
    return value.replace("<data>", environ.get("<data>", "<data>"))


def env_bool(name: str, environ: Mapping[str, str]) -> bool:
    """True or False; anything else than true, false, 1 and 0 is refused."""
    value = env_str(name, environ)
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise EnvironmentRefused(name, value, "true, false, 1, 0")


def env_choice(name: str, environ: Mapping[str, str], *, known: tuple[Word, ...]) -> Word:
    """One of the words of `known`."""
    value = env_str(name, environ)
    for word in known:
        if value == word:
            return word
    raise EnvironmentRefused(name, value, ", ".join(known))


def env_int(name: str, environ: Mapping[str, str], *, least: int, most: int) -> int:
    """A whole number from `least` to `most`."""
    value = env_str(name, environ)
    if re.fullmatch(r"[0-9]{1,9}", value) and least <= int(value) <= most:
        return int(value)
    raise EnvironmentRefused(name, value, f"a whole number from {least} to {most}")


def env_path(name: str, environ: Mapping[str, str], *, relative_to: Path) -> Path:
    """An absolute path; a relative one starts at `relative_to`, `~` is the home folder."""
    return absolute_path(name, env_str(name, environ), relative_to=relative_to)


def absolute_path(name: str, value: str, *, relative_to: Path) -> Path:
    """The path that one value of a variable stands for. Raises EnvironmentRefused."""
    if "\0" in value or "\n" in value:
        raise EnvironmentRefused(name, repr(value), "a path on one line")
    # Not resolve(): a link such as /srv/tscm -> /mnt/disk2 is the administrator's to move.
    return Path(os.path.normpath(relative_to / Path(value).expanduser()))


def env_list(name: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The comma separated parts of a value, without blanks and empty parts."""
    return tuple(part.strip() for part in env_str(name, environ).split(",") if part.strip())


def env_bind(name: str, environ: Mapping[str, str]) -> Bind:
    """An address and a port: `127.0.0.1:8000`, `[::1]:8000` or `name:8000`."""
    value = env_str(name, environ)
    host, _, port = value.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    known = is_ip(host, version=6) if bracketed else bool(HOST.fullmatch(host))
    if known and re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= 65535:
        return Bind(host, int(port))
    raise EnvironmentRefused(name, value, "address:port, such as 127.0.0.1:8000 or [::1]:8000")


def env_bind_or_none(name: str, environ: Mapping[str, str]) -> Bind | None:
    """An address and a port, None where the value is empty."""
    return env_bind(name, environ) if env_str(name, environ) else None


def env_path_or_none(name: str, environ: Mapping[str, str], *, relative_to: Path) -> Path | None:
    """An absolute path, None where the value is empty."""
    return env_path(name, environ, relative_to=relative_to) if env_str(name, environ) else None


def env_seconds(name: str, environ: Mapping[str, str], *, least: float, most: float) -> float:
    """A number of seconds from `least` to `most`, with a decimal point or without."""
    value = env_str(name, environ)
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", value) and least <= float(value) <= most:
        return float(value)
    raise EnvironmentRefused(name, value, f"seconds from {least:g} to {most:g}, such as 0.5")


def env_url(name: str, environ: Mapping[str, str], *, schemes: tuple[str, ...]) -> str:
    """A URL of one of `schemes`; a refusal shows the scheme only, since URLs carry passwords."""
    value = env_str(name, environ)
    scheme, found, rest = value.partition("://")
    if found and rest and scheme in schemes:
        return value
    accepted = ", ".join(f"{scheme}://…" for scheme in schemes)
    raise EnvironmentRefused(name, f"{scheme if found else ''}…", accepted)


def parts_of_url(value: str) -> SplitResult | None:
    """The parts of a URL; None where it holds blanks, or what is no host or no port."""
    if re.search(r"[\s\x00-\x1f\x7f]", value):
        return None
    try:
        url = urlsplit(value)
        host, _ = url.hostname or "", url.port
    except ValueError:
        return None
    return url if HOST.fullmatch(host) or is_ip(host, version=6) else None


def network(name: str, value: str, *, accepted: str) -> Network:
    """The network, or the address, that one value of a variable is. Raises EnvironmentRefused."""
    try:
        return ipaddress.ip_network(value)
    except ValueError:
        raise EnvironmentRefused(name, value, accepted) from None


def is_ip(text: str, *, version: int) -> bool:
    """Whether it is an address of this version."""
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False
