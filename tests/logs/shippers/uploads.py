"""Uploads in the tests: how they are set up and asked for."""

from __future__ import annotations

import base64
import hashlib
import ssl
from pathlib import Path

import trustme

from logs.shippers.base import Batch, Receipt
from logs.shippers.upload import Uploader
from policies.sources.base import Deadline
from tests.fakes.logservice import Conversation

AUTHORITY = trustme.CA()


def server_tls(*names: str, **options: object) -> ssl.SSLContext:
    """Return what a server with a certificate of our authority speaks TLS by."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate = AUTHORITY.issue_cert(*(names or ("127.0.0.1",)), **options)  # type: ignore[arg-type]
    certificate.configure_cert(context)
    return context


def ca_file(folder: Path) -> Path:
    """Return a file with our authority."""
    path = folder / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return path


def upload(
    batch: Batch, url: str, *, seconds: float = 20.0, ca: Path | None = None, **proxy: str
) -> Receipt:
    """Upload the batch once, trusting our authority."""
    if url.startswith("https:") and ca is None:
        ca = ca_file(batch.place.folder)
    uploader = Uploader.from_settings(url=url, ca_file=ca, **proxy)
    return uploader.ship(batch, deadline=Deadline.after(seconds))


def take(conversation: Conversation) -> None:
    """Take an upload whole, and acknowledge it as our collector does."""
    conversation.read_head()
    conversation.read_body()
    digest = base64.b64encode(hashlib.sha256(conversation.body).digest()).decode()
    conversation.answer(
        "200 OK",
        f"TSCM-Received-Bytes: {len(conversation.body)}",
        f"TSCM-Received-Digest: sha-256=:{digest}:",
    )
