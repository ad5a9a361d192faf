"""TLS to a target, apart from its socket: what the network takes is counted in its own bytes.

The target's certificate is always checked: by the authorities the system trusts or by one's own.
"""

from __future__ import annotations

import ssl
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from logs.shippers.forward_errors import (
    CertificateExpired,
    CertificateUntrusted,
    CertificateWrongName,
    ConnectionLost,
    ForwardFault,
    OursRefused,
    TlsFailed,
    TlsFilesUnusable,
)
from logs.shippers.forward_target import Target
from policies.sources.certificates import trouble_with

# What a server says of our certificate, or of there being none.
_ABOUT_OURS = (
    "CERTIFICATE_REQUIRED", "ALERT_UNKNOWN_CA", "ALERT_BAD_CERTIFICATE", "ALERT_ACCESS_DENIED",
    "ALERT_CERTIFICATE_EXPIRED", "ALERT_CERTIFICATE_REVOKED", "ALERT_CERTIFICATE_UNKNOWN",
    "ALERT_UNSUPPORTED_CERTIFICATE",
)  # fmt: skip
# To read all the authorities that a system trusts takes 20 ms: not once for each of 1,000 targets.
_KEPT_SECONDS = 600.0


def context_of(target: Target) -> ssl.SSLContext:
    """Return what checks the target and shows our certificate. Raises TlsFilesUnusable."""
    files = (target.ca_file, target.certificate_file, target.key_file)
    try:
        changed = tuple(path.stat().st_mtime_ns for path in files if path is not None)
        return _context(*files, changed, int(time.monotonic() / _KEPT_SECONDS))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        named = ", ".join(str(path) for path in files if path is not None)
        raise TlsFilesUnusable(f"{target}: of {named} one cannot be used ({reason})") from error


@lru_cache(maxsize=64)
def _context(
    ca: Path | None,
    certificate: Path | None,
    key: Path | None,
    _changed: tuple[int, ...],
    _age: int,
) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A renegotiation would have us wait for the other side in the midst of writing.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if certificate is not None:
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password="")
    return context


class TlsSession:
    """One connection's TLS, fed with what came and asked for what is to go."""

    def __init__(self, context: ssl.SSLContext, *, name: str, about: str) -> None:
        self.is_made = False
        self._about = about
        self._name = name
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    def take(self, received: bytes) -> None:
        """Go on with what came; raise a `ForwardFault`."""
        self._incoming.write(received)
        try:
            if not self.is_made:
                self._tls.do_handshake()
                self.is_made = True
            # Nothing is said to a forwarder; what comes is read for its alerts.
            while self._tls.read(65_536):
                continue
        except ssl.SSLWantReadError:
            return
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError) as error:
            raise ConnectionLost(f"{self._about}: the target ended the connection") from error
        except ssl.SSLError as error:
            raise self._fault(error) from error
        raise ConnectionLost(f"{self._about}: the target ended the connection")

    def put(self, data: bytes) -> None:
        """Encrypt what is to be sent."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]

    def outgoing(self) -> bytes:
        """Return what is to go to the network."""
        return self._outgoing.read()

    def end(self) -> None:
        """Say goodbye: the other side is to know that nothing was cut off."""
        with suppress(ssl.SSLError):
            self._tls.unwrap()

    def _fault(self, error: ssl.SSLError) -> ForwardFault:
        if isinstance(error, ssl.SSLCertVerificationError):
            return self._certificate_fault(error)
        reason = error.reason or ""
        if any(words in reason for words in _ABOUT_OURS):
            told = reason.lower().replace("_", " ")
            return OursRefused(f"{self._about}: the target refused this appliance ({told})")
        if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}:
            return TlsFailed(f"{self._about}: the port does not speak TLS")
        told = reason.lower().replace("_", " ") or "no reason given"
        return TlsFailed(f"{self._about}: TLS failed ({told})")

    def _certificate_fault(self, error: ssl.SSLCertVerificationError) -> ForwardFault:
        reason, trouble = error.verify_message.rstrip("."), trouble_with(error)
        if trouble == "wrong name":
            return CertificateWrongName(
                f"{self._about}: the certificate is not made out to {self._name}"
            )
        message = f"{self._about}: the certificate was not accepted ({reason})"
        if trouble == "out of time":
            return CertificateExpired(message)
        return CertificateUntrusted(message)
