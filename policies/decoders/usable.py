"""The last question to every decoded list: is this a list at all?"""

from __future__ import annotations

from policies.decoders.base import Decoded, DecodeError

# An error page or a file of another kind holds a few tokens that look like addresses by chance.
MAX_SKIPPED_SHARE = 0.5


def usable(decoded: Decoded, *, origin: str) -> Decoded:
    """Return `decoded`; raise `DecodeError` where too little of it is addresses."""
    skipped = sum(count for _, count in decoded.skipped)
    total = decoded.entries + skipped
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in decoded.skipped[:5])
    if not decoded.entries:
        raise DecodeError(
            f"{origin} holds no usable entry ({reasons or 'it is empty'}). Check what is there."
        )
    if skipped > MAX_SKIPPED_SHARE * total:
        raise DecodeError(
            f"{origin} is no list of addresses: {skipped:,} of {total:,} entries cannot be used "
            f"({reasons}). Check what is there."
        )
    if not decoded.addresses:
        raise DecodeError(f"{origin}: its negated entries leave no address. Check what is there.")
    return decoded
