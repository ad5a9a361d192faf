"""A list on a web server, as text, in a table, in JSON, in a gzip or in a zip."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import ClassVar, Self

from policies.sources.base import Deadline, Known, Layout, Retrieved
from policies.sources.http_address import Allowed
from policies.sources.http_errors import (
    Forbidden,
    Gone,
    HttpFault,
    NotAList,
    NotFound,
    NothingListed,
    OtherStatus,
    RedirectRefused,
    ServerFailed,
    TooManyRedirects,
    TooManyRequests,
    UnaskedNotModified,
    Unauthorized,
)
from policies.sources.http_settings import (
    Header,
    read_auth,
    read_proxy,
    read_tls,
    read_url,
    read_user_agent,
)
from policies.sources.http_transport import Answer, Route
from policies.sources.http_unpack import unpack
from policies.sources.http_url import BadUrl, Url
from policies.sources.layouts import LAYOUT_SETTINGS, read_layout
from policies.sources.looks import holds_nothing, not_a_list
from policies.sources.settings import Settings

USER_AGENT = "TSCM (threat-policy manager)"

_SETTINGS = (
    "url", "member", *LAYOUT_SETTINGS,
    "auth", "username", "password", "token", "header_name", "header_value",
    "client_certificate", "client_key", "proxy", "proxy_username", "proxy_password", "ca",
    "max_bytes", "max_redirects", "allow_internal", "user_agent",
)  # fmt: skip
_MEBIBYTE = 1 << 20
_LONGEST_VALIDATOR = 1000  # an ETag or a date beyond that is not kept

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_MODIFIED = 304
_FAULTS: dict[int, type[HttpFault]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: ServerFailed,
    410: Gone,
    429: TooManyRequests,
}


@dataclass(frozen=True, slots=True)
class Version:
    """What tells one state of a list from the next: the server's word, and our own digest."""

    asked: str  # digest of the settings it was read with; others make it worthless
    digest: str  # of the body, unpacked
    etag: str = ""
    modified: str = ""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what `text` wrote; None for anything else."""
        try:
            version = cls(**json.loads(text))
        except (TypeError, ValueError):
            return None
        parts = (version.asked, version.digest, version.etag, version.modified)
        return version if all(isinstance(part, str) for part in parts) else None

    def text(self) -> str:
        """Return the version as `Retrieved.version` carries it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    def condition(self) -> list[Header]:
        """Return the headers that ask for the list only if it changed."""
        headers = []
        if self.etag:
            headers.append((b"If-None-Match", self.etag.encode("latin-1")))
        if self.modified:
            headers.append((b"If-Modified-Since", self.modified.encode("latin-1")))
        return headers

    def is_confirmed_by(self, answer: Answer) -> bool:
        """Tell whether a 304 speaks of this version: it has the same ETag, or none."""
        theirs = answer.headers.get("etag", "")
        return not theirs or theirs.removeprefix("W/") == self.etag.removeprefix("W/")


