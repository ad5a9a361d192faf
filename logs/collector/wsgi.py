"""The collector as a WSGI application: one path, one verb, and a short word to who looks in."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

from logs.collector.request import Announced, Declined, read_head
from logs.collector.store import Kept, Store
from logs.collector.unpack import Body, checked_blocks
from logs.spool.packed import digest_field

PATH = "/upload"

_logger = logging.getLogger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


def application(folder: str | Path) -> Application:
    """Return the collector that keeps what it receives in `folder`."""
    store = Store(Path(folder))
    store.folder.mkdir(parents=True, exist_ok=True)

    def collector(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            headers, answer = _answer(store, environ)
            status = "200 OK"
        except Declined as declined:
            status, answer = declined.status, {"error": str(declined)}
            headers = [("Allow", "POST")] if status.startswith("405") else []
        except OSError:
            # The sender tries again; whoever runs the collector finds out why in its log.
            _logger.exception("collector: a batch could not be kept")
            status, headers, answer = "500 Internal Server Error", [], {"error": "see the log"}
        body = (json.dumps(answer) + "\n").encode()
        fixed = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(status, [*fixed, *headers])
        return [body]

    return collector


def _answer(store: Store, environ: Environ) -> tuple[list[tuple[str, str]], dict[str, object]]:
    """Return headers and body of the answer to a request that is in order. Raises Declined."""
    method, path = environ.get("REQUEST_METHOD"), environ.get("PATH_INFO")
    if method in {"GET", "HEAD"} and path == "/":
        return [], {"service": "TSCM log collector", "upload": PATH}
    if path != PATH:
        raise Declined("404 Not Found", f"there is nothing here; batches are taken at {PATH}")
    if method != "POST":
        raise Declined("405 Method Not Allowed", "batches are sent by POST")
    announced = read_head(environ)
    body = cast(Body, environ["wsgi.input"])
    kept = store.keep(announced, checked_blocks(body, announced))
    return _receipt(announced, kept, store.sequence(announced.device_id).missing)


def _receipt(
    announced: Announced, kept: Kept, missing: str
) -> tuple[list[tuple[str, str]], dict[str, object]]:
    digest = digest_field(announced.body_sha256)
    headers = [
        ("TSCM-Received-Bytes", str(announced.body_bytes)),
        ("TSCM-Received-Digest", digest),
        ("TSCM-Duplicate", "yes" if kept == "again" else "no"),
    ]
    return headers, {
        "device": announced.device_id,
        "batch": announced.number,
        "bytes": announced.body_bytes,
        "digest": digest,
        "lines": announced.lines,
        "duplicate": kept == "again",
        "missing": missing,
    }
