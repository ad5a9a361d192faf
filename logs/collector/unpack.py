"""A body as it comes, held against what was announced of it, in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Protocol

from isal import isal_zlib

from logs.collector.request import Announced, Declined
from logs.spool.packed import DAMAGED, GZIP_WINDOW

_READ = 1 << 16  # bytes of a body at once
_STEP = 1 << 20  # bytes of text at once, however much a few bytes unpack to


class Body(Protocol):
    """What a WSGI server gives as `wsgi.input`."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, b"" at the end."""
        ...


def checked_blocks(body: Body, announced: Announced) -> Iterator[bytes]:
    """Give the body as it was sent, block by block; at its end all of it was what was announced.

    Raises Declined at the first byte that shows that it is not.
    """
    sent = hashlib.sha256()
    text = _Text(announced)
    left = announced.body_bytes
    while left:
        block = _read(body, min(left, _READ))
        if not block:
            got = announced.body_bytes - left
            raise _declined(f"the body ended after {got:,} of {announced.body_bytes:,} bytes")
        left -= len(block)
        sent.update(block)
        text.add(block)
        yield block
    if sent.digest() != announced.body_sha256:
        raise _declined("the body's SHA-256 is not that of Content-Digest")
    text.end()


class _Text:
    """Unpacks a gzip of one member, counts and hashes what is in it, and keeps none of it."""

    def __init__(self, announced: Announced) -> None:
        self._announced = announced
        self._gzip = isal_zlib.decompressobj(wbits=GZIP_WINDOW)
        self._hash = hashlib.sha256()
        self._bytes = 0
        self._lines = 0

    def add(self, block: bytes) -> None:
        """Take the next bytes of the gzip. Raises Declined."""
        while block:
            if self._gzip.eof:
                raise _declined("something follows the end of the gzip")
            block = self._step(block)

    def end(self) -> None:
        """Look whether all of it was there. Raises Declined."""
        if not self._gzip.eof:
            raise _declined("the gzip ends before its end")
        if self._bytes != self._announced.text_bytes:
            raise _declined(f"it unpacks to {self._bytes:,} bytes, TSCM-Bytes says otherwise")
        if self._lines != self._announced.lines:
            raise _declined(f"it unpacks to {self._lines:,} lines, TSCM-Lines says otherwise")
        if self._hash.digest() != self._announced.text_sha256:
            raise _declined("the text's SHA-256 is not that of TSCM-Digest")

    def _step(self, block: bytes) -> bytes:
        """Unpack as much as may be at once, and return what is left of the block."""
        try:
            self._count(self._gzip.decompress(block, _STEP))
        except DAMAGED as error:
            raise _declined(f"the gzip cannot be read ({error})") from error
        return self._gzip.unused_data or self._gzip.unconsumed_tail

    def _count(self, text: bytes) -> None:
        self._bytes += len(text)
        if self._bytes > self._announced.text_bytes:
            raise _declined("it unpacks to more bytes than TSCM-Bytes says")
        self._lines += text.count(b"\n")
        self._hash.update(text)


def _read(body: Body, size: int) -> bytes:
    try:
        return body.read(size)
    except OSError as error:
        raise _declined(f"the connection broke ({error})") from error


def _declined(reason: str) -> Declined:
    return Declined("400 Bad Request", reason)
