"""What a zone holds of use, as columns: a multiset, so that an increment can be taken exactly.

The zone's records become items. The same records always become the same items, whatever else the
zone holds: what depends on the whole zone (is it a response policy zone?) is left to the decoder.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

Array8 = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Firsts = npt.NDArray[np.uint32] | npt.NDArray[np.uint64]

_HEAD = struct.Struct("<8sIQQQI")  # magic, meta, IPv4 rows, IPv6 rows, token bytes, CRC-32
_MAGIC = b"zone0002"
_ROW4, _ROW6 = 6, 18  # bytes
_LOW = (1 << 64) - 1
_Text = TypeVar("_Text", bytes, str)


class Kind(IntEnum):
    """What an item is."""

    ADDRESS = 1  # an A or AAAA record
    LISTED = 2  # an APL item
    NEGATED = 3  # a negated APL item
    BLOCKED = 4  # an rpz-ip trigger that drops, or answers NXDOMAIN or NODATA
    PASSED = 5  # an rpz-ip trigger with rpz-passthru.
    TOKEN = 6  # a word of a TXT record, as written
    SKIPPED = 7  # a record of no use, by reason
    CLEARED = 8  # an APL item with bits below its prefix length, counted beside itself
    PROOF = 9  # what the zone says of its list: its name, a blank, its text


class Item(NamedTuple):
    """One thing that a record says."""

    kind: Kind
    family: int = 0  # 4 or 6, 0 where there is no prefix
    first: int = 0
    length: int = 0
    text: str = ""  # a token, its bytes as Latin-1, or a reason


class NotHeld(ValueError):
    """An increment takes away what is not there."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Prefixes of one family: `first` is uint32 (n,), or uint64 (n, 2) for IPv6."""

    kind: Array8
    length: Array8
    first: Firsts

    @classmethod
    def of(cls, family: int, items: list[Item]) -> Rows:
        """Return the items' rows, in order."""
        kind = np.array([item.kind for item in items], np.uint8)
        length = np.array([item.length for item in items], np.uint8)
        if family == 4:
            return cls(kind, length, np.array([item.first for item in items], np.uint32))
        words = [(item.first >> 64, item.first & _LOW) for item in items]
        return cls(kind, length, np.array(words, np.uint64).reshape(-1, 2))

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.kind)

    def where(self, chosen: Bools) -> Rows:
        """Return the rows chosen."""
        return Rows(self.kind[chosen], self.length[chosen], self.first[chosen])

    def of_kind(self, *kinds: Kind) -> Rows:
        """Return the rows of these kinds."""
        return self.where(np.isin(self.kind, kinds))

    def items(self, at: npt.NDArray[np.intp]) -> Iterator[Item]:
        """Yield the rows at these places as items."""
        family = 4 if self.first.ndim == 1 else 6
        columns = (self.kind[at].tolist(), self.length[at].tolist(), self.first[at].tolist())
        for kind, length, first in zip(*columns, strict=True):
            number = first if family == 4 else first[0] << 64 | first[1]
            yield Item(Kind(kind), family, number, length)

    def without(self, removed: Rows) -> Rows:
        """Return the rows less one for each row removed; raise `NotHeld`."""
        if not len(removed):
            return self
        wanted, counts = np.unique(removed._keys(), return_counts=True)
        keys = self._keys()
        places = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
        near = np.flatnonzero(wanted[places] == keys)
        which = places[near]
        if (np.bincount(which, minlength=len(wanted)) < counts).any():
            raise NotHeld("a prefix")
        order = np.argsort(which, kind="stable")
        ordered = which[order]
        nth = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
        keep = np.ones(len(self), np.bool_)
        keep[near[order[nth < counts[ordered]]]] = False
        return self.where(keep)

    def _keys(self) -> npt.NDArray[np.uint64] | npt.NDArray[np.bytes_]:
        """Return the rows as one element each: alike for alike rows only."""
        if self.first.ndim == 1:
            keys: npt.NDArray[np.uint64] = self.first.astype(np.uint64) << np.uint64(16)
            return keys | self.length.astype(np.uint64) << np.uint64(8) | self.kind
        packed = np.empty((len(self), _ROW6), np.uint8)
        packed[:, :16] = self.first.astype(">u8").view(np.uint8).reshape(-1, 16)
        packed[:, 16], packed[:, 17] = self.length, self.kind
        return packed.view(f"S{_ROW6}").ravel()

    def joined(self, *others: Rows) -> Rows:
        """Return these rows and the others behind them."""
        every = (self, *others)
        return Rows(
            np.concatenate([rows.kind for rows in every]),
            np.concatenate([rows.length for rows in every]),
            np.concatenate([rows.first for rows in every]),
        )

    def encode(self) -> bytes:
        """Return the columns one behind the other, little-endian."""
        order = "<u4" if self.first.ndim == 1 else "<u8"
        return b"".join(
            (self.kind.tobytes(), self.length.tobytes(), self.first.astype(order).tobytes())
        )


