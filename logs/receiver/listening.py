"""The sockets that syslog comes in by."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from logs.spool.base import Transport

# Where a port below 1024 may not be bound, this many are added: 514 becomes 5514.
UNPRIVILEGED = 5000
_BACKLOG = 1024


class ListenRefused(Exception):
    """A socket cannot be opened, or TLS not be set up; says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where and how to listen; `str()` gives `udp [::]:514`."""

    transport: Transport
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport} {host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Certificates:
    """What TLS is spoken with; where `client_ca` is given, a client needs a certificate."""

    certificate: Path
    key: Path | None = None  # None: it is in the certificate's file
    client_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return what listeners speak TLS with. Raises ListenRefused."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A sender that never reads would end with tickets unread: its kernel then resets the
        # connection, and throws away what it had not sent yet.
        context.num_tickets = 0
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise ListenRefused(
                f"TLS: {self.certificate} and the files beside it cannot be used ({error}); give a "
                "certificate, its key, and the CA of the clients in PEM"
            ) from error
        return context


def open_socket(listen: Listen) -> tuple[socket.socket, Listen]:
    """Return a socket that is bound, and listens, and where it really is. Raises ListenRefused.

    A port that only root may have is exchanged for one that anybody may, and an IPv6 wildcard for
    the IPv4 one where the machine has no IPv6.
    """
    try:
        return _bound(listen), listen
    except PermissionError:
        moved = Listen(listen.transport, listen.host, listen.port + UNPRIVILEGED)
    except OSError as error:
        if error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL} and listen.host == "::":
            return open_socket(Listen(listen.transport, "0.0.0.0", listen.port))  # noqa: S104
        raise _refused(listen, error) from error
    try:
        return _bound(moved), moved
    except OSError as error:
        raise _refused(moved, error) from error


def _bound(listen: Listen) -> socket.socket:
    kind = socket.SOCK_DGRAM if listen.transport == "udp" else socket.SOCK_STREAM
    found = socket.getaddrinfo(listen.host, listen.port, type=kind, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    sock = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, listen.host != "::")
        sock.bind(address)
        if kind == socket.SOCK_STREAM:
            sock.listen(_BACKLOG)  # here, for it may be refused too
    except OSError:
        sock.close()
        raise
    return sock


def _refused(listen: Listen, error: OSError) -> ListenRefused:
    return ListenRefused(
        f"{listen}: cannot listen there ({error.strerror}); stop what uses it, or choose another "
        "address"
    )
