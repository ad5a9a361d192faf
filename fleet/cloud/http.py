"""One request and its answer: through a checked door, bounded in time and size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpcore

from policies.sources.base import Deadline
from policies.sources.http_address import Allowed
from policies.sources.http_settings import Header, Tls
from policies.sources.http_transport import Door, for_httpcore
from policies.sources.http_url import Url

# What httpcore raises beside the faults of the door.
BROKEN = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a server that a person named, so that it may be inside the network."""

    method: str
    url: Url
    headers: tuple[Header, ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; no redirect is followed."""

    status: int
    headers: Mapping[str, str]  # names in lower case; of a repeated one the last
    body: bytes  # cut at the bound


def ask(request: Request, *, tls: Tls, deadline: Deadline, max_bytes: int) -> Answer:
    """Ask once. Raises `HttpFault`, one of `BROKEN`, or `ssl.SSLError` for CAs that are none."""
    url = request.url
    allowed = Allowed(hosts=frozenset({url.host.lower()}))
    door = Door(allowed=allowed, proxy=None, deadline=deadline)
    context = tls.context(with_certificate=False) if url.is_encrypted else None
    headers: list[Header] = [(b"Host", url.authority.encode()), *request.headers]
    if request.method != "GET":
        headers.append((b"Content-Length", b"%d" % len(request.body)))
    target = for_httpcore(url, url.target)
    with (
        httpcore.ConnectionPool(ssl_context=context, network_backend=door) as pool,
        pool.stream(request.method, target, headers=headers, content=request.body) as answer,
    ):
        found = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in answer.headers
        }
        return Answer(answer.status, found, _body(answer.iter_stream(), max_bytes))


def _body(chunks: Iterable[bytes], max_bytes: int) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) >= max_bytes:
            break
    return bytes(body[:max_bytes])
