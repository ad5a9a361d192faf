"""What can go wrong while a batch is uploaded: one class a fault.

ShipError
├── ShipUnavailable
│   ├── BatchUnreadable      the batch's file cannot be read now: its disk is away, or fails
│   ├── AuthoritiesUnreadable the file of authorities cannot be read now
│   ├── CopyFailed           the compressed copy could not be written beside the batch, or read
│   ├── HostUnknown          the log service's name has no address
│   ├── Unreachable          connection refused, no route
│   ├── TimedOut             the deadline passed
│   ├── TlsFailed            no common ground, or the other side ended the handshake
│   ├── CertificateUntrusted signed by nobody we trust      (nothing was sent, and whoever runs the
│   ├── CertificateExpired   before or after its time        log service may mend it without us: so
│   ├── CertificateWrongName issued for another name         certificates are tried again)
│   ├── CutShort             the connection ended before the answer did
│   ├── NotHttp              bytes that are no HTTP answer
│   ├── AnsweredEarly        200 before the whole batch was sent
│   ├── OtherReceived        the answer states other bytes or another digest than were sent
│   ├── ServerFailed         408, 429 and 5xx
│   ├── ProxyUnreachable     no connection to the proxy, or none from it to the log service
│   └── ProxyClosed          the proxy said 200 to CONNECT, and then closed
└── ShipRefused
    ├── BatchMissing         the batch's file is gone, its folder is there        (about the batch)
    ├── NotAsClosed          the file is not what its manifest says               (about the batch)
    ├── NumberTaken          409: known by this number with other content         (about the batch)
    ├── BatchRefused         400, 413, 415, 422: the service cannot take this one (about the batch)
    ├── StatusRefused        any other answer that is not 200
    ├── RedirectRefused      3xx: a batch goes where a person said and nowhere else
    ├── ProxyLoginRefused    407
    └── ProxyRefused         the proxy does not let this through

Each message says what was done, to what, what came and, by the class's `advice`, the next step.
"""

from __future__ import annotations

from typing import ClassVar

from logs.shippers.base import ShipError, ShipRefused, ShipUnavailable

_AGAIN = "It is tried again later"


class UploadFault(ShipError):
    """A fault of one attempt to upload."""

    advice: ClassVar[str] = _AGAIN

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """Put the next step behind the message."""
        super().__init__(f"{message}. {self.advice}.")
        self.retry_after = retry_after


class BatchUnreadable(UploadFault, ShipUnavailable):
    """The batch's file cannot be read now."""

    advice = "Check the disk of the logs and who may read there; it is tried again later"


class AuthoritiesUnreadable(UploadFault, ShipUnavailable):
    """The file of authorities cannot be read now."""

    advice = "Check that the file is there and who may read it; it is tried again later"


class CopyFailed(UploadFault, ShipUnavailable):
    """The compressed copy could not be written beside the batch, or read back."""

    advice = "Make room on the disk of the logs; it is tried again later"


class HostUnknown(UploadFault, ShipUnavailable):
    """The log service's name has no address."""

    advice = "Check the name in the upload URL, and the appliance's own resolver, or set a proxy"


class Unreachable(UploadFault, ShipUnavailable):
    """No connection could be made."""

    advice = "Check that a firewall lets the appliance through to this port, or set a proxy"


class TimedOut(UploadFault, ShipUnavailable):
    """The deadline passed before the answer was there."""


class TlsFailed(UploadFault, ShipUnavailable):
    """No TLS connection for another reason than the certificate."""

    advice = "Check that the port speaks TLS; it is tried again later"


class CertificateUntrusted(UploadFault, ShipUnavailable):
    """The certificate is signed by nobody we trust."""

    advice = (
        "If the log service is your own, or something opens TLS on the way, set the file of its "
        "authority; nothing was sent, and it is tried again later"
    )


class CertificateExpired(UploadFault, ShipUnavailable):
    """The certificate is not yet or no longer valid."""

    advice = (
        "Check the appliance's clock, and ask the operator of the log service to renew it; nothing "
        "was sent, and it is tried again later"
    )


class CertificateWrongName(UploadFault, ShipUnavailable):
    """The certificate is for another name."""

    advice = (
        "Set the upload URL with a name that the certificate is for; nothing was sent, and it is "
        "tried again later"
    )


class CutShort(UploadFault, ShipUnavailable):
    """The connection ended before the answer did."""


class NotHttp(UploadFault, ShipUnavailable):
    """Bytes that are no HTTP answer."""

    advice = "Check the port in the upload URL, and what is on the way; it is tried again later"


class AnsweredEarly(UploadFault, ShipUnavailable):
    """200 to a batch that was not sent to its end."""

    advice = "It does not count as received; it is tried again later"


class OtherReceived(UploadFault, ShipUnavailable):
    """The answer states that something else was received than was sent."""

    advice = "It does not count as received; it is tried again later"


class ServerFailed(UploadFault, ShipUnavailable):
    """408, 429 and 5xx."""


class ProxyUnreachable(UploadFault, ShipUnavailable):
    """The proxy does not answer, or does not reach the log service."""

    advice = "Check the proxy's address and port, and the proxy's own way out"


class ProxyClosed(UploadFault, ShipUnavailable):
    """The proxy said 200 to CONNECT, and then closed."""

    advice = "Ask the operator of the proxy what it does with this host; it is tried again later"


class BatchMissing(UploadFault, ShipRefused):
    """The batch's file is gone, and its folder is there."""

    is_about_batch = True
    advice = "Find out what took it; `tsadmin logs --verify` recounts what is there"


class NotAsClosed(UploadFault, ShipRefused):
    """The batch's file is not what its manifest says."""

    is_about_batch = True
    advice = "Nothing was sent. Find out what wrote to it; `tsadmin logs --verify` recounts"


class NumberTaken(UploadFault, ShipRefused):
    """The log service knows this number with other content."""

    is_about_batch = True
    advice = "Check whether two appliances, or one restored from a copy, upload by one device ID"


class BatchRefused(UploadFault, ShipRefused):
    """The log service cannot take this batch."""

    is_about_batch = True
    advice = "Ask the operator of the log service what it accepts"


class StatusRefused(UploadFault, ShipRefused):
    """An answer that is no receipt, and that another attempt would not change."""

    advice = "Check the upload URL and the device ID, and ask the operator of the log service"


class RedirectRefused(UploadFault, ShipRefused):
    """A redirect, which is not followed: a batch goes where a person said and nowhere else."""

    advice = "If the log service has moved, set the upload URL to where it is now"


class ProxyLoginRefused(UploadFault, ShipRefused):
    """407."""

    advice = "Set the proxy user and the proxy password; only basic authentication is known here"


class ProxyRefused(UploadFault, ShipRefused):
    """The proxy does not let this through."""

    advice = "Ask the operator of the proxy to let the appliance through to this host and port"
