"""Closed batches to the log service: HTTPS POST, as docs/log-upload.md writes it down."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Self

import httpcore

from logs.shippers.base import Batch, OnProgress, Receipt, ShipperMisconfigured, Step
from logs.shippers.compress import Compressed, compress, verify_size
from logs.shippers.upload_answer import Answer, check
from logs.shippers.upload_connection import Door
from logs.shippers.upload_errors import (
    CopyFailed,
    CutShort,
    NotHttp,
    ProxyLoginRefused,
    ProxyRefused,
    ProxyUnreachable,
    TimedOut,
    UploadFault,
)
from logs.shippers.upload_settings import Proxy, read_ca, read_proxy, read_url
from logs.spool.packed import digest_field
from policies.sources.base import Deadline
from policies.sources.http_url import Url

DEFAULT_URL = "https://logs.threatstop.com:443/logupload.pl"
USER_AGENT = "TSCM log upload"

_CHUNK = 1 << 16
_ANSWER_MOST = 1 << 16  # bytes of an answer that are read
_PROXY_AGAIN = frozenset({"407", "408", "429"})


@dataclass(frozen=True, slots=True)
class Uploader:
    """The log service, and the way to it."""

    url: Url
    proxy: Proxy | None = None
    ca: str = ""  # PEM: authorities that are trusted beside the system's

    @classmethod
    def from_settings(
        cls,
        *,
        url: str = DEFAULT_URL,
        proxy: str = "",
        proxy_user: str = "",
        proxy_password: str = "",
        ca_file: Path | None = None,
    ) -> Self:
        """Build the uploader.

        Raises `ShipperMisconfigured` for a setting that cannot work, `AuthoritiesUnreadable`.
        """
        found = cls(
            url=read_url(url),
            proxy=read_proxy(proxy, proxy_user, proxy_password) if proxy else None,
            ca=read_ca(ca_file) if ca_file is not None else "",
        )
        if found.proxy is not None and not found.url.is_encrypted:
            raise ShipperMisconfigured("the upload URL must be https:// where a proxy is set")
        return found

    def ship(
        self, batch: Batch, *, deadline: Deadline, on_progress: OnProgress | None = None
    ) -> Receipt:
        """Compress the batch beside itself, send it whole and have it acknowledged.

        Each attempt opens the file anew. The compressed copy stays for the next attempt; after the
        last one `remove_compressed` takes it away. Raises an `UploadFault`.
        """
        tell = on_progress or _nothing
        began = time.monotonic()
        tell("verify")
        verify_size(batch)
        tell("process")
        packed = compress(batch, check=lambda: _in_time(batch, deadline))
        tell("send")
        tell("prepare")
        headers = self._headers(batch, packed)
        door = Door(has_proxy=self.proxy is not None, deadline=deadline)
        body = _Body(batch, packed, door)
        about = f"{batch} to {self.url}"
        with self._pool(door) as pool:
            tell("connect")
            answer = self._post(pool, headers, body, about)
        check(answer, about, handed=body.handed, total=packed.size, sha256=packed.sha256)
        tell("done")
        return Receipt(
            status=answer.status,
            message=str(answer),
            bytes_sent=body.handed,
            lines=batch.manifest.lines,
            seconds=time.monotonic() - began,
            was_duplicate=answer.is_duplicate,
        )

    def _headers(self, batch: Batch, packed: Compressed) -> list[tuple[str, str]]:
        manifest = batch.manifest
        return [
            ("Host", self.url.authority),
            ("User-Agent", USER_AGENT),
            ("Accept", "*/*"),
            ("Connection", "close"),
            ("Content-Type", "text/plain"),
            ("Content-Encoding", "gzip"),
            ("Content-Length", str(packed.size)),
            ("Content-Digest", digest_field(packed.sha256)),
            ("TSCM-Device", batch.device_id),
            ("TSCM-Batch", str(manifest.number)),
            ("TSCM-Lines", str(manifest.lines)),
            ("TSCM-Bytes", str(manifest.bytes)),
            ("TSCM-Digest", digest_field(bytes.fromhex(manifest.sha256))),
            ("TSCM-First", _moment(manifest.first_at)),
            ("TSCM-Last", _moment(manifest.last_at)),
        ]

    def _pool(self, door: Door) -> httpcore.ConnectionPool:
        proxy = None
        if self.proxy is not None:
            proxy = httpcore.Proxy(_for_httpcore(self.proxy.url, "/"), auth=self.proxy.login)
        return httpcore.ConnectionPool(
            ssl_context=self._context() if self.url.is_encrypted else None,
            proxy=proxy,
            network_backend=door,
        )

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.ca:
            context.load_verify_locations(cadata=self.ca)
        return context

    def _post(
        self,
        pool: httpcore.ConnectionPool,
        headers: list[tuple[str, str]],
        body: _Body,
        about: str,
    ) -> Answer:
        """Send head and body, and return the answer, whenever it comes; raise an `UploadFault`."""
        url = _for_httpcore(self.url, self.url.target)
        try:
            with pool.stream("POST", url, headers=headers, content=iter(body)) as response:
                return _read_answer(response)
        except httpcore.ProxyError as error:
            raise _proxy_fault(self.url, self.proxy, str(error)) from error
        except httpcore.RemoteProtocolError as error:
            ended = "disconnected" in str(error) or "closed connection" in str(error)
            fault = CutShort if ended else NotHttp
            reason = str(error).removesuffix(".")
            raise fault(f"uploading {about}: {reason} ({body.progress()})") from error
        except httpcore.WriteError as error:
            raise CutShort(f"connecting to {self.url}: the connection broke ({error})") from error


class _Body:
    """A compressed batch, opened anew for each attempt, and how much of it was handed over."""

    def __init__(self, batch: Batch, packed: Compressed, door: Door) -> None:
        self.handed = 0
        self._batch = batch
        self._packed = packed
        self._door = door

    def __iter__(self) -> Iterator[bytes]:
        """Give it chunk by chunk, until it is whole or an answer is there before that."""
        try:
            with self._packed.path.open("rb", buffering=0) as file:
                while left := self._packed.size - self.handed:
                    chunk = _read(file, min(_CHUNK, left))
                    if self._door.has_answer():
                        # At this httpcore goes on to read the answer.
                        raise httpcore.WriteError("answered before the end")
                    yield chunk
                    self.handed += len(chunk)
        except OSError as error:
            reason = f"{self._packed.path}: {error.strerror or error}"
            raise CopyFailed(f"sending {self._batch}: {reason}") from error

    def progress(self) -> str:
        """Return how far it came, for a message."""
        return f"{self.handed:,} of {self._packed.size:,} bytes were sent"


def _read(file: FileIO, most: int) -> bytes:
    """Return the next bytes of a file that is not at its end. Raises OSError."""
    if chunk := file.read(most):
        return chunk
    raise OSError("it became shorter while it was sent")


def _read_answer(response: httpcore.Response) -> Answer:
    """Read the answer, and of its body as much as a message needs."""
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > _ANSWER_MOST:
            break
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
    }
    reason = response.extensions.get("reason_phrase", b"").decode("latin-1")
    return Answer(
        response.status, "".join(filter(str.isprintable, reason))[:60], headers, bytes(body)
    )


def _proxy_fault(url: Url, proxy: Proxy | None, answer: str) -> UploadFault:
    """Return what it means that the proxy answered CONNECT with this status and reason."""
    status = answer[:3]
    named = f"the proxy {proxy.url.origin}" if proxy is not None else "the proxy"
    message = f"connecting to {url}: {named} answered {answer}".rstrip()
    if status == "407":
        is_known = proxy is not None and proxy.login is not None
        does = "refused the login" if is_known else "wants a login"
        return ProxyLoginRefused(f"{message}: the proxy {does}")
    if status.startswith("5") or status in _PROXY_AGAIN:
        return ProxyUnreachable(message)
    return ProxyRefused(message)


def _for_httpcore(url: Url, target: str) -> httpcore.URL:
    # Brackets and all: httpcore puts the host as it is into what it says to a proxy.
    host = f"[{url.host}]" if ":" in url.host else url.host
    return httpcore.URL(scheme=url.scheme, host=host, port=url.port, target=target)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _in_time(batch: Batch, deadline: Deadline) -> None:
    if not deadline.remaining():
        raise TimedOut(f"compressing {batch}: no time was left to send it")


def _nothing(_step: Step) -> None:
    """Tell nobody."""
