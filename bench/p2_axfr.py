"""P2: transfer a large zone with TSIG and decode it, beside dig with the same key."""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.rows import Row, RowSkipped
from bench.zones import READY_WITHIN, address_records, made_up_addresses
from netsets.cidr import AddressSet, from_addresses4
from policies.decoders import decode
from policies.sources.base import Deadline
from policies.sources.zone import ZoneSource
from tests.fakes.bind import Bind, BindMissing, write_zone
from tests.fakes.tsig import TsigKey

ROUNDS = 5
ADDRESSES, POLICY = "addresses.example", "policy.example"
_KEY = TsigKey()
_PASSED_IN = 10  # one trigger in so many is an exception


@dataclass(frozen=True, slots=True)
class _Zone:
    """One zone to be transferred, and what must come of it."""

    row: str
    origin: str
    work: str
    goal: str
    wanted: AddressSet


def measure(*, size: int) -> list[Row]:
    """Measure both zones, ours and dig by turns, in a process that has done each once before."""
    dig = shutil.which("dig")
    if dig is None:
        raise RowSkipped("dig is not installed (apt-get install bind9-dnsutils)")
    addresses, triggers = made_up_addresses(size), made_up_addresses(max(size // 5, _PASSED_IN))
    blocked = np.ones(len(triggers), np.bool_)
    blocked[::_PASSED_IN] = False
    with tempfile.TemporaryDirectory(prefix="bench-zones-") as name:
        folder = Path(name)
        shuffled = np.random.default_rng(1).permutation(addresses)
        zones = {
            ADDRESSES: write_zone(folder / ADDRESSES, address_records(shuffled)),
            POLICY: write_zone(folder / POLICY, _triggers(triggers, blocked)),
        }
        rows = [
            _Zone("P2", ADDRESSES, f"{size:,} A records", "≤ 1.0", from_addresses4(addresses)),
            _Zone(
                *("P2rpz", POLICY, f"{len(triggers):,} rpz-ip triggers", "≤ 1.5"),
                from_addresses4(triggers[blocked]),
            ),
        ]
        try:
            bind = Bind(zones, keys=[_KEY], ready_within=READY_WITHIN)
        except BindMissing as error:
            raise RowSkipped(str(error)) from error
        with bind:
            return [_measured(zone, bind, dig, folder / "printed") for zone in rows]


def _measured(zone: _Zone, bind: Bind, dig: str, printed: Path) -> Row:
    command = [
        *(dig, "@127.0.0.1", "-p", str(bind.port), "axfr", zone.origin),
        *("-y", f"{_KEY.algorithm}:{_KEY.name}:{_KEY.secret}"),
    ]
    if _transferred(zone, bind) != zone.wanted:
        raise RuntimeError(f"{zone.row}: our set is not the list that the zone holds")
    _dug(command, printed)
    peers, ours = [], []
    for _ in range(ROUNDS):
        peers.append(_seconds(lambda: _dug(command, printed)))
        ours.append(_seconds(lambda: _transferred(zone, bind)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Row(
        name=zone.row,
        work=f"transfer and decode {zone.work}, AXFR with TSIG {_KEY.algorithm}",
        peer="dig axfr -y",
        peer_value=statistics.median(peers),
        our_value=statistics.median(ours),
        unit="s",
        goal=zone.goal,
        note=f"medians of {ROUNDS}, peak RSS {peak:.0f} MB",
    )


def _dug(command: list[str], printed: Path) -> None:
    with printed.open("wb") as out:
        subprocess.run(command, stdout=out, check=True, timeout=300)


def _transferred(zone: _Zone, bind: Bind) -> AddressSet:
    source = ZoneSource.from_settings(
        {"name": zone.origin, "servers": [bind.server], **_KEY.settings}
    )
    retrieved = source.retrieve(known=None, deadline=Deadline.after(120))
    if retrieved is None:  # only ever an answer to `known`, which was not given
        raise RuntimeError(f"{zone.row}: nothing came")
    return decode(retrieved).addresses


def _triggers(addresses: np.ndarray, blocked: np.ndarray) -> Iterator[str]:
    octets = addresses.astype(">u4").view(np.uint8).reshape(-1, 4).tolist()
    for (a, b, c, d), blocks in zip(octets, blocked.tolist(), strict=True):
        yield f"32.{d}.{c}.{b}.{a}.rpz-ip CNAME {'.' if blocks else 'rpz-passthru.'}"


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
