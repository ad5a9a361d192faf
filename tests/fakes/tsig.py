"""Keys that a fake server and a test's settings share."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import dns.tsig


@dataclass(frozen=True, slots=True)
class TsigKey:
    """A key of zone transfers, as servers and settings write it."""

    name: str = "transfer-key"
    algorithm: str = "hmac-sha256"
    secret: str = base64.b64encode(b"a secret of thirty-two bytes, ok").decode()

    @property
    def settings(self) -> dict[str, Any]:
        """The key as a source's settings have it."""
        return {
            "key_name": self.name,
            "key_algorithm": self.algorithm,
            "key_secret": self.secret,
        }

    @property
    def key(self) -> dns.tsig.Key:
        """The key as dnspython has it."""
        algorithm = {"hmac-md5": dns.tsig.HMAC_MD5}.get(self.algorithm, self.algorithm)
        return dns.tsig.Key(self.name, self.secret, algorithm)
