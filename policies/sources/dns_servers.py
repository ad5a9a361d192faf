"""Where a DNS list is asked for: the servers of the settings, and their addresses."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import Self

from policies.sources.base import Deadline, SourceMisconfigured
from policies.sources.dns_errors import ServerUnknown, TimedOut
from policies.sources.resolver import is_address, resolve
from policies.sources.settings import Settings, shown

MAX_ADDRESSES = 4  # of one host name; more are left alone

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}", re.IGNORECASE)
_BRACKETED = re.compile(r"\[(?P<host>[0-9a-f:.]+)\](?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)
_HOST = re.compile(r"(?P<host>[^:]+)(?::(?P<port>[0-9]{1,5}))?")
_NUMERIC_END = re.compile(r"(?:.*\.)?[0-9]+")

_ACCEPTED = 'a host name or an address, with a port where it differs: "192.0.2.53", '
_ACCEPTED += '"dns.example.com:5353", "[2001:db8::53]:5353"'


def is_dns_name(text: str) -> bool:
    """Tell whether `text` is a DNS name we ask for, without a dot at its end."""
    return len(text) <= 253 and _NAME.fullmatch(text) is not None


def read_name(read: Settings) -> str:
    """Return the DNS name of a list, without its last dot; raise `SourceMisconfigured`."""
    name = read.text("name").removesuffix(".")
    if not is_dns_name(name):
        raise SourceMisconfigured(
            f"name must be a DNS name (labels of letters, digits, - and _, at most 253 "
            f"characters), not {shown(name)}"
        )
    return name


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a server, numbers only."""

    host: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        """The socket family of the address."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    def __str__(self) -> str:
        return f"{self.host}#{self.port}"


@dataclass(frozen=True, slots=True)
class Server:
    """One server of the settings: a host name or an address, and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, port: int) -> Self:
        """Read a server as an administrator writes it; `port` is for one without its own.

        Raises `SourceMisconfigured`.
        """
        if is_address(text):
            return cls(text, port)
        match = _BRACKETED.fullmatch(text) or _HOST.fullmatch(text)
        if match is None:
            raise SourceMisconfigured(f"servers: {shown(text)} is not {_ACCEPTED}")
        host, own_port = match["host"], int(match["port"] or port)
        is_name = is_dns_name(host) and _NUMERIC_END.fullmatch(host) is None
        if not (is_address(host) or is_name) or not 1 <= own_port <= 65535:
            raise SourceMisconfigured(f"servers: {shown(text)} is not {_ACCEPTED}")
        return cls(host, own_port)

    def addresses(self, deadline: Deadline) -> tuple[Address, ...]:
        """Return the server's addresses, asking the system's resolver where it has a name.

        Raises `ServerUnknown` or `TimedOut`.
        """
        if is_address(self.host):
            return (Address(self.host, self.port),)
        return tuple(Address(host, self.port) for host in _resolve(self.host, deadline))

    def __str__(self) -> str:
        return f"{self.host}#{self.port}"


def _resolve(host: str, deadline: Deadline) -> list[str]:
    """Return at most `MAX_ADDRESSES` addresses of `host`, in the resolver's order."""
    try:
        return resolve(host, deadline)[:MAX_ADDRESSES]
    except TimeoutError as error:
        raise TimedOut(f"{host}: {error}") from error
    except LookupError as error:
        raise ServerUnknown(f"{host}: {error}") from error
