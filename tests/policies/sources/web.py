"""Web lists in the tests: how they are asked for."""

from __future__ import annotations

import ssl

import trustme

from policies.sources.base import Deadline, Known, Retrieved
from policies.sources.http import HttpSource
from tests.fakes.webserver import WebServer


def source_at(server: WebServer, at: str = "/list.txt", **settings: object) -> HttpSource:
    """Return the source of a list on `server`, which is allowed though it is inside."""
    return HttpSource.from_settings(
        {"url": server.url(at), "allow_internal": ["127.0.0.1"], **settings}
    )


def retrieve(
    server: WebServer,
    at: str = "/list.txt",
    *,
    known: Retrieved | None = None,
    seconds: float = 10.0,
    **settings: object,
) -> Retrieved | None:
    """Retrieve the list; `known` is what an earlier retrieval brought."""
    held = None
    if known is not None:
        assert known.version is not None
        held = Known(known.version)
    source = source_at(server, at, **settings)
    return source.retrieve(known=held, deadline=Deadline.after(seconds))


def server_tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return what a server with this certificate speaks TLS by."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


def body_of(retrieved: Retrieved | None) -> bytes:
    """Return the text that came."""
    assert retrieved is not None
    return b"\n".join(retrieved.payload)
