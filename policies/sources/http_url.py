"""A URL taken apart once, so that every check sees what is connected to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, urljoin, urlsplit

from policies.sources.dns_servers import is_dns_name
from policies.sources.resolver import is_address

LONGEST = 2000

_PORTS = {"http": 80, "https": 443}
_UNCHANGED = "%/:?#[]@!$&'()*+,;=~"


class BadUrl(ValueError):
    """A URL that is not asked for; the message says what is wrong, without repeating secrets."""


@dataclass(frozen=True, slots=True)
class Url:
    """An http or https URL without a user, a password or a fragment."""

    scheme: str
    host: str  # lower case; an IPv6 address without its brackets
    port: int
    target: str = field(repr=False)  # path and query, which may hold a key

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take a URL apart; raise `BadUrl`."""
        if len(text) > LONGEST or any(letter <= " " or letter == "\x7f" for letter in text):
            raise BadUrl(f"must have at most {LONGEST:,} characters, and no white space")
        try:
            parts = urlsplit(text)
            port = parts.port
            target = quote(parts.path or "/", safe=_UNCHANGED)
            if parts.query:
                target += "?" + quote(parts.query, safe=_UNCHANGED)
        except ValueError as error:
            raise BadUrl(f"cannot be read ({error})") from error
        if parts.scheme not in _PORTS:
            raise BadUrl("must begin with https:// or http://")
        if "@" in parts.netloc:
            raise BadUrl("must not hold a user name or a password; set auth instead")
        host = (parts.hostname or "").removesuffix(".")
        if not (is_address(host) or is_dns_name(host)):
            raise BadUrl("must name a host, in its xn-- form where it has other letters than a-z")
        return cls(parts.scheme, host, port or _PORTS[parts.scheme], target)

    def joined(self, location: str) -> Url:
        """Return where a redirect from here to `location` leads; raise `BadUrl`."""
        try:
            return Url.parse(urljoin(f"{self.origin}{self.target}", location.strip()))
        except BadUrl:
            raise
        except ValueError as error:
            raise BadUrl(f"cannot be read ({error})") from error

    @property
    def is_encrypted(self) -> bool:
        """Whether it is asked for by TLS."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port: what credentials belong to."""
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        """Return the URL for a message: a query may hold a key, and is left out."""
        path, query, _ = self.target.partition("?")
        path = path if len(path) <= 120 else f"{path[:120]}…"
        return f"{self.origin}{path}{query and '?…'}"
