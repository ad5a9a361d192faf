"""One question to a web server: every connection through one checked door, all within a deadline.

httpcore speaks HTTP and knows no policy. It opens connections through the `Door` below and no
other way, so what is checked is what is connected to, whatever a name resolves to a moment later;
the name stays in the Host header and in what TLS verifies.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpcore

from policies.sources.base import Deadline
from policies.sources.certificates import CertificateTrouble, trouble_with
from policies.sources.http_address import MAX_ADDRESSES, Allowed, safe_addresses
from policies.sources.http_errors import (
    CertificateExpired,
    CertificateUntrusted,
    CertificateWrongName,
    CutShort,
    HostUnknown,
    HttpFault,
    NotHttp,
    ProxyLoginRefused,
    ProxyRefused,
    ProxyUnreachable,
    TimedOut,
    TlsFailed,
    TooLarge,
    Unreachable,
)
from policies.sources.http_settings import Header, Proxy, Tls
from policies.sources.http_url import Url
from policies.sources.resolver import is_address, resolve, without_brackets

_CERTIFICATE_FAULTS: dict[CertificateTrouble, type[HttpFault]] = {
    "out of time": CertificateExpired,
    "wrong name": CertificateWrongName,
    "untrusted": CertificateUntrusted,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer; `body` is read only where the status is 200."""

    url: Url
    server: str  # who answered, as "address#port"
    status: int
    headers: Mapping[str, str]  # names in lower case; of a repeated one the last
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Route:
    """How a server is reached, and how much of its answer is taken."""

    allowed: Allowed
    tls: Tls
    proxy: Proxy | None
    max_bytes: int

    def ask(
        self, url: Url, headers: Iterable[Header], *, with_certificate: bool, deadline: Deadline
    ) -> Answer:
        """Ask for `url` once, following nothing; raise an `HttpFault`."""
        if self.proxy is not None:
            _check_behind_proxy(url, allowed=self.allowed, deadline=deadline)
        door = Door(allowed=self.allowed, proxy=self.proxy, deadline=deadline)
        try:
            context = self._context(url, with_certificate=with_certificate)
            with self._pool(door, context) as pool:
                return self._ask(pool, door, url, headers)
        except httpcore.ProxyError as error:
            raise _proxy_fault(f"{url}: the proxy answered {error}", str(error)[:3]) from error
        except httpcore.RemoteProtocolError as error:
            ended = "disconnected" in str(error) or "closed connection" in str(error)
            fault = CutShort if ended else NotHttp
            raise fault(f"{url}: {error}".removesuffix(".")) from error

    def _context(self, url: Url, *, with_certificate: bool) -> ssl.SSLContext | None:
        # To read all the authorities that a system trusts takes longer than to fetch a short list.
        return self.tls.context(with_certificate=with_certificate) if url.is_encrypted else None

    def _pool(self, door: Door, context: ssl.SSLContext | None) -> httpcore.ConnectionPool:
        proxy = None
        if self.proxy is not None:
            proxy = httpcore.Proxy(for_httpcore(self.proxy.url, "/"), auth=self.proxy.login)
        return httpcore.ConnectionPool(ssl_context=context, proxy=proxy, network_backend=door)

    def _ask(
        self, pool: httpcore.ConnectionPool, door: Door, url: Url, headers: Iterable[Header]
    ) -> Answer:
        lines = [(b"Host", url.authority.encode()), *headers]
        with pool.stream("GET", for_httpcore(url, url.target), headers=lines) as response:
            found = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
            }
            if response.status == 407 and self.proxy is not None:
                raise _proxy_fault(f"{url}: the proxy answered 407", "407")
            body = self._body(url, found, response) if response.status == 200 else b""
        return Answer(url, door.server, response.status, found, body)

    def _body(self, url: Url, headers: Mapping[str, str], response: httpcore.Response) -> bytes:
        """Read the body as sent; stop at the first byte over the bound."""
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self.max_bytes:
            raise TooLarge(f"{url}: {int(announced):,} bytes, over max_bytes ({self.max_bytes:,})")
        body = bytearray()
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > self.max_bytes:
                raise TooLarge(f"{url}: the body is over max_bytes ({self.max_bytes:,})")
        return bytes(body)


