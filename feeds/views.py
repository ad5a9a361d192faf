"""The block and allow feeds of the devices, how this server does, and nothing else.

Spoken straight to the server, as whitenoise speaks its files, not through Django's handler: that
took 170 of 400 microseconds a request, measured on two threaded workers, and with it a 304 came
2,400 to 3,900 times a second instead of 5,100 to 5,800. What it would add (middleware, cookies,
redirects, a look at the Host header, error pages) must not be here anyhow: a firewall may use any
name or address for this machine, while the console's ALLOWED_HOSTS stays strict.

Not offered: ranges. A Range header is ignored and the whole file answers, as RFC 9110 allows.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from django.db import close_old_connections
from django.utils import timezone

from devices.kinds.rules import DEVICE_ID
from devices.services import PublishedDevice, PullRecord, published_device, record_pulls
from feeds.body import Damaged, SentFile
from feeds.health import remembered
from feeds.lookup import Address, DatabaseAway, Lookup, ServedDevice, ServedFile, Variant
from feeds.negotiate import accepts_gzip, is_held
from feeds.recorder import Recorder
from policies.store import feed_path
from policies.watchers import is_passed_on, is_watcher

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

RETRY_SECONDS = 30
# \Z, not $: that one would let a newline follow.
_PATH = re.compile(
    rf"/(?P<device_id>{DEVICE_ID.pattern})/(?P<file>threatstop-(?:block|allow)\.txt(?:\.md5)?)\Z"
)
_TYPE = ("Content-Type", "text/plain; charset=us-ascii")
_NOT_KEPT = ("Cache-Control", "no-store")
# A firewall passes over these; a browser takes none of it for a page, wherever it is shown.
_PLAIN = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
)
_AGENT_LENGTH = 200


def _find(device_id: str) -> PublishedDevice | None:
    close_old_connections()  # Django's handler would do it between requests
    return published_device(device_id)


lookup = Lookup(find=_find)
recorder = Recorder(write=lambda records: record_pulls(records=records))
readiness = remembered(held=lambda: lookup.known)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server is to send."""

    status: str
    headers: list[tuple[str, str]]
    body: Iterable[bytes] = ()