@dataclass(frozen=True, slots=True, eq=False)
class ZoneRecords:
    """What one version of a zone holds of use, and the count of what is of none."""

    zone: str  # its name, without the dot at the end
    v4: Rows
    v6: Rows
    tokens: tuple[bytes, ...] = ()  # of TXT records
    skipped: Mapping[str, int] = field(default_factory=dict)  # by reason
    cleared: int = 0  # APL items given with bits below their length
    # Where NS records point to, lowercased: the addresses there are no entries.
    name_servers: frozenset[str] = frozenset()
    proofs: tuple[bytes, ...] = ()  # such as b"digest sha256=…", for `zone_proof`

    @classmethod
    def of(cls, zone: str, items: list[Item], name_servers: frozenset[str]) -> ZoneRecords:
        """Return the records that these items stand for."""
        return cls(
            zone=zone,
            v4=Rows.of(4, [item for item in items if item.family == 4]),
            v6=Rows.of(6, [item for item in items if item.family == 6]),
            tokens=_texts(Kind.TOKEN, items),
            skipped=Counter(item.text for item in items if item.kind == Kind.SKIPPED),
            cleared=sum(item.kind == Kind.CLEARED for item in items),
            name_servers=name_servers,
            proofs=_texts(Kind.PROOF, items),
        )

    def holds(self, *kinds: Kind) -> bool:
        """Tell whether there is an item of one of these kinds."""
        found = any(np.isin(rows.kind, kinds).any() for rows in (self.v4, self.v6))
        return found or (Kind.TOKEN in kinds and bool(self.tokens))

    def changed(self, *, removed: ZoneRecords, added: ZoneRecords) -> ZoneRecords:
        """Return the records with those added and less those removed; raise `NotHeld`."""
        cleared = self.cleared + added.cleared - removed.cleared
        if cleared < 0:
            raise NotHeld("a prefix with host bits")
        return ZoneRecords(
            zone=self.zone,
            v4=self.v4.joined(added.v4).without(removed.v4),
            v6=self.v6.joined(added.v6).without(removed.v6),
            tokens=tuple(_less((*self.tokens, *added.tokens), removed.tokens).elements()),
            skipped=_less(Counter(self.skipped) + Counter(added.skipped), removed.skipped),
            cleared=cleared,
            name_servers=self.name_servers,
            proofs=tuple(_less((*self.proofs, *added.proofs), removed.proofs).elements()),
        )

    def encode(self) -> bytes:
        """Return the records as bytes to be kept."""
        known = {
            "zone": self.zone,
            "skipped": dict(sorted(self.skipped.items())),
            "cleared": self.cleared,
            "name_servers": sorted(self.name_servers),
            "proofs": [proof.decode("ascii") for proof in self.proofs],
        }
        meta = json.dumps(known, separators=(",", ":")).encode()
        tokens = b"\n".join(self.tokens)
        body = b"".join((meta, self.v4.encode(), self.v6.encode(), tokens))
        sizes = (len(meta), len(self.v4), len(self.v6), len(tokens))
        return _HEAD.pack(_MAGIC, *sizes, zlib.crc32(body)) + body

    @classmethod
    def decode(cls, data: bytes) -> ZoneRecords:
        """Return the records that `encode` wrote; raise ValueError for any other bytes."""
        if len(data) < _HEAD.size:
            raise ValueError(f"a kept zone has a head of {_HEAD.size} bytes, this has {len(data)}")
        magic, meta_size, n4, n6, token_size, check = _HEAD.unpack_from(data)
        body = memoryview(data)[_HEAD.size :]
        if magic != _MAGIC or len(body) != meta_size + n4 * _ROW4 + n6 * _ROW6 + token_size:
            raise ValueError("this is not a kept zone: its first bytes or its size are wrong")
        if zlib.crc32(body) != check:
            raise ValueError("a kept zone is damaged: its checksum does not fit")
        known = json.loads(bytes(body[:meta_size]))
        end4 = meta_size + n4 * _ROW4
        end6 = end4 + n6 * _ROW6
        return cls(
            zone=known["zone"],
            v4=_rows(body[meta_size:end4], n4, "<u4"),
            v6=_rows(body[end4:end6], n6, "<u8"),
            tokens=tuple(bytes(body[end6:]).split(b"\n")) if token_size else (),
            skipped=known["skipped"],
            cleared=known["cleared"],
            name_servers=frozenset(known["name_servers"]),
            proofs=tuple(proof.encode("ascii") for proof in known["proofs"]),
        )


def _texts(kind: Kind, items: Iterable[Item]) -> tuple[bytes, ...]:
    return tuple(item.text.encode("latin-1") for item in items if item.kind == kind)


def _rows(data: memoryview, count: int, order: str) -> Rows:
    first = np.frombuffer(data, order, offset=2 * count)
    return Rows(
        kind=np.frombuffer(data, np.uint8, count),
        length=np.frombuffer(data, np.uint8, count, count),
        first=first if order == "<u4" else first.reshape(-1, 2),
    )


def _less(
    held: Iterable[_Text] | Mapping[_Text, int], gone: Iterable[_Text] | Mapping[_Text, int]
) -> Counter[_Text]:
    """Return what is held less what is gone; raise `NotHeld`."""
    left = Counter(held)
    left.subtract(gone)
    if any(count < 0 for count in left.values()):
        raise NotHeld("a text")
    return +left
