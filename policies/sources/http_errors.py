"""What can go wrong while a list is retrieved from the web: one class a fault.

SourceError
├── SourceUnavailable
│   ├── HostUnknown          the host has no address
│   ├── Unreachable          connection refused, no route
│   ├── TimedOut             the deadline passed
│   ├── CutShort             the body ended before its end
│   ├── TooManyRequests      429
│   ├── ServerFailed         408 and 5xx
│   └── ProxyUnreachable     no connection to the proxy, or none from it to the host
└── SourceRefused
    ├── Unauthorized         401
    ├── Forbidden            403
    ├── NotFound             404
    ├── Gone                 410
    ├── OtherStatus          a status that no list comes with
    ├── ReachesInside        an address inside the network, or the appliance's own
    ├── RedirectRefused      a redirect to a place that is not followed
    ├── TooManyRedirects     over max_redirects
    ├── CertificateUntrusted signed by nobody we trust
    ├── CertificateExpired   before or after its time
    ├── CertificateWrongName issued for another name
    ├── TlsFailed            no common ground, or our certificate was refused
    ├── ProxyLoginRefused    407
    ├── ProxyRefused         the proxy does not let this through
    ├── NotHttp              bytes that are no HTTP answer
    ├── UnaskedNotModified   304 to a question without a condition
    ├── TooLarge             over max_bytes, as sent or unpacked
    ├── BadArchive           gzip or zip that cannot be read, or lacks the member
    ├── NotAList             HTML, a captcha, terms to accept, JSON where lines are wanted
    └── NothingListed        an empty body (an EmptyList)

Each message says what was asked, what came and, by the class's `advice`, the next step.
"""

from __future__ import annotations

from typing import ClassVar

from policies.sources.base import EmptyList, SourceError, SourceRefused, SourceUnavailable

_AGAIN = "It is tried again later."
_CHECK_URL = "Check the URL in a browser; the publisher may have moved the list."
_ASK_PUBLISHER = "Ask the publisher of the list."


class HttpFault(SourceError):
    """A fault of one retrieval from the web."""

    advice: ClassVar[str] = _ASK_PUBLISHER

    def __init__(self, message: str) -> None:
        """Put the next step behind the message."""
        super().__init__(f"{message}. {self.advice}")


class HostUnknown(HttpFault, SourceUnavailable):
    """The host name has no address."""

    advice = "Check the host's name in the URL, and the appliance's own resolver."


class Unreachable(HttpFault, SourceUnavailable):
    """No connection could be made."""

    advice = "Check that a firewall lets the appliance through to this port, or set a proxy."


class TimedOut(HttpFault, SourceUnavailable):
    """The deadline passed before the list was whole."""

    advice = _AGAIN


class CutShort(HttpFault, SourceUnavailable):
    """The body ended before the length it was announced with."""

    advice = _AGAIN


class TooManyRequests(HttpFault, SourceUnavailable):
    """429."""

    advice = "It is tried again later; a longer refresh keeps within the publisher's limit."


class ServerFailed(HttpFault, SourceUnavailable):
    """408 and 5xx."""

    advice = _AGAIN


class ProxyUnreachable(HttpFault, SourceUnavailable):
    """The proxy does not answer, or does not reach the host."""

    advice = "Check the proxy's address and port, and the proxy's own way out."


class Unauthorized(HttpFault, SourceRefused):
    """401."""

    advice = "Check auth and the password, token or header that goes with it."


class Forbidden(HttpFault, SourceRefused):
    """403."""

    advice = "Check the account or key at the publisher, and whether it lets this address in."


class NotFound(HttpFault, SourceRefused):
    """404."""

    advice = _CHECK_URL


class Gone(HttpFault, SourceRefused):
    """410: the publisher says that the list is no more."""

    advice = "The list was given up; set another one in its place."


class OtherStatus(HttpFault, SourceRefused):
    """A status that no list comes with."""

    advice = _CHECK_URL


class ReachesInside(HttpFault, SourceRefused):
    """The URL leads to an address inside the network, or to the appliance itself."""

    advice = "If that is meant, name the host or its network in allow_internal."


class RedirectRefused(HttpFault, SourceRefused):
    """A redirect to a place that is not followed."""

    advice = "Set the URL where the list is now, if it is to be trusted."


class TooManyRedirects(HttpFault, SourceRefused):
    """More redirects than max_redirects."""

    advice = "Set the URL where they end, or raise max_redirects."


class CertificateUntrusted(HttpFault, SourceRefused):
    """The server's certificate is signed by nobody we trust."""

    advice = "If the server is your own, set ca to the certificate of its authority."


class CertificateExpired(HttpFault, SourceRefused):
    """The server's certificate is not yet or no longer valid."""

    advice = "Check the appliance's clock, and ask the operator of the server to renew it."


class CertificateWrongName(HttpFault, SourceRefused):
    """The server's certificate is for another name."""

    advice = "Set the URL with a name that the certificate is for."


class TlsFailed(HttpFault, SourceRefused):
    """No TLS connection for another reason."""

    advice = "Check that the port speaks TLS, and whether it wants a client certificate."


class ProxyLoginRefused(HttpFault, SourceRefused):
    """407."""

    advice = "Check proxy_username and proxy_password; only basic authentication is known here."


class ProxyRefused(HttpFault, SourceRefused):
    """The proxy does not let this through."""

    advice = "Ask the operator of the proxy to let the appliance through to this host and port."


class NotHttp(HttpFault, SourceRefused):
    """Bytes that are no HTTP answer."""

    advice = "Check the port and http or https in the URL."


class UnaskedNotModified(HttpFault, SourceRefused):
    """304 to a question without a condition."""

    advice = "A cache on the way is at fault; set another URL, or ask its operator."


class TooLarge(HttpFault, SourceRefused):
    """More bytes than max_bytes, as sent or unpacked."""

    advice = "Raise max_bytes if the list is meant to be this long."


class BadArchive(HttpFault, SourceRefused):
    """A gzip or zip that cannot be read, or that lacks the member."""

    advice = "Check the archive, and member where it holds several files."


class NotAList(HttpFault, SourceRefused):
    """A page for people, or a text of another kind."""

    advice = "Open the URL in a browser: it may ask for terms, a login or a captcha, or have moved."


class NothingListed(HttpFault, EmptyList):
    """The answer was in good order, and empty."""

    advice = "If the list may be empty, say so with the source."
