"""The connection a batch is uploaded by: direct or through a proxy, and never beyond a deadline.

httpcore speaks HTTP; it opens connections through the `Door` and no other way. The log service is
where an administrator says it is, so inside the network as well as outside.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

from logs.shippers.upload_errors import (
    CertificateExpired,
    CertificateUntrusted,
    CertificateWrongName,
    CutShort,
    HostUnknown,
    ProxyClosed,
    ProxyUnreachable,
    TimedOut,
    TlsFailed,
    Unreachable,
    UploadFault,
)
from policies.sources.base import Deadline
from policies.sources.certificates import CertificateTrouble, trouble_with
from policies.sources.resolver import is_address, resolve, without_brackets

_MAX_ADDRESSES = 8  # of one host that are tried
_READ_AHEAD = 1 << 16
_GLANCE = 1.0  # seconds without progress until we look whether an answer is there

_CERTIFICATE_FAULTS: dict[CertificateTrouble, type[UploadFault]] = {
    "out of time": CertificateExpired,
    "wrong name": CertificateWrongName,
    "untrusted": CertificateUntrusted,
}


class Door(httpcore.NetworkBackend):
    """Opens the one connection of an attempt, and keeps hold of it."""

    def __init__(self, *, has_proxy: bool, deadline: Deadline) -> None:
        self._stream: Stream | None = None  # the innermost: within TLS, within a proxy's tunnel
        self._has_proxy = has_proxy
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, the deadline is what counts
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers; raise an `UploadFault`."""
        host = without_brackets(host)
        about = f"{'the proxy ' if self._has_proxy else ''}{host}:{port}"
        reasons: list[str] = []
        addresses = self._addresses(host, about)
        for index, address in enumerate(addresses):
            share = self._deadline.remaining() / (len(addresses) - index)
            if not share:
                break
            try:
                connected = socket.create_connection((address, port), timeout=share)
            except TimeoutError:
                reasons.append(f"{address}: no answer in time")
            except OSError as error:
                reasons.append(f"{address}: {error.strerror or error}")
            else:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return self._hold(connected, about)
        fault = ProxyUnreachable if self._has_proxy else Unreachable
        raise fault(f"connecting to {about}: {'; '.join(reasons) or 'no time was left'}")

    def start_tls(self, plain: socket.socket, context: ssl.SSLContext, name: str) -> Stream:
        """Go on in TLS, verified for `name`; raise an `UploadFault`."""
        try:
            plain.settimeout(self._deadline.remaining() or 0.001)
            return self._hold(context.wrap_socket(plain, server_hostname=name), name)
        except TimeoutError as error:
            raise TimedOut(f"connecting to {name}: TLS was not agreed on in time") from error
        except OSError as error:
            raise self._tls_fault(name, error) from error

    def has_answer(self) -> bool:
        """Tell whether the other side has answered already, or ended the connection."""
        return self._stream is not None and self._stream.has_answer()

    def _hold(self, connected: socket.socket, about: str) -> Stream:
        self._stream = Stream(connected, about=about, door=self, deadline=self._deadline)
        return self._stream

    def _addresses(self, host: str, about: str) -> list[str]:
        if is_address(host):
            return [host]
        try:
            return resolve(host, self._deadline)[:_MAX_ADDRESSES]
        except (TimeoutError, LookupError) as error:
            fault = ProxyUnreachable if self._has_proxy else HostUnknown
            raise fault(f"connecting to {about}: {error}") from error

    def _tls_fault(self, name: str, error: OSError) -> UploadFault:
        if isinstance(error, ssl.SSLCertVerificationError):
            return _certificate_fault(name, error)
        if isinstance(error, ssl.SSLEOFError | ConnectionError):
            if self._has_proxy:
                return ProxyClosed(
                    f"connecting to {name}: the proxy answered 200 to CONNECT and closed the "
                    f"connection before TLS was agreed on"
                )
            return TlsFailed(f"connecting to {name}: it closed before TLS was agreed on")
        reason = getattr(error, "reason", None) or error.strerror or error
        return TlsFailed(f"connecting to {name}: TLS was not agreed on ({reason})")


class Stream(httpcore.NetworkStream):
    """A connected socket: nothing waits beyond the deadline, however slowly bytes trickle."""

    def __init__(
        self, connected: socket.socket, *, about: str, door: Door, deadline: Deadline
    ) -> None:
        self._socket = connected
        self._about = about
        self._door = door
        self._deadline = deadline
        self._ahead = b""  # read before anybody asked for it

    def has_answer(self) -> bool:
        """Tell whether the other side has answered already, or ended the connection.

        That the socket is readable does not tell: TLS 1.3 sends tickets of its own accord.
        """
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        if waiting.poll(0):
            self._socket.settimeout(0)
            try:
                data = self._socket.recv(_READ_AHEAD)
            except (BlockingIOError, ssl.SSLWantReadError):
                data = None
            except OSError:
                return True
            if data == b"":
                return True
            self._ahead += data or b""
        # A 1xx says that an answer is to come.
        return bool(self._ahead) and not self._ahead.startswith(b"HTTP/1.1 1")

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Return what has come, at most `max_bytes`; raise an `UploadFault`."""
        if self._ahead:
            data, self._ahead = self._ahead[:max_bytes], self._ahead[max_bytes:]
            return data
        self._socket.settimeout(self._left())
        try:
            return self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise self._late() from error
        except OSError as error:
            reason = error.strerror or error
            raise CutShort(
                f"reading from {self._about}: the connection broke ({reason})"
            ) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send all of it; raise `TimedOut`.

        A connection that breaks is a WriteError, and so is an answer while nothing more is taken:
        at that httpcore goes on to read the answer, which may say why.
        """
        rest = memoryview(buffer)
        while rest:
            self._socket.settimeout(min(self._left(), _GLANCE))
            try:
                rest = rest[self._socket.send(rest) :]
            except TimeoutError as error:
                if self.has_answer():
                    raise httpcore.WriteError("answered before the end") from error
            except OSError as error:
                raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Go on in TLS, verified for `server_hostname`; raise an `UploadFault`."""
        return self._door.start_tls(
            self._socket, ssl_context, without_brackets(server_hostname or "")
        )

    def get_extra_info(self, info: str) -> Any:
        """Return what the connection knows of itself."""
        if info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket):
            return self._socket
        return None

    def _left(self) -> float:
        if not (left := self._deadline.remaining()):
            raise self._late()
        return left

    def _late(self) -> TimedOut:
        return TimedOut(f"uploading to {self._about}: it was not received and acknowledged in time")


def _certificate_fault(name: str, error: ssl.SSLCertVerificationError) -> UploadFault:
    message = f"connecting to {name}: the certificate was not accepted ({error.verify_message})"
    return _CERTIFICATE_FAULTS[trouble_with(error)](message)
