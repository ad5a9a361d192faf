"""DNS over TLS for zone transfers (RFC 9103): TLS 1.3, ALPN "dot", the certificate checked."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from socket import socket
from typing import Self

from policies.sources.base import SourceMisconfigured
from policies.sources.certificates import trouble_with
from policies.sources.dns_errors import DnsFault
from policies.sources.dns_servers import is_dns_name
from policies.sources.resolver import is_address
from policies.sources.zone_errors import (
    CertificateExpired,
    CertificateForOther,
    CertificateUntrusted,
    NoHandshake,
    NotForDns,
    NoTls,
    TlsFailed,
)

PORT = 853
_ALPN = "dot"


@dataclass(frozen=True, slots=True)
class Tls:
    """How a server's certificate is checked."""

    context: ssl.SSLContext
    name: str  # "": the server's own, as the settings have it

    @classmethod
    def of(cls, *, ca: str, name: str) -> Self:
        """Trust the certificates in `ca` (PEM) alone, or the system's where it is empty.

        Raises `SourceMisconfigured`.
        """
        if name and not (is_dns_name(name) or is_address(name)):
            raise SourceMisconfigured("tls_name must be a DNS name or an address")
        try:
            context = ssl.create_default_context(cadata=ca or None)
        except (ssl.SSLError, ValueError) as error:
            raise SourceMisconfigured("tls_ca must be certificates in PEM form") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols([_ALPN])
        return cls(context, name)

    def wrap(self, sock: socket, *, host: str, about: str) -> ssl.SSLSocket:
        """Return the connection in TLS with whom it should be; raise a `DnsFault`."""
        name = self.name or host
        try:
            wrapped = self.context.wrap_socket(sock, server_hostname=name)
        except ssl.SSLCertVerificationError as error:
            raise _certificate_fault(error, name=name, about=about) from error
        except TimeoutError as error:
            raise NoHandshake(f"{about}: the TLS handshake was not answered in time") from error
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError) as error:
            raise NoHandshake(f"{about}: the connection ended in the TLS handshake") from error
        except ssl.SSLError as error:
            raise _handshake_fault(error, about=about) from error
        except OSError as error:
            reason = error.strerror or error
            raise NoHandshake(f"{about}: the TLS handshake failed ({reason})") from error
        if wrapped.selected_alpn_protocol() != _ALPN:
            wrapped.close()
            raise NotForDns(f'{about}: the server does not agree to DNS over TLS (ALPN "dot")')
        return wrapped


def _certificate_fault(error: ssl.SSLCertVerificationError, *, name: str, about: str) -> DnsFault:
    reason, trouble = error.verify_message, trouble_with(error)
    if trouble == "wrong name":
        return CertificateForOther(f"{about}: the certificate is not made out to {name}")
    if trouble == "out of time":
        return CertificateExpired(f"{about}: {reason}")
    return CertificateUntrusted(f"{about}: the certificate is not trusted ({reason})")


def _handshake_fault(error: ssl.SSLError, *, about: str) -> DnsFault:
    reason = (error.reason or "").lower().replace("_", " ")
    if error.reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}:
        return NoTls(f"{about}: the port does not speak TLS")
    if "ALPN" in (error.reason or "") or error.reason == "TLSV1_ALERT_NO_APPLICATION_PROTOCOL":
        return NotForDns(f'{about}: the server does not agree to DNS over TLS (ALPN "dot")')
    return TlsFailed(f"{about}: the TLS handshake failed ({reason or 'no reason given'})")
