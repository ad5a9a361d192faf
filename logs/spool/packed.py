"""A batch packed for the way: what both ends of an upload hold it against."""

from __future__ import annotations

import base64
from typing import cast

from isal import isal_zlib

GZIP_WINDOW = 31  # a gzip header, and the widest window
# The wheel's stub has its error as an instance.
DAMAGED = cast(type[Exception], isal_zlib.error)
# What reading a file raises whose gzip is torn.
TORN = (OSError, EOFError, DAMAGED)


def digest_field(sha256: bytes) -> str:
    """Return a digest as RFC 9530 writes it."""
    return f"sha-256=:{base64.b64encode(sha256).decode()}:"
