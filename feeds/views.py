"""The block and allow feeds of the devices, and nothing else.

Not offered: ranges. A Range header is ignored and the whole file answers, as RFC 9110 allows.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import resolve
from django.utils import timezone

from devices.services import PullRecord, published_device, record_pulls
from feeds.body import Damaged, FeedResponse, SentFile
from feeds.lookup import Address, DatabaseAway, Lookup, ServedDevice, ServedFile, Variant
from feeds.negotiate import accepts_gzip, is_held
from feeds.recorder import Recorder
from policies.store import feed_path

log = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; charset=us-ascii"
RETRY_SECONDS = 30
_AGENT_LENGTH = 200

View = Callable[..., HttpResponseBase]

lookup = Lookup(find=published_device)
recorder = Recorder(write=lambda records: record_pulls(records=records))


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


def answer(request: HttpRequest) -> HttpResponseBase:
    """Answer any request. What breaks on the way is a 503: a firewall then keeps what it has."""
    try:
        match = resolve(request.path_info, "feeds.urls")
        view: View = match.func
        return view(request, **match.kwargs)
    except Exception:
        log.exception("%s %s could not be answered", request.method, request.path)
        return unavailable(request)


def feed(request: HttpRequest, *, device_id: str, file: str) -> HttpResponseBase:
    """Answer GET and HEAD of one file of a device."""
    if request.method not in {"GET", "HEAD"}:
        return not_allowed(request)
    try:
        device = lookup.get(device_id)
    except DatabaseAway:
        return unavailable(request)
    if device is None:
        return nothing(request)
    client = _address(request.META["REMOTE_ADDR"])
    served = device.files.get(file)
    pull = Pull(
        device=device,
        at=timezone.now(),
        client=client,
        agent=_agent(request.META.get("HTTP_USER_AGENT", "")),
        file=file,
        method=request.method,
        snapshot_number=served.snapshot_number if served is not None else None,
    )
    if not device.admits(client):
        pull.record(status=404)
        return nothing(request)
    if served is None:
        pull.record(status=503)
        return unavailable(request)
    return _answer(request, pull, served)


def nothing(request: HttpRequest) -> HttpResponse:
    """There is nothing here; nor is there a word about what there could be."""
    return _line(request, "not found", status=404)


def not_allowed(request: HttpRequest) -> HttpResponse:
    """Feeds are read, nothing else."""
    return _line(request, "only GET and HEAD are answered here", status=405, Allow="GET, HEAD")


def unavailable(request: HttpRequest) -> HttpResponse:
    """Not now. Never an error page with 200: a firewall would take it for the list."""
    return _line(
        request, "not available, try again", status=503, **{"Retry-After": str(RETRY_SECONDS)}
    )


def _answer(request: HttpRequest, pull: Pull, served: ServedFile) -> HttpResponseBase:
    given = request.META.get
    gzip = served.gzip if accepts_gzip(given("HTTP_ACCEPT_ENCODING", "")) else None
    variant = gzip or served.plain
    if is_held(
        etag=variant.etag,
        last_modified=variant.last_modified,
        none_match=given("HTTP_IF_NONE_MATCH", ""),
        modified_since=given("HTTP_IF_MODIFIED_SINCE", ""),
    ):
        pull.record(status=304)
        return _described(HttpResponse(status=304), served, variant, is_held=True)
    try:
        file = SentFile(feed_path(variant.digest, variant.suffix), size=variant.size)
    except (OSError, Damaged) as error:
        log.error("snapshot %d cannot be served: %s", served.snapshot_number, error)  # noqa: TRY400
        pull.record(status=503)
        return unavailable(request)
    if request.method == "HEAD":
        file.close()
        pull.record(status=200)
        return _described(HttpResponse(content_type=CONTENT_TYPE), served, variant)
    file.on_close = lambda file: pull.record(
        status=200, sent=file.sent, is_complete=file.is_complete
    )
    return _described(FeedResponse(file, content_type=CONTENT_TYPE), served, variant)


def _described(
    answer: HttpResponseBase, served: ServedFile, variant: Variant, *, is_held: bool = False
) -> HttpResponseBase:
    """Give an answer the headers of what it carries, or would carry."""
    headers = answer.headers
    headers["ETag"] = variant.etag
    headers["Last-Modified"] = variant.last_modified
    if served.gzip is not None:
        headers["Vary"] = "Accept-Encoding"
    if is_held:
        del headers["Content-Type"]
        return answer
    headers["Content-Length"] = str(variant.size)
    if variant.encoding:
        headers["Content-Encoding"] = variant.encoding
    return answer


def _line(request: HttpRequest, text: str, *, status: int, **headers: str) -> HttpResponse:
    body = f"{text}\n".encode("ascii")
    return HttpResponse(
        b"" if request.method == "HEAD" else body,
        status=status,
        content_type=CONTENT_TYPE,
        headers={"Content-Length": str(len(body)), **headers},
    )


@lru_cache(maxsize=1024)
def _address(text: str) -> Address:
    """Return the client's address: an IPv4 one as such, also where an IPv6 socket brought it."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=1024)
def _agent(text: str) -> str:
    """Return a User-Agent that can be shown and stored."""
    return "".join(sign for sign in text[:_AGENT_LENGTH] if sign.isprintable())
