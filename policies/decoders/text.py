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
        text = entry_lines(b"\n".join(retrieved.payload), retrieved.layout)
    except DecodeError as error:
        raise DecodeError(f"{origin}: {error}") from error
    parsed = parse_text(text)
    decoded = Decoded(
        addresses=parsed.addresses,
        entries=parsed.entries,
        host_bits_cleared=parsed.host_bits_cleared,
        skipped=parsed.rejected,
        samples=parsed.samples,
    )
    return usable(decoded, origin=origin)
