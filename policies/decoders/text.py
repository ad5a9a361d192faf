"""Text that somebody wrote or a web server sent, in any of its layouts."""

from __future__ import annotations

from netsets.parse import parse_text
from policies.decoders.base import Decoded, DecodeError
from policies.decoders.layouts import entry_lines
from policies.decoders.usable import usable
from policies.sources.base import Retrieved


def decode_text(retrieved: Retrieved) -> Decoded:
    """Decode a text list; raise `DecodeError` where it is none."""
    origin = retrieved.server or "the text"
    try:
        # Each body has its own header or document; lines count on through all of them.
        text = b"\n".join(entry_lines(body, retrieved.layout) for body in retrieved.payload)
    except DecodeError as error:
        raise DecodeError(f"{origin}: {error}") from error
    parsed = parse_text(text)
    decoded = Decoded(
        addresses=parsed.addresses,
        entries=parsed.entries,
        host_bits_cleared=parsed.host_bits_cleared,
        skipped=parsed.rejected,
        listed=parsed.listed(),
        samples=parsed.samples,
    )
    return usable(decoded, origin=origin)
