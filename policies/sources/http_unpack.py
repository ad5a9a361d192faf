"""A body out of its gzip or zip, without ever holding more than the bound."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from fnmatch import fnmatchcase

from policies.sources.http_errors import BadArchive, CutShort, TooLarge

MAX_MEMBERS = 10_000  # of a zip: the list of its members is read whole

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_ZIP_ENTRY = b"PK\x01\x02"  # begins each line of a zip's list of members
_GZIP_WINDOW = 31  # for zlib: a gzip header, and the widest window
_PADDING = re.compile(rb"\0+")
_FIRST_STEP, _LAST_STEP = 1 << 9, 1 << 20  # bytes of a gzip that are taken at once
_ENCODINGS = {"": 0, "identity": 0, "gzip": 1, "x-gzip": 1}

# Others are read in blocks that zipfile does not bound.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1


def unpack(body: bytes, *, encoding: str, member: str, max_bytes: int, about: str) -> bytes:
    """Return the text in `body`, which came with this Content-Encoding.

    A `.gz` is opened as well, and of a zip one `member`. Raises `BadArchive`, `CutShort` or
    `TooLarge`, each beginning with `about`.
    """
    layers = _ENCODINGS.get(encoding.strip().lower())
    if layers is None:
        raise BadArchive(f"{about}: the body came as {encoding[:40]!r}, and gzip was asked for")
    if layers:
        body = _gunzip(body, max_bytes=max_bytes, about=about)
    if body.startswith(_GZIP):
        body = _gunzip(body, max_bytes=max_bytes, about=about)
    if body.startswith(_ZIP):
        return _unzip(body, member=member, max_bytes=max_bytes, about=about)
    if member:
        raise BadArchive(f"{about}: no zip came, so there is no member {member!r} in it")
    return body


def _gunzip(body: bytes, *, max_bytes: int, about: str) -> bytes:
    """Return what all members of a gzip hold."""
    text, place = bytearray(), 0
    while place < len(body):
        try:
            place = _inflate(body, place, text, most=max_bytes)
        except zlib.error as error:
            raise BadArchive(f"{about}: the gzip cannot be read ({error})") from error
        except EOFError as error:
            raise CutShort(f"{about}: the gzip ends before its end") from error
        if len(text) > max_bytes:
            raise TooLarge(f"{about}: the body unpacks to more than max_bytes ({max_bytes:,})")
    return bytes(text)


def _inflate(body: bytes, place: int, text: bytearray, *, most: int) -> int:
    """Add the member that begins at `place` to the text, and return where the next one begins.

    Stops beyond `most` bytes of text. Raises zlib.error and EOFError.
    """
    view, step = memoryview(body), _FIRST_STEP
    member = zlib.decompressobj(wbits=_GZIP_WINDOW)
    while not member.eof and len(text) <= most:
        part = view[place : place + step]
        if not part:
            raise EOFError
        # One byte over the bound tells a list of just that size from one that goes on.
        text += member.decompress(part, most + 1 - len(text))
        # What lies behind a member is copied: of millions of them never all the rest.
        place += len(part) - len(member.unused_data)
        step = min(2 * step, _LAST_STEP)
    padding = _PADDING.match(body, place)  # some tools pad with zeros
    return padding.end() if padding else place


def _unzip(body: bytes, *, member: str, max_bytes: int, about: str) -> bytes:
    if body.count(_ZIP_ENTRY) > MAX_MEMBERS:
        raise BadArchive(f"{about}: the zip holds more than {MAX_MEMBERS:,} files")
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            info = _choose(archive, member, about)
            if info.compress_type not in _METHODS or info.flag_bits & _ENCRYPTED:
                raise BadArchive(f"{about}: {info.filename!r} is encrypted, or packed unusually")
            with archive.open(info) as file:
                text = file.read(max_bytes + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise BadArchive(f"{about}: the zip cannot be read ({error})") from error
    if len(text) > max_bytes:
        raise TooLarge(f"{about}: {info.filename!r} unpacks to over max_bytes ({max_bytes:,})")
    return text


def _choose(archive: zipfile.ZipFile, member: str, about: str) -> zipfile.ZipInfo:
    """Return the member of that name or pattern, the first file where none is wanted."""
    files = [info for info in archive.infolist() if not info.is_dir()]
    for info in files:
        if not member or info.filename == member or fnmatchcase(info.filename, member):
            return info
    names = ", ".join(repr(info.filename[:60]) for info in files[:5]) or "nothing"
    raise BadArchive(f"{about}: the zip has no file {member or 'at all'!r}; it holds {names}")
