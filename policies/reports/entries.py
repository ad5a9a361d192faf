"""The entries of a list that is kept."""

from __future__ import annotations

from netsets.entries import Entries, from_prefixes
from netsets.entries_codec import decode_entries
from policies.store import get_blob, map_set


def entries_of(digest: str, *, addresses: str) -> Entries:
    """Return the entries kept as `digest`; without one, the prefixes of the set `addresses`.

    Raises OSError and ValueError where the file cannot be read.
    """
    if digest:
        return decode_entries(get_blob(digest), verify=False).entries()
    return from_prefixes(map_set(addresses).prefixes())
