"""What can go wrong while lines are forwarded: one class a fault. Every one of them is tried again.

ShipError
├── ShipUnavailable
│   ├── HostUnknown          the target's name has no address
│   ├── Unreachable          connection refused, no route
│   ├── TimedOut             no connection, or no TLS handshake, in time
│   ├── ClosedAtOnce         the target closes connections as soon as they are made
│   ├── ConnectionLost       the target closed the connection, or it broke
│   ├── Unacknowledged       nothing is heard from the target's machine any more
│   ├── CertificateUntrusted signed by nobody we trust
│   ├── CertificateExpired   before or after its time
│   ├── CertificateWrongName issued for another name
│   ├── OursRefused          the target does not take our certificate, or wants one
│   ├── TlsFailed            no common ground, or no TLS at all
│   └── SpoolUnreadable      the lines cannot be read here
└── ShipRefused
    └── TlsFilesUnusable     the files of an authority or of our certificate cannot be used

Each message says what was done, to what, what came and, by the class's `advice`, the next step.
"""

from __future__ import annotations

from typing import ClassVar

from logs.shippers.base import ShipError, ShipRefused, ShipUnavailable

_LOGS = "Look at the target's own log for the reason; it is tried again"


class ForwardFault(ShipError):
    """A fault of one connection to a target; the lines wait in the spool."""

    advice: ClassVar[str] = "It is tried again"

    def __init__(self, message: str) -> None:
        """Put the next step behind the message."""
        super().__init__(f"{message}. {self.advice}.")
        self.what = message


class HostUnknown(ForwardFault, ShipUnavailable):
    """The target's name has no address."""

    advice = "Check the target's name, and the appliance's own resolver"


class Unreachable(ForwardFault, ShipUnavailable):
    """No connection could be made."""

    advice = "Check that the target listens there, and that a firewall lets the appliance through"


class TimedOut(ForwardFault, ShipUnavailable):
    """The target did not answer in time."""

    advice = "Check that the target listens there, and that a firewall lets the appliance through"


class ClosedAtOnce(ForwardFault, ShipUnavailable):
    """The target closes connections as soon as they are made."""

    advice = (
        "Check whether the target lets this appliance in, and wants a certificate; what it was "
        "given is sent again"
    )


class ConnectionLost(ForwardFault, ShipUnavailable):
    """The target closed the connection, or it broke."""

    advice = _LOGS


class Unacknowledged(ForwardFault, ShipUnavailable):
    """The target's machine is not heard of any more."""

    advice = "Check the network on the way; what it did not acknowledge is sent again"


class CertificateUntrusted(ForwardFault, ShipUnavailable):
    """The target's certificate is signed by nobody we trust."""

    advice = "If the target is your own, set the file of its authority; nothing was sent"


class CertificateExpired(ForwardFault, ShipUnavailable):
    """The target's certificate is not yet or no longer valid."""

    advice = "Check the appliance's clock, and renew the target's certificate; nothing was sent"


class CertificateWrongName(ForwardFault, ShipUnavailable):
    """The target's certificate is for another name."""

    advice = "Set the target by a name that its certificate is for; nothing was sent"


class OursRefused(ForwardFault, ShipUnavailable):
    """The target does not take our certificate, or wants one and was shown none."""

    advice = "Set a certificate that is signed by an authority the target trusts, and its key"


class TlsFailed(ForwardFault, ShipUnavailable):
    """No TLS connection for another reason."""

    advice = "Check that the port speaks TLS 1.2 or later, and whether it wants a certificate"


class SpoolUnreadable(ForwardFault, ShipUnavailable):
    """The lines, or how far they were sent, cannot be read here."""

    advice = "Check the disk and who owns the files"


class TlsFilesUnusable(ForwardFault, ShipRefused):
    """The files of an authority, or of our certificate and key, cannot be used."""

    advice = "Set files in PEM form that the forwarder may read"
