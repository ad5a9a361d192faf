"""What can go wrong while a zone is transferred: one class a fault.

These stand beside the faults of `dns_errors`, which a transfer meets as well (Unreachable,
TimedOut, ClosedEarly, Refused, BadMessage, WrongId, …).

SourceError
├── SourceUnavailable
│   ├── EndedEarly             the stream ended before the last SOA
│   ├── SerialChanged          another version of the zone began midway
│   ├── WrongTime              BADTIME: the clocks are too far apart
│   ├── HalfWritten            the zone's list is without its digest: it is being written
│   ├── NotAsPublished         the list is another than the zone's own digest or count says
│   └── NoHandshake            the port took our TLS greeting and said nothing to it
└── SourceRefused
    ├── SerialWentBackwards    the zone is older than the one held
    ├── NotAuthoritative       NOTAUTH, or no SOA: the server does not hold the zone
    ├── NotATransfer           the first record is no SOA, an increment out of order
    ├── BeyondTheEnd           records after the last SOA
    ├── NotOfTheZone           a record outside the zone, or of another class
    ├── RefusesIncrements      NOTIMP or FORMERR: AXFR is tried instead of IXFR
    ├── ZoneTooLarge           over max_records or max_bytes
    ├── EmptyZone              the zone holds no entry of use (an EmptyList)
    ├── NotProven              the zone has no digest of its list, and must have one
    ├── KeyUnknown             BADKEY: the server does not know our key
    ├── KeyRefused             BADSIG or BADTRUNC: the server does not accept our signature
    ├── NotSigned              a message that should be signed is not
    ├── WrongSignature         a signature that does not fit what came
    ├── NoTls                  the port answers in something else than TLS
    ├── NotForDns              the server does not agree to DNS over TLS (ALPN "dot")
    ├── CertificateUntrusted   signed by nobody we trust
    ├── CertificateExpired     past its date, or not valid yet
    ├── CertificateForOther    made out to another name
    └── TlsFailed              any other failed handshake
"""

from __future__ import annotations

from policies.sources.base import EmptyList, SourceRefused, SourceUnavailable
from policies.sources.dns_errors import (
    ClosedEarly,
    DnsFault,
    NotResponsible,
    OtherRefusal,
    TooLarge,
)

_CHECK_KEY = "Check the key's name, algorithm and secret here and at the server."
_CHECK_PORT = "Check the port: 853 is for TLS, 53 for plain TCP."
_CHECK_CERTIFICATE = "Check tls_ca and tls_name, or the certificate at the server."


class EndedEarly(ClosedEarly):
    """The stream ended before the last SOA."""

    advice = "It is tried again; a firewall's DNS inspection may cut long transfers."


class SerialChanged(DnsFault, SourceUnavailable):
    """The last SOA is not the first one: another version of the zone began midway."""

    advice = "It is tried again."


class WrongTime(DnsFault, SourceUnavailable):
    """The clocks here and there differ by more than a signature allows."""

    advice = "Set the clock here and at the server by NTP."

    def __init__(self, message: str, *, seconds: float | None = None) -> None:
        """`seconds` that the clock here is ahead; None where the server does not say."""
        super().__init__(message)
        self.seconds = seconds


class HalfWritten(DnsFault, SourceUnavailable):
    """The zone says how much it holds and not what: its publisher has not finished."""

    advice = "It is tried again."


class NotAsPublished(DnsFault, SourceUnavailable):
    """The zone holds another list than its own digest or count says."""

    advice = "It is tried again; if that does not help, have the server take its copy anew."


class SerialWentBackwards(DnsFault, SourceRefused):
    """The zone is older than the one held (RFC 1982)."""

    advice = (
        "Raise the zone's serial at its primary, or set a server that is up to date. If the older "
        "serial is meant, update once with 'accept change'."
    )


class NotAuthoritative(NotResponsible):
    """The server does not hold the zone."""


class NotATransfer(DnsFault, SourceRefused):
    """Well-formed messages that are no transfer of the zone."""


class BeyondTheEnd(NotATransfer):
    """Records after the last SOA."""


class NotOfTheZone(NotATransfer):
    """A record that lies outside the zone."""


class RefusesIncrements(OtherRefusal):
    """NOTIMP or FORMERR."""


class ZoneTooLarge(TooLarge):
    """More records or bytes than the settings allow."""

    advice = "Raise max_records or max_bytes if the zone is meant to be this large."


class EmptyZone(DnsFault, EmptyList):
    """The zone came whole and holds no entry of use."""

    advice = "Check what the zone holds, and whether the source is to block or to allow."


class NotProven(DnsFault, SourceRefused):
    """The zone has no digest of its list, and the source must have one."""

    advice = "Check the zone's name, or switch must_prove off for a zone of another publisher."


class KeyUnknown(DnsFault, SourceRefused):
    """BADKEY."""

    advice = _CHECK_KEY


class KeyRefused(DnsFault, SourceRefused):
    """BADSIG or BADTRUNC."""

    advice = _CHECK_KEY


class NotSigned(DnsFault, SourceRefused):
    """A message that should be signed is not."""

    advice = _CHECK_KEY


class WrongSignature(DnsFault, SourceRefused):
    """A signature that does not fit what came; nothing of it may be believed."""

    advice = _CHECK_KEY


class NoHandshake(DnsFault, SourceUnavailable):
    """The port took our TLS greeting and said nothing to it, as plain DNS over TCP does."""

    advice = _CHECK_PORT


class NoTls(DnsFault, SourceRefused):
    """The port answers in something else than TLS."""

    advice = _CHECK_PORT


class NotForDns(DnsFault, SourceRefused):
    """The server speaks TLS, and does not agree to DNS in it."""

    advice = _CHECK_PORT


class CertificateUntrusted(DnsFault, SourceRefused):
    """The certificate is signed by nobody we trust."""

    advice = _CHECK_CERTIFICATE


class CertificateExpired(DnsFault, SourceRefused):
    """The certificate is past its date, or not valid yet."""

    advice = "Have the certificate renewed, and check the clock here."


class CertificateForOther(DnsFault, SourceRefused):
    """The certificate is made out to another name."""

    advice = _CHECK_CERTIFICATE


class TlsFailed(DnsFault, SourceRefused):
    """Any other failed handshake."""