class Door(httpcore.NetworkBackend):
    """The one way out: resolves, checks, and connects to what was checked."""

    def __init__(self, *, allowed: Allowed, proxy: Proxy | None, deadline: Deadline) -> None:
        self.server = ""  # whom we are connected to
        self._allowed = allowed
        self._proxy = proxy
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, the deadline is what counts
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers; raise an `HttpFault`."""
        host = without_brackets(host)
        reasons: list[str] = []
        addresses = self._addresses(host)
        for index, address in enumerate(addresses):
            share = self._deadline.remaining() / (len(addresses) - index)
            if not share:
                raise TimedOut(
                    f"{host}: no connection in time ({'; '.join(reasons) or 'none tried'})"
                )
            try:
                stream = httpcore.SyncBackend().connect_tcp(address, port, timeout=share)
            except httpcore.ConnectTimeout:
                reasons.append(f"{address}#{port}: no answer")
            except httpcore.ConnectError as error:
                reason = getattr(error.__cause__, "strerror", None) or error
                reasons.append(f"{address}#{port}: {reason}")
            else:
                self.server = f"{address}#{port}"
                return DeadlineStream(stream, about=f"{host}:{port}", deadline=self._deadline)
        fault = ProxyUnreachable if self._proxy is not None else Unreachable
        raise fault(f"{host}: no connection ({'; '.join(reasons)})")

    def _addresses(self, host: str) -> list[str]:
        """Return what may be connected to: with a proxy it is the proxy, which a person named."""
        if self._proxy is None:
            return safe_addresses(host, allowed=self._allowed, deadline=self._deadline)
        if is_address(host):
            return [host]
        try:
            return resolve(host, self._deadline)[:MAX_ADDRESSES]
        except (TimeoutError, LookupError) as error:
            raise ProxyUnreachable(f"proxy {host}: {error}") from error


class DeadlineStream(httpcore.NetworkStream):
    """A connection on which nothing waits beyond the deadline, however slowly bytes trickle."""

    def __init__(self, stream: httpcore.NetworkStream, *, about: str, deadline: Deadline) -> None:
        self._stream = stream
        self._about = about
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Return what has come, at most `max_bytes`; raise `TimedOut`."""
        try:
            return self._stream.read(max_bytes, self._left())
        except httpcore.ReadTimeout as error:
            raise self._late() from error
        except httpcore.ReadError as error:
            # With TLS 1.3 a server refuses our certificate only after the handshake.
            if isinstance(error.__cause__, ssl.SSLError):
                raise TlsFailed(f"{self._about}: {error.__cause__.reason or error}") from error
            raise CutShort(f"{self._about}: the connection broke ({error})") from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send all of it; raise `TimedOut`."""
        try:
            self._stream.write(buffer, self._left())
        except httpcore.WriteTimeout as error:
            raise self._late() from error

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Go on in TLS, verified for `server_hostname`; raise an `HttpFault`."""
        name = without_brackets(server_hostname or "")
        try:
            stream = self._stream.start_tls(ssl_context, name, self._left())
        except httpcore.ConnectTimeout as error:
            raise self._late() from error
        except httpcore.ConnectError as error:
            raise _tls_fault(name, error) from error
        return DeadlineStream(stream, about=self._about, deadline=self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Return what the connection knows of itself."""
        return self._stream.get_extra_info(info)

    def _left(self) -> float:
        if not (left := self._deadline.remaining()):
            raise self._late()
        return left

    def _late(self) -> TimedOut:
        return TimedOut(f"{self._about}: the list did not come whole in time")


def for_httpcore(url: Url, target: str) -> httpcore.URL:
    """Return the address of `target` where `url` leads, as httpcore takes it."""
    # Brackets and all: httpcore puts the host as it is into what it says to a proxy.
    host = f"[{url.host}]" if ":" in url.host else url.host
    return httpcore.URL(scheme=url.scheme, host=host, port=url.port, target=target)


def _check_behind_proxy(url: Url, *, allowed: Allowed, deadline: Deadline) -> None:
    """Refuse what can be seen to lead inside; a name that only the proxy knows is its to judge."""
    brief = Deadline.after(deadline.remaining() / 4)  # behind a proxy there may be no resolver
    try:
        safe_addresses(url.host, allowed=allowed, deadline=brief)
    except (HostUnknown, TimedOut):
        return


def _proxy_fault(message: str, status: str) -> HttpFault:
    if status == "407":
        return ProxyLoginRefused(message)
    return ProxyUnreachable(message) if status.startswith("5") else ProxyRefused(message)


def _tls_fault(host: str, error: httpcore.ConnectError) -> HttpFault:
    cause = error.__cause__
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return TlsFailed(f"{host}: {getattr(cause, 'reason', None) or error}")
    message = f"{host}: the certificate was not accepted ({cause.verify_message})".rstrip(".")
    return _CERTIFICATE_FAULTS[trouble_with(cause)](message)
