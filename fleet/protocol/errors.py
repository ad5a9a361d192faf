"""What can go wrong between a device and its portal: one class a cause.

WebAutomationError
├── NotConnected      no address, no connection, no answer: tried again
│   └── NotTrusted    the certificate, or TLS itself: a person must look
├── NotRetrieved      there was an answer, and it brings no settings
│   ├── UnknownKey    BADKEY: no such device ID, or its entry is not active yet: tried again
│   ├── WrongKey      BADSIG: the device key is wrong
│   ├── WrongClock    BADTIME: the clocks differ; says by how much: tried again
│   ├── NotActive     REFUSED, NOTAUTH, SERVFAIL: not active yet, or removed: tried again
│   ├── NotOurs       the settings of another device
│   ├── OlderSettings the serial went backwards
│   ├── NotGenuine    not signed, replayed, out of order, or changed on its way
│   └── NotReadable   nothing that this version can take for settings
│       └── NotWhole  not as many records as the zone says: tried again
└── NotReported       the portal did not take the device's status

Each message begins as the manual has it, names the portal and the cause, and ends with what to do.
"""

from __future__ import annotations

CONNECT = "Failed to connect to Web Automation services"
RETRIEVE = "Failed to retrieve settings using Web Automation"
REPORT = "Failed to report the status using Web Automation"


class WebAutomationError(Exception):
    """Nothing new came from a portal; the settings held stay in force."""

    may_pass: bool = False  # by itself, when it is tried again


class NotConnected(WebAutomationError):
    """The portal was not reached."""

    may_pass = True


class NotTrusted(NotConnected):
    """Somebody answers who is not known to be the portal."""

    may_pass = False


class NotRetrieved(WebAutomationError):
    """The portal answered, and brought no settings."""


class UnknownKey(NotRetrieved):
    """The portal knows no key of this name (BADKEY)."""

    may_pass = True  # a new entry takes a few minutes


class WrongKey(NotRetrieved):
    """The portal has another key for this device (BADSIG)."""


class WrongClock(NotRetrieved):
    """The clocks differ by more than a signature allows (BADTIME)."""

    may_pass = True

    def __init__(self, message: str, *, seconds: float | None = None) -> None:
        """`seconds` that the clock here is ahead; None where the portal does not say."""
        super().__init__(message)
        self.seconds = seconds


class NotActive(NotRetrieved):
    """The portal knows the key and refuses the zone."""

    may_pass = True


class NotOurs(NotRetrieved):
    """A zone that holds the settings of another device."""


class OlderSettings(NotRetrieved):
    """The portal's settings are older than those held (RFC 1982)."""

    may_pass = True  # one of several servers may lag behind


class NotGenuine(NotRetrieved):
    """An answer that the holder of the key did not give to this question."""

    may_pass = True


class NotReadable(NotRetrieved):
    """Records that this version cannot take for settings."""


class NotWhole(NotReadable):
    """Records of which some are missing, or too many."""

    may_pass = True  # the portal may be writing them


class NotReported(WebAutomationError):
    """The portal did not take the status; what was reported before stands."""

    def __init__(self, message: str, *, may_pass: bool) -> None:
        super().__init__(message)
        self.may_pass = may_pass
