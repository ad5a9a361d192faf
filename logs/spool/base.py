"""What a spool is: where its files are, what is appended, what a closed batch says of itself.

A spool is one active file and numbered batches beside it, in the layout of the product we follow:

    syslog            the active file: lines as they came, each ended by LF
    syslog.index      who sent which bytes of it, and when: one `SEGMENT` an append
    syslog.state      the ledger's counters and how far the active file is vouched for; locked by
                      whoever writes
    syslog.7          a closed batch, number 7; its index is syslog.7.index
    syslog.7.json     its manifest, written last: a batch without one is not closed yet

SpoolError
├── SpoolFull      no room: the lines were counted and not kept; room or a larger quota helps
├── SpoolTaken     another process writes this spool: stop it first
└── SpoolDamaged   a file says what cannot be: a person must look
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from logs.spool.files import read_file

Writer = Literal["receiver", "kernel", "other"]
Transport = Literal["udp", "tcp", "tls", "kernel", "other"]
TRANSPORTS: tuple[Transport, ...] = ("udp", "tcp", "tls", "kernel", "other")

# One append to the active file. `at` is nanoseconds since 1970, `address` IPv6 or mapped IPv4.
SEGMENT = np.dtype(
    [("at", "<u8"), ("bytes", "<u8"), ("lines", "<u4"), ("transport", "<u4"), ("address", "V16")]
)
_MANIFEST_MOST = 64 * 1024  # bytes; a larger file is none of ours


class SpoolError(Exception):
    """A spool cannot do what was asked; says which file and why."""


class SpoolFull(SpoolError):
    """There is no room for more lines."""


class SpoolTaken(SpoolError):
    """Another process writes this spool."""


class SpoolDamaged(SpoolError):
    """A file of the spool holds what it cannot hold."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a spool's files are: `<folder>/<stem>` is the active one."""

    folder: Path
    stem: str

    @property
    def active(self) -> Path:
        """The file that is appended to."""
        return self.folder / self.stem

    @property
    def index(self) -> Path:
        """Who sent which bytes of the active file."""
        return self.folder / f"{self.stem}.index"

    @property
    def state(self) -> Path:
        """The counters; whoever writes the spool holds a lock on this file."""
        return self.folder / f"{self.stem}.state"

    def batch(self, number: int) -> Path:
        """The lines of a closed batch."""
        return self.folder / f"{self.stem}.{number}"

    def batch_index(self, number: int) -> Path:
        """Who sent which bytes of a closed batch."""
        return self.folder / f"{self.stem}.{number}.index"

    def manifest(self, number: int) -> Path:
        """What a closed batch says of itself."""
        return self.folder / f"{self.stem}.{number}.json"

    def numbers(self, suffix: str = "") -> list[int]:
        """The numbers for which `<stem>.<number><suffix>` exists, ascending."""
        pattern = re.compile(rf"{re.escape(self.stem)}\.([1-9][0-9]{{0,17}}){re.escape(suffix)}")
        matches = (pattern.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(match[1]) for match in matches if match)

    def manifests(self) -> Iterator[Manifest]:
        """The manifests of all closed batches, in order. Raises SpoolDamaged."""
        for number in self.numbers(".json"):
            yield manifest_of(self, number)


def device_place(log_dir: Path, nickname: str) -> Place:
    """Where a device's lines are kept, as the product we follow lays them out."""
    return Place(log_dir / "devices" / nickname, "syslog")


def kernel_place(log_dir: Path) -> Place:
    """Where this machine's own dropped packets are kept."""
    return Place(log_dir, "threatstop.log")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of one sender, each ended by LF."""

    data: bytes
    lines: int
    at: int  # nanoseconds since 1970
    transport: Transport
    address: bytes  # 16 bytes: IPv6, or IPv4 mapped into it
    mark: bytes | None = None  # how far its source is read with it; None where that is not kept


@dataclass(frozen=True, slots=True)
class Counters:
    """A spool's ledger in lines: received = spooled + refused + over_quota + lost."""

    received: int = 0
    spooled: int = 0
    refused: int = 0  # could not be written: disk full, read-only, writing too slow
    over_quota: int = 0  # not written: the device's quota or the free-space floor was reached
    lost: int = 0  # were on disk and are not any more

    def plus(
        self, *, spooled: int = 0, refused: int = 0, over_quota: int = 0, lost: int = 0
    ) -> Counters:
        """Return the ledger with lines added; `spooled=-3, lost=3` are lines that are gone."""
        return Counters(
            self.received + spooled + refused + over_quota + lost,
            self.spooled + spooled,
            self.refused + refused,
            self.over_quota + over_quota,
            self.lost + lost,
        )

    @property
    def is_balanced(self) -> bool:
        """Whether the ledger adds up."""
        return self.received == self.spooled + self.refused + self.over_quota + self.lost


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a closed batch says of itself; it never changes."""

    number: int
    device_id: str
    writer: Writer
    lines: int
    bytes: int
    sha256: str  # of the lines as they lie in the file
    first_at: datetime  # when its first and last line arrived
    last_at: datetime
    closed_at: datetime

    def to_json(self) -> str:
        """Return it as the text of its file."""
        return json.dumps(asdict(self), default=datetime.isoformat, indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Return the manifest in a file. Raises SpoolDamaged."""
        try:
            values = json.loads(read_file(path, _MANIFEST_MOST))
            for name in ("first_at", "last_at", "closed_at"):
                values[name] = datetime.fromisoformat(values[name]).astimezone(UTC)
            return cls(**values)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise SpoolDamaged(f"{path}: is no manifest of a batch ({error})") from error


@dataclass(frozen=True, slots=True)
class Remains(Manifest):
    """The manifest of a batch whose lines are not there any more: they made room."""


def manifest_of(place: Place, number: int) -> Manifest:
    """Return the manifest of a batch, as `Remains` where only that is left of it.

    Raises SpoolDamaged.
    """
    kind = Manifest if place.batch(number).exists() else Remains
    return kind.read(place.manifest(number))
