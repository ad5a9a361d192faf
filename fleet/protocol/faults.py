"""What the faults of a portal's servers come to, in words that tell what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.protocol.base import Portal
from fleet.protocol.errors import (
    CONNECT,
    REPORT,
    RETRIEVE,
    NotActive,
    NotConnected,
    NotGenuine,
    NotOurs,
    NotReadable,
    NotReported,
    NotTrusted,
    OlderSettings,
    UnknownKey,
    WebAutomationError,
    WrongClock,
    WrongKey,
)
from policies.sources import dns_errors as dns, zone_errors as zone

_SHOWN = 300  # characters of one server's fault in a message


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a fault means here: for the program, in words, and what to do about it."""

    error: type[WebAutomationError]
    cause: str = ""  # in front of the fault's own words
    step: str = ""


_REACH = _Meaning(
    NotConnected, step="Check that firewalls let TCP through to this port, and that the portal runs"
)
_PORT = _Meaning(
    NotTrusted, step="Check the port: the portal answers DNS over TLS at it, at 5353 if not changed"
)
_CERTIFICATE = _Meaning(
    NotTrusted,
    step="Check the CA and the TLS name that the link was made with, or the portal's certificate",
)
_REFUSED = _Meaning(
    NotActive,
    "the portal refuses this zone to {device}",
    "Check the device ID. A new entry takes a few minutes to become active, so it is tried again; "
    "if it stays so, see whether {device} was removed from the portal",
)
_NOT_GENUINE = _Meaning(
    NotGenuine,
    "the answer is not what the portal said to this question",
    "It is tried again; if it stays so, something between here and the portal changes answers",
)
_OTHER = _Meaning(
    NotReadable,
    "the answer brings no settings",
    "It is tried again; if it stays so, look at the log of the portal's server",
)
_MEANINGS: dict[type[dns.DnsFault], _Meaning] = {
    dns.Unreachable: _REACH,
    dns.TimedOut: _REACH,
    dns.ClosedEarly: _REACH,
    dns.ServerUnknown: _Meaning(
        NotConnected, step="Check the name of the portal, and the resolver of this machine"
    ),
    zone.NoHandshake: _Meaning(NotConnected, step=_PORT.step),
    zone.NoTls: _PORT,
    zone.NotForDns: _PORT,
    zone.CertificateUntrusted: _CERTIFICATE,
    zone.CertificateForOther: _CERTIFICATE,
    zone.CertificateExpired: _Meaning(
        NotTrusted, step="Have the portal's certificate renewed, and check the clock here"
    ),
    zone.TlsFailed: _Meaning(NotTrusted, step="Check that the portal's server speaks TLS 1.3"),
    zone.KeyUnknown: _Meaning(
        UnknownKey,
        "the portal knows no device {device} with this key",
        "Check the device ID; a new entry takes a few minutes to become active, and a key that was "
        "replaced stays good for a while only",
    ),
    zone.KeyRefused: _Meaning(
        WrongKey,
        "the device key of {device} is wrong",
        "Copy it again from the device's page on the portal",
    ),
    zone.WrongTime: _Meaning(WrongClock, step="Set the clocks here and at the portal by NTP"),
    dns.Refused: _REFUSED,
    dns.NotResponsible: _REFUSED,
    dns.ServerFailed: _REFUSED,
    dns.NoSuchName: _REFUSED,
    dns.OtherRefusal: _REFUSED,
    zone.NotOfTheZone: _Meaning(
        NotOurs,
        "the portal sent another zone than that of {device}",
        "Look at the portal and its server: they have mixed up two devices",
    ),
    zone.SerialWentBackwards: _Meaning(
        OlderSettings,
        "the portal's settings are older than those in force",
        "A server that lags behind catches up by itself; where the portal was restored from a "
        "backup, link again",
    ),
    zone.NotSigned: _NOT_GENUINE,
    zone.WrongSignature: _NOT_GENUINE,
    dns.WrongId: _NOT_GENUINE,
    dns.WrongQuestion: _NOT_GENUINE,
    dns.NotAnAnswer: _NOT_GENUINE,
    dns.BadMessage: _NOT_GENUINE,
}


def not_retrieved(
    faults: Sequence[dns.DnsFault], *, portal: Portal, device_id: str
) -> WebAutomationError:
    """Return why no settings came from any of a portal's addresses."""
    fault, meaning = _telling(faults)
    cause = _cause(fault, meaning, device_id)
    if issubclass(meaning.error, NotConnected):
        return _not_connected(faults, meaning, portal)
    message = f"{RETRIEVE} from {portal}: {cause}"
    if isinstance(fault, zone.WrongTime):
        return WrongClock(message, seconds=fault.seconds)
    return meaning.error(message)


def not_reported(
    faults: Sequence[dns.DnsFault], *, portal: Portal, device_id: str
) -> WebAutomationError:
    """Return why none of a portal's addresses took a status."""
    fault, meaning = _telling(faults)
    if issubclass(meaning.error, NotConnected):
        return _not_connected(faults, meaning, portal)
    message = f"{REPORT} to {portal}: {_cause(fault, meaning, device_id)}"
    return NotReported(message, may_pass=meaning.error.may_pass)


def _not_connected(
    faults: Sequence[dns.DnsFault], meaning: _Meaning, portal: Portal
) -> WebAutomationError:
    reasons = "; ".join(str(fault)[:_SHOWN] for fault in faults)
    return meaning.error(f"{CONNECT} at {portal}: {reasons}. {meaning.step}.")


def _telling(faults: Sequence[dns.DnsFault]) -> tuple[dns.DnsFault, _Meaning]:
    """Return the fault that tells most: that of a server which answered, if one did."""
    read = [(fault, _meaning(fault)) for fault in faults]
    answered = [one for one in read if not issubclass(one[1].error, NotConnected)]
    return (answered or read)[0]


def _meaning(fault: dns.DnsFault) -> _Meaning:
    found = (_MEANINGS[kind] for kind in type(fault).__mro__ if kind in _MEANINGS)
    return next(found, _OTHER)


def _cause(fault: dns.DnsFault, meaning: _Meaning, device_id: str) -> str:
    """Return the cause and the next step as sentences."""
    cause = meaning.cause.format(device=device_id)
    if isinstance(fault, zone.WrongTime):
        cause = _clocks(fault.seconds)
    return f"{cause} ({str(fault)[:_SHOWN]}). {meaning.step.format(device=device_id)}."


def _clocks(seconds: float | None) -> str:
    if seconds is None:
        return "the clocks here and at the portal differ too much"
    where = "ahead of" if seconds > 0 else "behind"
    return f"the clock here is {abs(seconds):,.0f} seconds {where} the portal's"