@dataclass(frozen=True, slots=True)
class HttpSource:
    """A list at a URL."""

    label: ClassVar[str] = "Web list (HTTP, HTTPS)"
    secrets: ClassVar[tuple[str, ...]] = (
        "password", "token", "header_value", "client_key", "proxy_password",
    )  # fmt: skip

    url: Url
    member: str  # of a zip: a name or a pattern; "": the first file
    layout: Layout
    auth: tuple[Header, ...] = field(repr=False)
    user_agent: str
    max_redirects: int
    route: Route

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Self:
        """Build the source; raise `SourceMisconfigured` for a setting that cannot work."""
        read = Settings(settings)
        read.only(_SETTINGS)
        allowed = read.optional_texts("allow_internal", most=50, longest=300)
        return cls(
            url=read_url(read),
            member=read.optional("member", longest=300),
            layout=read_layout(read),
            auth=read_auth(read),
            user_agent=read_user_agent(read, default=USER_AGENT),
            max_redirects=read.integer("max_redirects", default=3, low=0, high=10),
            route=Route(
                allowed=Allowed.parse(allowed),
                tls=read_tls(read),
                proxy=read_proxy(read),
                max_bytes=read.integer(
                    "max_bytes", default=64 * _MEBIBYTE, low=512, high=1024 * _MEBIBYTE
                ),
            ),
        )

    def retrieve(self, *, known: Known | None, deadline: Deadline) -> Retrieved | None:
        """Retrieve the list whole, or return None when `known` is still current.

        A server is believed when it says "not modified", but only of the version that is held: a
        304 with another ETag is answered with an unconditional question at once. It may still be
        wrong, so that a whole list is to be wanted once a day. Raises an `HttpFault`.
        """
        held = Version.parse(known.version) if known is not None else None
        if held is not None and held.asked != self._asked():
            held = None
        if known is not None and known.is_whole_wanted:
            held = None
        condition = held.condition() if held is not None else []
        answer = self._follow(condition, deadline)
        if answer.status == _NOT_MODIFIED and held is not None and condition:
            if held.is_confirmed_by(answer):
                return None
            answer = self._follow([], deadline)
        text = self._text(answer)
        version = self._version(answer, text)
        if held is not None and held.digest == version.digest:
            return None
        return Retrieved(
            format="text",
            payload=(text,),
            server=answer.server,
            version=version.text(),
            layout=self.layout,
        )

    def _follow(self, condition: list[Header], deadline: Deadline) -> Answer:
        """Ask, and follow redirects; credentials go to the origin of the URL and nowhere else."""
        url = self.url
        headers = [
            (b"User-Agent", self.user_agent.encode()),
            (b"Accept", b"*/*"),
            (b"Accept-Encoding", b"gzip"),
            *condition,
        ]
        for _ in range(self.max_redirects + 1):
            at_home = url.origin == self.url.origin
            answer = self.route.ask(
                url,
                [*headers, *self.auth] if at_home else headers,
                with_certificate=at_home,
                deadline=deadline,
            )
            if answer.status not in _REDIRECTS:
                return answer
            url = _redirected(answer)
        raise TooManyRedirects(f"{self.url}: more than {self.max_redirects} redirects, to {url}")

    def _text(self, answer: Answer) -> bytes:
        """Return the text of an answer that brings a list, or raise what it brings instead."""
        if answer.status != 200:
            raise _status_fault(answer)
        text = unpack(
            answer.body,
            encoding=answer.headers.get("content-encoding", ""),
            member=self.member,
            max_bytes=self.route.max_bytes,
            about=str(answer.url),
        )
        if reason := not_a_list(
            text, layout=self.layout, content_type=answer.headers.get("content-type", "")
        ):
            raise NotAList(f"{answer.url}: {reason}")
        if holds_nothing(text, layout=self.layout):
            raise NothingListed(f"{answer.url}: the list came, and it holds no entry")
        return text

    def _version(self, answer: Answer, text: bytes) -> Version:
        etag, modified = (answer.headers.get(name, "") for name in ("etag", "last-modified"))
        return Version(
            asked=self._asked(),
            digest=hashlib.sha256(text).hexdigest(),
            etag=etag if len(etag) <= _LONGEST_VALIDATOR else "",
            modified=modified if len(modified) <= _LONGEST_VALIDATOR else "",
        )

    def _asked(self) -> str:
        """Return a digest of the settings that decide which list it is and how it is read."""
        what = (str(self.url.origin), self.url.target, self.member, self.layout)
        return hashlib.sha256(repr(what).encode()).hexdigest()[:16]


def _redirected(answer: Answer) -> Url:
    """Return where a redirect leads; raise `RedirectRefused` where it is not followed."""
    location = answer.headers.get("location", "")
    try:
        url = answer.url.joined(location)
    except BadUrl as error:
        raise RedirectRefused(f"{answer.url}: the URL it redirects to {error}") from error
    if answer.url.is_encrypted and not url.is_encrypted:
        raise RedirectRefused(f"{answer.url}: it redirects to {url}, which is not encrypted")
    return url


def _status_fault(answer: Answer) -> HttpFault:
    message = f"{answer.url}: {answer.server} answered {answer.status}"
    if wait := answer.headers.get("retry-after", ""):
        message += f", Retry-After: {wait[:40]!r}"
    if answer.status == _NOT_MODIFIED:
        return UnaskedNotModified(message)
    if answer.status in _FAULTS:
        return _FAULTS[answer.status](message)
    return ServerFailed(message) if answer.status >= 500 else OtherStatus(message)
