"""From retrieved bytes to sets of addresses: one function a format, all of them named here."""

from __future__ import annotations

from collections.abc import Callable

from policies.decoders.base import Decoded, DecodeError
from policies.decoders.dns_answers import decode_dns
from policies.decoders.text import decode_text
from policies.decoders.zone import decode_allow_zone, decode_block_zone
from policies.sources.base import Retrieved

DECODERS: dict[str, Callable[[Retrieved], Decoded]] = {
    "dns": decode_dns,
    "text": decode_text,
    "zone-allow": decode_allow_zone,
    "zone-block": decode_block_zone,
}


def decode(retrieved: Retrieved) -> Decoded:
    """Decode a list by its format; raise `DecodeError`, and never anything else."""
    decoder = DECODERS.get(retrieved.format)
    if decoder is None:
        known = ", ".join(sorted(DECODERS))
        raise DecodeError(f"no decoder reads {retrieved.format!r}; these are known: {known}")
    return decoder(retrieved)