@dataclass(frozen=True, slots=True)
class Pull:
    """One request of a known device, to be recorded when its end is known."""

    device: ServedDevice
    at: datetime
    client: Address
    agent: str
    file: str
    method: str
    snapshot_number: int | None

    def record(self, *, status: int, sent: int = 0, is_complete: bool = True) -> None:
        """Queue the record of how it ended."""
        recorder.add(
            PullRecord(
                device_pk=self.device.pk,
                at=self.at,
                client=str(self.client),
                agent=self.agent,
                file=self.file,
                method=self.method,
                status=status,
                snapshot_number=self.snapshot_number,
                sent=sent,
                is_complete=is_complete,
            )
        )


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request. What breaks on the way is a 503: a firewall then keeps what it has."""
    try:
        answer = _answer(environ)
    except Exception:
        log.exception("%s could not be answered", environ.get("PATH_INFO"))
        answer = unavailable()
    start_response(answer.status, [*answer.headers, *_PLAIN])
    return () if environ["REQUEST_METHOD"] == "HEAD" else answer.body


def nothing() -> Answer:
    """There is nothing here; nor is there a word about what there could be."""
    return _line("404 Not Found", "not found")


def not_allowed() -> Answer:
    """Feeds are read, nothing else."""
    return _line(
        "405 Method Not Allowed", "only GET and HEAD are answered here", ("Allow", "GET, HEAD")
    )


def unavailable() -> Answer:
    """Not now. Never an error page with 200: a firewall would take it for the list."""
    retry = ("Retry-After", str(RETRY_SECONDS))
    return _line("503 Service Unavailable", "not available, try again", retry)


def _answer(environ: WSGIEnvironment) -> Answer:
    if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
        return not_allowed()
    asked = _PATH.match(environ["PATH_INFO"])
    if asked is None:
        probe = _PROBES.get(environ["PATH_INFO"])
        return nothing() if probe is None else probe(environ)
    try:
        device = lookup.get(asked["device_id"])
    except DatabaseAway:
        return unavailable()
    if device is None:
        return nothing()
    return _feed(environ, device, asked["file"])


def healthz(_environ: WSGIEnvironment) -> Answer:
    """Say that this process answers; nothing else is looked at."""
    return _line("200 OK", "alive", _NOT_KEPT)


def readyz(environ: WSGIEnvironment) -> Answer:
    """Say whether feeds can be served; to monitoring also why not."""
    report = readiness.get()
    client = "" if is_passed_on(environ) else str(_address(environ["REMOTE_ADDR"]))
    body = report.body(with_parts=is_watcher(environ, client=client))
    status = "200 OK" if report.status == 200 else "503 Service Unavailable"
    length = ("Content-Length", str(len(body)))
    return Answer(status, [("Content-Type", "application/json"), length, _NOT_KEPT], (body,))


_PROBES: dict[str, Callable[[WSGIEnvironment], Answer]] = {"/healthz": healthz, "/readyz": readyz}


def _feed(environ: WSGIEnvironment, device: ServedDevice, file: str) -> Answer:
    """Answer GET and HEAD of one file of a device."""
    client = _address(environ["REMOTE_ADDR"])
    served = device.files.get(file)
    pull = Pull(
        device=device,
        at=timezone.now(),
        client=client,
        agent=_agent(environ.get("HTTP_USER_AGENT", "")),
        file=file,
        method=environ["REQUEST_METHOD"],
        snapshot_number=served.snapshot_number if served is not None else None,
    )
    if not device.admits(client):
        pull.record(status=404)
        return nothing()
    if served is None:
        pull.record(status=503)
        return unavailable()
    gzip = served.gzip if accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")) else None
    variant = gzip or served.plain
    if is_held(
        etag=variant.etag,
        last_modified=variant.last_modified,
        none_match=environ.get("HTTP_IF_NONE_MATCH", ""),
        modified_since=environ.get("HTTP_IF_MODIFIED_SINCE", ""),
    ):
        pull.record(status=304)
        return Answer("304 Not Modified", _validators(served, variant))
    return _whole(environ, pull, served, variant)


def _whole(environ: WSGIEnvironment, pull: Pull, served: ServedFile, variant: Variant) -> Answer:
    """Answer with the file, or for HEAD with all but the file."""
    try:
        file = SentFile(feed_path(variant.digest, variant.suffix), size=variant.size)
    except (OSError, Damaged) as error:
        log.error("snapshot %d cannot be served: %s", served.snapshot_number, error)  # noqa: TRY400
        pull.record(status=503)
        return unavailable()
    headers = [_TYPE, *_validators(served, variant), ("Content-Length", str(variant.size))]
    if variant.encoding:
        headers.append(("Content-Encoding", variant.encoding))
    if pull.method == "HEAD":
        file.close()
        pull.record(status=200)
        return Answer("200 OK", headers)
    file.on_close = lambda file: pull.record(
        status=200, sent=file.sent, is_complete=file.is_complete
    )
    return Answer("200 OK", headers, environ["wsgi.file_wrapper"](file))


def _validators(served: ServedFile, variant: Variant) -> list[tuple[str, str]]:
    headers = [("ETag", variant.etag), ("Last-Modified", variant.last_modified)]
    if served.gzip is not None:
        headers.append(("Vary", "Accept-Encoding"))
    return headers


def _line(status: str, text: str, *more: tuple[str, str]) -> Answer:
    body = f"{text}\n".encode("ascii")
    return Answer(status, [_TYPE, ("Content-Length", str(len(body))), *more], (body,))


@lru_cache(maxsize=1024)
def _address(text: str) -> Address:
    """Return the client's address: an IPv4 one as such, also where an IPv6 socket brought it."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=1024)
def _agent(text: str) -> str:
    """Return a User-Agent that can be shown and stored."""
    return "".join(sign for sign in text[:_AGENT_LENGTH] if sign.isprintable())
