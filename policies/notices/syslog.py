"""A log server: one RFC 5424 line for each piece of news, by UDP, TCP or TLS.

The line carries its parts as structured data, `[tscm@32473 event="opened" kind="stale" …]`; 32473
is the enterprise number that RFC 5612 keeps for those who have none. Lines are framed by LF on TCP,
as most servers expect, and by their length on TLS, as RFC 5425 demands. Nobody answers on syslog:
what is promised is that the network, on TCP and TLS the other side's kernel, has taken the lines.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Self

from policies.notices.base import (
    Message,
    News,
    NoticeRefused,
    NoticeUnavailable,
    NotifierMisconfigured,
)
from policies.notices.wording import line_of
from policies.sources.base import Deadline, SourceMisconfigured
from policies.sources.certificates import trouble_with
from policies.sources.dns_servers import is_dns_name
from policies.sources.http_settings import Tls, read_tls
from policies.sources.resolver import is_address, resolve, without_brackets
from policies.sources.settings import Settings, shown

SETTINGS = ("host", "port", "protocol", "facility", "ca", "server_name")
PROTOCOLS = ("udp", "tcp", "tls")
_PORTS = {"udp": 514, "tcp": 514, "tls": 6514}
_LOCAL0 = 16
# RFC 5424: critical, warning; what is over is worth a notice.
_SEVERITIES = {"critical": 2, "warning": 4}
_NOTICE = 5
# What RFC 5424 wants every receiver to take; RFC 5426 has datagrams stay below it.
_LONGEST_LINE = 2_048
_NAME = re.compile(r"[^!-~]")
_GOODBYE = 2.0  # seconds to wait for the other side to have read to the end


@dataclass(frozen=True, slots=True)
class SyslogNotifier:
    """A log server that takes messages."""

    gathers: ClassVar[timedelta] = timedelta(0)

    host: str
    port: int
    protocol: str
    facility: int
    tls: Tls
    server_name: str  # in its certificate

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Self:
        """Build it; raise `NotifierMisconfigured` for a setting that cannot work."""
        read = Settings(settings)
        try:
            read.only(SETTINGS)
            protocol = read.choice("protocol", default="udp", among=PROTOCOLS)
            host = _host(read.text("host"), "host")
            named = read.optional("server_name", longest=253)
            return cls(
                host=host,
                port=read.integer("port", default=_PORTS[protocol], low=1, high=65_535),
                protocol=protocol,
                facility=read.integer("facility", default=_LOCAL0, low=0, high=23),
                tls=read_tls(read),
                server_name=_host(named, "server_name") if named else host,
            )
        except SourceMisconfigured as error:
            raise NotifierMisconfigured(str(error)) from error

    def tell(self, message: Message, *, now: datetime, deadline: Deadline) -> str:  # noqa: ARG002
        """Send a line for each piece of news; raise a `NoticeError`."""
        lines = lines_of(message, facility=self.facility)
        try:
            addresses = resolve(self.host, deadline)
        except (TimeoutError, LookupError) as error:
            raise NoticeUnavailable(f"{self}: {error}. Check the host's name.") from error
        try:
            if self.protocol == "udp":
                self._datagrams(lines, addresses[0], deadline)
            else:
                self._stream(lines, addresses, deadline)
        except ssl.SSLError as error:
            raise self._tls_fault(error) from error
        except OSError as error:
            why = error.strerror or str(error) or type(error).__name__
            raise NoticeUnavailable(
                f"{self}: no connection ({why}). Check that it listens there, and the way to it."
            ) from error
        return f"{len(lines):,} sent to {self}"

    def __str__(self) -> str:
        """Return it as `host:port/protocol`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}/{self.protocol}"

    def _datagrams(self, lines: list[bytes], address: str, deadline: Deadline) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.settimeout(_left(deadline))
            sender.connect((address, self.port))  # so that a refusal of an earlier one is heard
            for line in lines:
                sender.send(line)

    def _stream(self, lines: list[bytes], addresses: list[str], deadline: Deadline) -> None:
        is_tls = self.protocol == "tls"
        framed = [b"%d %b" % (len(line), line) if is_tls else line + b"\n" for line in lines]
        with _connected(addresses, self.port, deadline) as plain:
            if not is_tls:
                plain.sendall(b"".join(framed))
                plain.shutdown(socket.SHUT_WR)
                _await_end(plain, deadline)
                return
            context = self.tls.context(with_certificate=False)
            with context.wrap_socket(plain, server_hostname=self.server_name) as secured:
                secured.sendall(b"".join(framed))
                _part(secured, deadline)

    def _tls_fault(self, error: ssl.SSLError) -> NoticeRefused:
        if isinstance(error, ssl.SSLCertVerificationError):
            if trouble_with(error) == "wrong name":
                return NoticeRefused(
                    f"{self}: the certificate is not made out to {self.server_name}. Give "
                    f"server_name where the server is called otherwise."
                )
            return NoticeRefused(
                f"{self}: the certificate was not accepted ({error.verify_message}). Give ca where "
                f"the site has an authority of its own."
            )
        reason = (error.reason or str(error)).lower().replace("_", " ")
        return NoticeRefused(f"{self}: TLS failed ({reason}). Check that the port speaks TLS.")


