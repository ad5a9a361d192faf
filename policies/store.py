"""Sets and feeds at rest: immutable files named by the digest of what is in them.

A set, like the entries and the ledger of a list, is `<2 digits>/<sha256>` in the storage "sets",
read by memory map where the storage has paths. A feed is `<sha256>.txt` with `.txt.gz` and
`.txt.md5` beside it in the storage "feeds".
Writing the same content twice writes nothing, and mends a file that was damaged.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import mmap
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from isal import igzip

from netsets.cidr import AddressSet
from netsets.codec import Buffer, decode, encode
from policies.storage import DurableFileSystemStorage

MD5_SIZE = 33  # 32 digits and a newline


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredFeed:
    """A feed's file and its numbers."""

    digest: str
    md5: str
    size: int
    gzip_size: int
    lines: int


def set_digest(addresses: AddressSet) -> str:
    """Return the digest that `put_set` would store a set under."""
    return hashlib.sha256(encode(addresses)).hexdigest()


def put_set(addresses: AddressSet) -> str:
    """Store a set and return its digest; raises OSError when it cannot be written."""
    return put_blob(encode(addresses))


def get_set(digest: str) -> AddressSet:
    """Return the set stored under `digest`; its arrays lie in a memory map.

    Raises OSError when it is not there, ValueError when it is damaged.
    """
    return decode(get_blob(digest))


def map_set(digest: str) -> AddressSet:
    """Return a stored set for a search: what is not searched is not read, nor checked.

    Raises OSError when it is not there, ValueError when it is no set.
    """
    return decode(get_blob(digest), verify=False)


def put_blob(content: bytes) -> str:
    """Store bytes beside the sets and return their digest; raises OSError."""
    digest = hashlib.sha256(content).hexdigest()
    _put(storages["sets"], _set_name(digest), content)
    return digest


def get_blob(digest: str) -> Buffer:
    """Return the bytes stored under `digest`, by memory map where the storage has paths.

    Raises OSError when they are not there.
    """
    with storages["sets"].open(_set_name(digest)) as file:
        if not hasattr(file, "fileno"):
            content: bytes = file.read()
            return content
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def stored_file(digest: str) -> Path | bytes:
    """Return where a stored set lies on this machine, or its bytes where the storage has no paths.

    Raises OSError when it is not there.
    """
    storage = storages["sets"]
    if isinstance(storage, DurableFileSystemStorage):
        return Path(storage.path(_set_name(digest)))
    return bytes(get_blob(digest))


def is_stored(digest: str) -> bool:
    """Return whether a file lies under `digest`; whether it is whole is told when it is read."""
    return bool(digest) and storages["sets"].exists(_set_name(digest))


def mark_wanted(*digests: str) -> None:
    """Keep files from a prune for an hour, until a row names them; "" and a lost one are no matter.

    Whoever marks first and reads then has the file, or is told that it is not there.
    """
    storage = storages["sets"]
    if isinstance(storage, DurableFileSystemStorage):
        for digest in filter(None, digests):
            storage.touch(_set_name(digest))


def get_set_if_whole(digest: str, *, of: str) -> AddressSet:
    """Return the set stored under `digest`; the empty set where there is none or its file is lost.

    For counting what changed only: `of` names the list in the warning.
    """
    if not digest:
        return AddressSet.empty()
    try:
        return get_set(digest)
    except (OSError, ValueError) as error:
        log.warning("the list held of %s cannot be read, all counts as new: %s", of, error)
        return AddressSet.empty()


def put_feed(body: bytes) -> StoredFeed:
    """Store a feed's body, its gzip and its MD5; raises OSError when one cannot be written.

    The body is written last: where it is, the other two are.
    """
    digest = hashlib.sha256(body).hexdigest()
    # RFC 1321 is what the firewalls ask for; it guards against broken transfers, not attackers.
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    storage = storages["feeds"]
    compressed = _compressed(storage, f"{digest}.txt.gz", body)
    _put(storage, f"{digest}.txt.md5", f"{md5}\n".encode("ascii"))
    _put(storage, f"{digest}.txt.gz", compressed)
    _put(storage, f"{digest}.txt", body)
    return StoredFeed(digest, md5, len(body), len(compressed), body.count(b"\n"))


def feed_path(digest: str, suffix: str) -> Path:
    """Return where the file of a feed lies on this machine."""
    return Path(storages["feeds"].path(f"{digest}{suffix}"))


def feed_is_whole(digest: str, *, size: int, gzip_size: int) -> bool:
    """Return whether the files of a feed are there, each with its length."""
    lengths = {".txt": size, ".txt.gz": gzip_size, ".txt.md5": MD5_SIZE}
    storage = storages["feeds"]
    try:
        return all(storage.size(f"{digest}{end}") == length for end, length in lengths.items())
    except FileNotFoundError:
        return False


def prune_sets(*, keep: set[str], before: datetime) -> int:
    """Delete the sets that are not in `keep` and older than `before`; return how many."""
    storage = storages["sets"]
    names = (
        f"{folder}/{name}"
        for folder in _listed(storage, "")[0]
        for name in _listed(storage, folder)[1]
    )
    return _prune(storage, (name for name in names if name.partition("/")[2] not in keep), before)


def prune_feeds(*, keep: set[str], before: datetime) -> int:
    """Delete the files of feeds that are not in `keep` and older than `before`; return how many."""
    storage = storages["feeds"]
    names = (name for name in _listed(storage, "")[1] if name.partition(".")[0] not in keep)
    return _prune(storage, names, before)


def _prune(storage: Storage, names: Iterable[str], before: datetime) -> int:
    """Delete the files that are older than `before`; return how many.

    A publish under way has written, or marked as wanted, files that no row names yet: they are
    young. So each age is asked at the last moment, and a file of a writer may be gone by then.
    """
    deleted = 0
    for name in names:
        try:
            if storage.get_modified_time(name) < before:
                storage.delete(name)
                deleted += 1
        except FileNotFoundError:
            continue
    return deleted


def _listed(storage: Storage, folder: str) -> tuple[list[str], list[str]]:
    try:
        return storage.listdir(folder)
    except FileNotFoundError:
        return [], []


def _set_name(digest: str) -> str:
    return f"{digest[:2]}/{digest}"


def _compressed(storage: Storage, name: str, body: bytes) -> bytes:
    """Return the gzip of a feed: the one at hand, whose length rows tell already, if it is good.

    Another version of the library may make another one of the same body.
    """
    held = _read(storage, name)
    try:
        if held and gzip.decompress(held) == body:
            return held
    except (OSError, EOFError, zlib.error):
        pass
    compressed: bytes = igzip.compress(body, compresslevel=1, mtime=0)
    return compressed


def _put(storage: Storage, name: str, content: bytes) -> None:
    there = isinstance(storage, DurableFileSystemStorage) and storage.touch(name)
    if there and _read(storage, name) == content:
        return
    storage.save(name, ContentFile(content))


def _read(storage: Storage, name: str) -> bytes | None:
    """Return what a file holds; None where it cannot be read."""
    try:
        with storage.open(name) as file:
            content: bytes = file.read()
            return content
    except OSError:
        return None
