"""Keep a retrieved list: its set, its entries as written, and when each was seen."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from netsets.diff import diff
from netsets.entries import Entries, from_prefixes
from netsets.entries_codec import decode_ledger, encode_entries, encode_ledger
from netsets.ledger import Ledger, advance
from policies.decoders.base import Decoded
from policies.models import Source
from policies.sources.base import Retrieved, SourceRefused, SourceUnavailable
from policies.store import get_blob, get_set_if_whole, is_stored, put_blob, put_set

log = logging.getLogger(__name__)

# An entry that has left a list is remembered for so long: 400 days, in minutes.
FORGOTTEN_AFTER = 400 * 24 * 60
# Below this many prefixes a list may lose any part of itself: three entries less one is no fault.
SHRINK_FLOOR = 10


class ListNotStored(SourceUnavailable):
    """A list came and could not be kept; there may be room for it later."""


class ShrankTooFar(SourceRefused):
    """A list lost more than its limit; a person may let that pass once."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored list beside the one held before."""

    list_digest: str
    entries_digest: str
    ledger_digest: str
    payload_digest: str
    prefixes: int
    added: int
    removed: int


def keep_list(
    source: Source, retrieved: Retrieved, decoded: Decoded, *, now: datetime, accept_change: bool
) -> Kept:
    """Store a list unless it lost more than the source may lose at once.

    Raises ShrankTooFar, or ListNotStored where a file cannot be written; then nothing is changed.
    """
    prefixes = len(decoded.addresses.prefixes())
    if not accept_change:
        _check_shrink(source, prefixes)
    listed = decoded.listed
    if listed is None:  # a kind that has no entries of its own, such as an empty answer
        listed = from_prefixes(decoded.addresses.prefixes())
    try:
        list_digest = put_set(decoded.addresses)
        entries_digest = put_blob(encode_entries(listed))
        ledger_digest = _keep_ledger(source, listed, entries_digest, now=now)
        payload_digest = put_blob(retrieved.keep) if retrieved.keep else ""
    except OSError as error:
        raise ListNotStored(
            f"{source.name} was retrieved but its list could not be stored "
            f"({error.strerror or error}). The last good list stays in force. Make room on the "
            f"disk of the data folder; the next try follows by itself."
        ) from error
    files = (list_digest, entries_digest, ledger_digest, payload_digest)
    if list_digest == source.list_digest:
        return Kept(*files, prefixes, 0, 0)
    held = get_set_if_whole(source.list_digest, of=source.name)
    difference = diff(held, decoded.addresses)
    return Kept(*files, prefixes, difference.added.count, difference.removed.count)


def _keep_ledger(source: Source, listed: Entries, entries_digest: str, *, now: datetime) -> str:
    """Store when each entry was seen first and last; raises OSError."""
    if entries_digest == source.entries_digest and is_stored(source.ledger_digest):
        return source.ledger_digest
    tick = minutes(now)
    advanced = advance(_ledger(source), listed, tick=tick, forget_before=tick - FORGOTTEN_AFTER)
    return put_blob(encode_ledger(advanced, get_blob(entries_digest)))


def _ledger(source: Source) -> Ledger:
    """Return when the entries of a source were seen; an empty ledger where either file is lost."""
    if not source.ledger_digest:
        return Ledger.empty()
    try:
        return decode_ledger(get_blob(source.ledger_digest), get_blob(source.entries_digest))
    except (OSError, ValueError) as error:
        log.warning("the ledger of %s cannot be read, all counts as new: %s", source.name, error)
        return Ledger.empty()


def minutes(moment: datetime) -> int:
    """Return a moment as a ledger tells it: whole minutes since 1970."""
    return int(moment.timestamp() // 60)


def _check_shrink(source: Source, prefixes: int) -> None:
    least = source.list_prefixes * (100 - source.shrink_limit) / 100
    if source.list_prefixes < SHRINK_FLOOR or prefixes >= least:
        return
    lost = 100 - 100 * prefixes / source.list_prefixes
    raise ShrankTooFar(
        f"{source.name} shrank from {source.list_prefixes} to {prefixes} prefixes "
        f"({lost:.1f} % less; its limit is {source.shrink_limit} %). The last good list stays "
        f"in force. If the change is meant, update once with 'accept change'."
    )