def lines_of(message: Message, *, facility: int) -> list[bytes]:
    """Return the RFC 5424 lines of a message, without their framing."""
    if not message.is_test:
        return [_line(message, one, facility) for one in message.news]
    head = _head(message, facility, _NOTICE, "test", message.made_at)
    return [
        _cut(head + b' [tscm@32473 event="test"] \xef\xbb\xbfA test: alarms reach this server.')
    ]


def _line(message: Message, news: News, facility: int) -> bytes:
    is_over = news.event == "closed"
    severity = _NOTICE if is_over else _SEVERITIES[news.severity]
    parts = {
        "event": news.event,
        "alarm": str(news.alarm),
        "kind": news.kind,
        "severity": news.severity,
        "subject": news.subject,
        "opened": _stamp(news.opened_at),
        **({"closed": _stamp(news.closed_at)} if news.closed_at else {}),
        **({"url": news.url} if news.url else {}),
    }
    data = " ".join(f'{name}="{_escaped(value)}"' for name, value in parts.items())
    head = _head(message, facility, severity, "alarm", news.at)
    text = " ".join(line_of(news).split())
    return _cut(head + f" [tscm@32473 {data}] ".encode() + b"\xef\xbb\xbf" + text.encode())


def _head(message: Message, facility: int, severity: int, what: str, at: datetime) -> bytes:
    host = _NAME.sub("-", message.appliance)[:255] or "-"
    return f"<{facility * 8 + severity}>1 {_stamp(at)} {host} tscm - {what}".encode("ascii")


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _escaped(value: str) -> str:
    flat = "".join(letter if letter.isprintable() else " " for letter in value)
    return re.sub(r'(["\\\]])', r"\\\1", flat)


def _cut(line: bytes) -> bytes:
    """Return a line that every receiver takes, no character of it in halves."""
    if len(line) <= _LONGEST_LINE:
        return line
    mark = "…".encode()
    return line[: _LONGEST_LINE - len(mark)].decode("utf-8", errors="ignore").encode() + mark


def _host(text: str, setting: str) -> str:
    host = without_brackets(text).removesuffix(".").lower()
    if not (is_address(host) or is_dns_name(host)):
        raise SourceMisconfigured(f"{setting} must be a host name or an address, not {shown(text)}")
    return host


def _connected(addresses: list[str], port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers; raises OSError."""
    for place, address in enumerate(addresses, start=1):
        share = _left(deadline) / (len(addresses) - place + 1)
        try:
            return socket.create_connection((address, port), timeout=share)
        except OSError:
            if place == len(addresses):
                raise
    raise OSError("it has no address")


def _await_end(plain: socket.socket, deadline: Deadline) -> None:
    """Wait until the other side has read all and says so by ending; raises OSError where it breaks.

    One that keeps the connection has taken the lines all the same, for its kernel said so.
    """
    plain.settimeout(min(_GOODBYE, _left(deadline)))
    with suppress(TimeoutError):
        while plain.recv(1_024):
            continue


def _part(secured: ssl.SSLSocket, deadline: Deadline) -> None:
    """Say goodbye; raises SSLError where the server refuses us after the handshake."""
    secured.settimeout(min(_GOODBYE, _left(deadline)))
    try:
        secured.unwrap()
    except (TimeoutError, ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
        return  # many servers just end the connection
    except ssl.SSLError as error:
        if "ALERT" in (error.reason or ""):
            raise


def _left(deadline: Deadline) -> float:
    left = deadline.remaining()
    if not left:
        raise TimeoutError("no answer in time")
    return left
