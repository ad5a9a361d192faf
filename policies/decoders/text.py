"""Text that somebody wrote or a web server sent: one address, prefix or range a line."""

from __future__ import annotations

from netsets.parse import parse_text
from policies.decoders.base import Decoded
from policies.decoders.usable import usable
from policies.sources.base import Retrieved


def decode_text(retrieved: Retrieved) -> Decoded:
    """Decode a text list; raise `DecodeError` where it is none."""
    parsed = parse_text(b"\n".join(retrieved.payload))
    decoded = Decoded(
        addresses=parsed.addresses,
        entries=parsed.entries,
        host_bits_cleared=parsed.host_bits_cleared,
        skipped=parsed.rejected,
        listed=parsed.listed(),
    )
    return usable(decoded, origin=retrieved.server or "the text")
