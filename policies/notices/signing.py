"""Signatures of webhooks, as Standard Webhooks 1.0 describes them.

What is signed is `<id>.<timestamp>.<body>`, with HMAC-SHA256 and the secret's bytes; the header
holds `v1,<base64>`, once for each secret that is good: after a change both are for a while, so that
no receiver has to change at the same moment.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
_FEWEST, _MOST = 24, 64  # bytes of a secret


def new_secret() -> str:
    """Return a secret as it is shown and kept: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def key_of(secret: str) -> bytes:
    """Return the bytes of a secret; raises ValueError, which does not repeat it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not _FEWEST <= len(key) <= _MOST:
        raise ValueError(
            f"secret must be {PREFIX} and {_FEWEST} to {_MOST} bytes in base64"
        ) from None
    return key


def signatures(keys: Sequence[bytes], *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header Webhook-Signature."""
    signed = b"%b.%d.%b" % (message_id.encode("ascii"), timestamp, body)
    found = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode('ascii')}" for digest in found)
