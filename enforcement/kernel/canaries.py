"""Hosts that answered before a change and must answer after it: asked all at once, by one deadline.

A canary without a port is asked by ICMP echo, one with a port by a TCP connection, a resolver by a
DNS question. What our own rules keep from leaving is not answered; a connection refused by the
other host is.
"""

from __future__ import annotations

import errno
import ipaddress
import secrets
import selectors
import socket
import struct
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Literal, NamedTuple

import dns.message

Kind = Literal["gateway", "resolver", "console", "log target", "site"]

MOST = 64  # canaries in one go
SECONDS = 2.0  # for one try
TRIES = 3  # a change is not taken back for two lost packets
_DNS = 53
_ECHO = struct.Struct("!BBHHH")  # type, code, checksum, id, sequence number (RFC 792, RFC 4443)
_TOKEN = 16  # bytes that an echo brings back
_WAITING = {0, errno.EINPROGRESS}


@dataclass(frozen=True, slots=True)
class Canary:
    """A host that is asked. Raises ValueError for what is no address or port."""

    kind: Kind
    address: str  # of either family; fe80::1%eth0 for one that only a link knows
    port: int | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be asked."""
        ipaddress.ip_address(self.address)
        if self.port is not None and not 0 < self.port < 1 << 16:
            raise ValueError(f"{self.port} is no port: write a number from 1 to 65535")

    @property
    def protocol(self) -> Literal["icmp", "tcp", "dns"]:
        """How it is asked."""
        if self.kind == "resolver":
            return "dns"
        return "icmp" if self.port is None else "tcp"

    def __str__(self) -> str:
        """Return what it is and where, for people."""
        if self.port is None:
            return f"{self.kind} {self.address}"
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.kind} {host}:{self.port}"


def parse_canary(text: str) -> Canary:
    """Read what a site names: 192.0.2.1, 192.0.2.1:443, 2001:db8::1 or [2001:db8::1]:443.

    Raises ValueError, which says what to write, for all else. Names are not taken: whether one
    answers would hang on a resolver.
    """
    address, port = _parted(text.strip())
    try:
        found = ipaddress.ip_address(address)
    except ValueError as error:
        raise ValueError(
            f"canary {text!r}: write an address, such as 192.0.2.1, 192.0.2.1:443 or "
            "[2001:db8::1]:443; a name would need a resolver"
        ) from error
    if found.is_multicast or found.is_unspecified:
        raise ValueError(f"canary {text!r}: no host answers at it; write a host's own address")
    if port is not None and not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise ValueError(f"canary {text!r}: write a port from 1 to 65535 behind the colon")
    return Canary("site", str(found), None if port is None else int(port))


def _parted(text: str) -> tuple[str, str | None]:
    """Return the address and, where there is one, what stands for its port."""
    if text.startswith("["):
        address, end, rest = text[1:].partition("]")
        if end and rest[:1] in {"", ":"}:
            return address, rest[1:] if rest else None
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
        return address, port
    return text, None


def probe(canaries: Collection[Canary], *, seconds: float = SECONDS) -> frozenset[Canary]:
    """Ask every canary once and return those that answered within so many seconds.

    Raises ValueError for more than MOST. `ping_fault` tells whether echoes can be sent at all.
    """
    if len(canaries) > MOST:
        raise ValueError(f"{len(canaries)} canaries are too many: name {MOST} at most")
    deadline = time.monotonic() + seconds
    answered: set[Canary] = set()
    with ExitStack() as sockets, selectors.DefaultSelector() as selector:
        for canary in frozenset(canaries):
            with suppress(OSError):  # no way there, or our own rules: not answered
                asked = _ASK[canary.protocol](canary, sockets)
                selector.register(asked.socket, asked.events, (canary, asked))
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                canary, asked = key.data
                try:
                    if not asked.is_answered():
                        continue
                    answered.add(canary)
                except OSError:
                    pass  # it will not answer any more
                selector.unregister(asked.socket)
    return frozenset(answered)


def lost(
    before: Collection[Canary], *, seconds: float = SECONDS, tries: int = TRIES
) -> frozenset[Canary]:
    """Return which of those that answered before answer none of so many tries now.

    It takes `seconds` for each try at most, and no time for further tries once all have answered.
    """
    missing = frozenset(before)
    for _ in range(tries):
        if not missing:
            break
        missing -= probe(missing, seconds=seconds)
    return missing


def ping_fault() -> str:
    """Return why this process cannot send an ICMP echo, "" where it can.

    Canaries without a port then never answer, and say nothing of a change.
    """
    try:
        with ExitStack() as sockets:
            _echo_socket(socket.AF_INET, sockets)
    except OSError as error:
        return (
            f"this process cannot ping ({error.strerror}): give it CAP_NET_RAW, or its group a "
            "place in net.ipv4.ping_group_range, or name canaries with a port"
        )
    return ""


def socket_address(address: str, port: int) -> tuple[int, tuple[object, ...]]:
    """Return the family and socket address of an address, whose link may be named behind a %.

    Nothing is resolved. Raises OSError for what is no address here.
    """
    found = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    family, _, _, _, target = found[0]
    return family, target


class _Asked(NamedTuple):
    """A question that is under way."""

    socket: socket.socket
    events: int  # those of selectors that there may be an answer at
    is_answered: Callable[[], bool]  # raises OSError where no answer will come any more


def _ask_dns(canary: Canary, sockets: ExitStack) -> _Asked:
    """Ask a resolver for the root: whatever it says of it is an answer, REFUSED too."""
    family, address = socket_address(canary.address, canary.port or _DNS)
    one = sockets.enter_context(socket.socket(family, socket.SOCK_DGRAM))
    one.settimeout(0)
    one.connect(address)
    question = dns.message.make_query(".", "SOA", use_edns=False).to_wire()
    one.send(question)

    def is_answered() -> bool:
        received = one.recv(512)  # longer ones are cut: the head is enough
        return received[:2] == question[:2] and len(received) > 2 and received[2] >= 0x80

    return _Asked(one, selectors.EVENT_READ, is_answered)


def _ask_tcp(canary: Canary, sockets: ExitStack) -> _Asked:
    """Ask for a connection. That it is refused is an answer, unless it is by our own rules."""
    family, address = socket_address(canary.address, canary.port or 0)
    one = sockets.enter_context(socket.socket(family, socket.SOCK_STREAM))
    one.settimeout(0)
    first = one.connect_ex(address)

    def is_answered() -> bool:
        number = first
        if first in _WAITING:
            number = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number == errno.ECONNREFUSED:
            _look_whether_it_leaves(family, address)
        elif number:
            raise OSError(number, "no connection")
        return True

    return _Asked(one, selectors.EVENT_WRITE, is_answered)


def _look_whether_it_leaves(family: int, address: tuple[object, ...]) -> None:
    """Raise PermissionError where our own rules refuse the address.

    A rule that rejects looks to TCP as the other host's refusal. A datagram it stops at the call.
    """
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.sendto(b"", address)


def _ask_icmp(canary: Canary, sockets: ExitStack) -> _Asked:
    """Send an ICMP echo."""
    family, address = socket_address(canary.address, 0)
    kind, reply = (8, 0) if family == socket.AF_INET else (128, 129)
    one = _echo_socket(family, sockets)
    one.settimeout(0)
    one.connect(address)
    token = secrets.token_bytes(_TOKEN)
    echo = _ECHO.pack(kind, 0, 0, secrets.randbelow(1 << 16), 1) + token
    one.send(_summed(echo))

    def is_answered() -> bool:
        # A raw socket hears all ICMP of that host, IPv4 with its head in front: ours ends so.
        received = one.recv(1500)
        start = len(received) - len(echo)
        return start >= 0 and received[start] == reply and received.endswith(token)

    return _Asked(one, selectors.EVENT_READ, is_answered)


def _echo_socket(family: int, sockets: ExitStack) -> socket.socket:
    """Return a socket for echoes: as every user may have it, or else as CAP_NET_RAW gives it."""
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    try:
        one = socket.socket(family, socket.SOCK_DGRAM, protocol)
    except PermissionError:  # net.ipv4.ping_group_range
        one = socket.socket(family, socket.SOCK_RAW, protocol)
    return sockets.enter_context(one)


def _summed(echo: bytes) -> bytes:
    """Return an echo with the checksum of RFC 1071; the kernel makes that of ICMPv6 itself."""
    total = sum(struct.unpack(f"!{len(echo) // 2}H", echo))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return echo[:2] + struct.pack("!H", ~total & 0xFFFF) + echo[4:]


_ASK: dict[str, Callable[[Canary, ExitStack], _Asked]] = {
    "icmp": _ask_icmp,
    "tcp": _ask_tcp,
    "dns": _ask_dns,
}
