"""What can go wrong while a list is retrieved by DNS: one class a fault.

SourceError
├── SourceUnavailable
│   ├── Unreachable        connection refused, no route
│   ├── ServerUnknown      the server's host name has no address
│   ├── TimedOut           the deadline passed
│   ├── ClosedEarly        the connection ended before the answer did
│   └── ServerFailed       SERVFAIL
└── SourceRefused
    ├── Refused            REFUSED
    ├── NoSuchName         NXDOMAIN
    ├── EmptyName          NODATA at the list's own name (an EmptyList)
    ├── PartMissing        a part the list names holds nothing
    ├── NotResponsible     a referral instead of an answer
    ├── OtherRefusal       FORMERR, NOTIMP, …
    ├── DanglingAlias      a CNAME that leads to nothing
    ├── Looping            CNAMEs or parts that lead in a circle
    ├── Truncated          TC over TCP
    ├── NotAnAnswer        a question came back (QR=0)
    ├── WrongId            an answer to no question of ours
    ├── WrongQuestion      the right id over another question
    ├── BadMessage         a length or a content that is no DNS message
    └── TooLarge           over max_names or max_bytes

Each message says who answered, about what and why; `advice` is the next step.
"""

from __future__ import annotations

from typing import ClassVar

from policies.sources.base import EmptyList, SourceError, SourceRefused, SourceUnavailable

_ASK_OPERATOR = "Ask the operator of the server, or set another server."
_CHECK_NAME = "Check the list's name, and that the device's public address is registered."


def not_fetched(name: str) -> str:
    """Return the sentence an administrator knows from the manual, for the list `name`."""
    return f"block or allow list {name} could not be fetched from ThreatSTOP DNS servers."


class DnsFault(SourceError):
    """A fault of one server; another one may do better."""

    advice: ClassVar[str] = _ASK_OPERATOR


class Unreachable(DnsFault, SourceUnavailable):
    """No connection could be made."""

    advice = "Check that a firewall lets TCP through to this port (53, or 5353 instead)."


class ServerUnknown(DnsFault, SourceUnavailable):
    """The server's host name has no address."""

    advice = "Check the server's name and the appliance's own resolver, or set an address."


class TimedOut(DnsFault, SourceUnavailable):
    """The deadline passed before the list was whole."""

    advice = "It is tried again; check that a firewall lets TCP through (port 53, or 5353 instead)."


class ClosedEarly(DnsFault, SourceUnavailable):
    """The connection ended before the answer did."""

    advice = "It is tried again; a firewall's DNS inspection may cut long answers (try port 5353)."


class ServerFailed(DnsFault, SourceUnavailable):
    """SERVFAIL."""

    advice = "It is tried again later."


class Refused(DnsFault, SourceRefused):
    """REFUSED."""

    advice = "Check that the device's public address is registered with the list's provider."


class NoSuchName(DnsFault, SourceRefused):
    """NXDOMAIN at the list's own name."""

    advice = _CHECK_NAME


class EmptyName(DnsFault, EmptyList):
    """The name exists and holds nothing of what was asked for."""

    advice = "Check the policy at the provider, and the encoding set here."


class PartMissing(DnsFault, SourceRefused):
    """A part which the list names holds nothing, so the list is not whole."""


class NotResponsible(DnsFault, SourceRefused):
    """The server points to other servers instead of answering."""

    advice = "Check the list's name and the server."


class OtherRefusal(DnsFault, SourceRefused):
    """A response code that no list can come with."""


class DanglingAlias(DnsFault, SourceRefused):
    """The name is an alias of another name that holds nothing."""

    advice = "Set the name which the alias stands for."


class Looping(DnsFault, SourceRefused):
    """Aliases or parts lead in a circle."""


class Truncated(DnsFault, SourceRefused):
    """The server says that its answer is cut, over TCP, where nothing needs to be cut."""

    advice = "The name holds more than a message can carry; the provider must split the list."


class NotAnAnswer(DnsFault, SourceRefused):
    """A question came back instead of an answer."""


class WrongId(DnsFault, SourceRefused):
    """An answer to no question of ours."""


class WrongQuestion(DnsFault, SourceRefused):
    """An answer with the right id over another question."""


class BadMessage(DnsFault, SourceRefused):
    """Bytes that are not a DNS message."""


class TooLarge(DnsFault, SourceRefused):
    """More names or bytes than the settings allow."""

    advice = "Raise max_names or max_bytes if the list is meant to be this long."
