"""A local BIND with a DNS list of a chosen size, for the rows that retrieve one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.rows import RowSkipped
from tests.fakes.bind import Bind, BindMissing, write_zone

ORIGIN = "lists.example"
ADDRESSES_A_NAME = 4000  # what a message can carry, and what list providers fill a name with
READY_WITHIN = 300.0  # BIND takes about a minute to load a million records


@dataclass(frozen=True, slots=True)
class ServedList:
    """A list that a local BIND serves."""

    server: str  # "address:port", as settings have it
    host: str
    port: int
    name: str  # of the list
    names: tuple[str, ...]  # all names it lies at
    addresses: npt.NDArray[np.uint32]  # sorted, no two alike


def made_up_addresses(size: int) -> npt.NDArray[np.uint32]:
    """Return `size` different public-looking IPv4 addresses, sorted; the same each time."""
    random = np.random.default_rng(20260801)
    drawn = np.empty(0, np.uint32)
    while len(drawn) < size:
        more = random.integers(1 << 24, 224 << 24, size + size // 50, np.uint32)
        drawn = np.unique(np.concatenate((drawn, more)))
    chosen: npt.NDArray[np.uint32] = np.sort(random.choice(drawn, size, replace=False))
    return chosen


@contextmanager
def served_list(size: int) -> Iterator[ServedList]:
    """Serve `size` addresses over names of `ADDRESSES_A_NAME`, as `basic`, `basic1`, ….

    Raises `RowSkipped` where BIND is missing.
    """
    addresses = made_up_addresses(size)
    shuffled = np.random.default_rng(1).permutation(addresses)
    labels = _labels(size)
    with tempfile.TemporaryDirectory(prefix="bench-zones-") as folder:
        zone = write_zone(Path(folder) / "zone", address_records(shuffled))
        try:
            bind = Bind({ORIGIN: zone}, ready_within=READY_WITHIN)
        except BindMissing as error:
            raise RowSkipped(str(error)) from error
        with bind:
            names = tuple(f"{label}.{ORIGIN}" for label in labels)
            yield ServedList(bind.server, "127.0.0.1", bind.port, names[0], names, addresses)


def address_records(addresses: npt.NDArray[np.uint32]) -> Iterator[str]:
    """Yield A records of these addresses, `ADDRESSES_A_NAME` at each name, as in a zone file."""
    for index, label in enumerate(_labels(len(addresses))):
        part = addresses[index * ADDRESSES_A_NAME : (index + 1) * ADDRESSES_A_NAME]
        for octets in part.astype(">u4").view(np.uint8).reshape(-1, 4).tolist():
            yield f"{label} A {octets[0]}.{octets[1]}.{octets[2]}.{octets[3]}"


def _labels(size: int) -> list[str]:
    return [f"basic{number or ''}" for number in range(-(-size // ADDRESSES_A_NAME))]
