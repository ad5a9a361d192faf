"""P22: a large policy written as a zone, a small change of it, and a client that proves what came.

Beside the writing stands what BIND's own tool takes to read the same zone: `named-compilezone` in
its raw format, which is the least that a primary does with it. Beside the client stands dig.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from bench.rows import Row, RowSkipped
from bench.timing import median_seconds
from bench.zones import READY_WITHIN, made_up_addresses
from fleet.zones import FORMS, Rendered
from netsets import cidr
from netsets.cidr import AddressSet
from policies.decoders import decode
from policies.sources.base import Deadline
from policies.sources.zone import ZoneSource
from tests.fakes.bind import Bind, BindMissing, write_zone
from tests.fakes.tsig import TsigKey

ROUNDS = 5
TIMEOUT = 600  # seconds for any one process
_CHANGED = 0.001  # of the prefixes, half of them gone and half of them new
_KEY = TsigKey()
_PATH = "/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin"


def measure(*, size: int) -> list[Row]:
    """Measure the writing of a zone, and its way to a client."""
    compilezone, dig = (
        _program("named-compilezone", "bind9-utils"),
        _program("dig", "bind9-dnsutils"),
    )
    form = FORMS["apl"]
    lists, zone = form.zones("bench", "portal.example")[0]
    old, new = _lists(size)

    def written(block: AddressSet) -> Rendered:
        return form.render(lists, zone, block=block, allow=AddressSet.empty(), snapshot=1)

    first, second = written(old), written(new)
    ours = median_seconds(lambda: written(old), times=ROUNDS)
    with tempfile.TemporaryDirectory(prefix="bench-p22-") as name:
        folder = Path(name)
        file = write_zone(folder / "zone", first.body.decode("ascii").splitlines())
        command = [compilezone, "-q", "-F", "raw", "-k", "ignore", "-o", str(folder / "raw")]
        peer = median_seconds(lambda: _run([*command, zone, str(file)]), times=ROUNDS)
        dug, proven = _at_a_client(zone, file, dig, old)
    before, after = (set(each.body.splitlines()) for each in (first, second))
    gone, come, both = len(before - after), len(after - before), len(before) + len(after)
    return [
        Row(
            name="P22",
            work=f"{size:,} prefixes to a zone of {len(before):,} APL lines with its digest",
            peer="named-compilezone",
            peer_value=peer,
            our_value=ours,
            unit="s",
            goal="≤ 1.0",
            note=(
                f"medians of {ROUNDS}; with {_CHANGED:.1%} of the prefixes changed {gone:,} lines "
                f"go and {come:,} come, {(gone + come) / both:.2%}"
            ),
        ),
        Row(
            name="P22client",
            work="the same zone transferred with TSIG, proven and decoded",
            peer="dig axfr -y",
            peer_value=dug,
            our_value=proven,
            unit="s",
            goal="≤ 2.0",
            note=f"medians of {ROUNDS}",
        ),
    ]


def _lists(size: int) -> tuple[AddressSet, AddressSet]:
    """Return a list, and the same with a few prefixes less and as many others."""
    numbers, random = made_up_addresses(size), np.random.default_rng(22)
    changed = max(1, int(size * _CHANGED / 2))
    stays = np.ones(size, np.bool_)
    stays[random.choice(size, changed, replace=False)] = False
    more = random.integers(1 << 24, 224 << 24, changed, np.uint32)
    renewed = np.concatenate((numbers[stays], more))
    return cidr.from_addresses4(numbers), cidr.from_addresses4(renewed)


def _program(name: str, package: str) -> str:
    path = shutil.which(name, path=_PATH)
    if path is None:
        raise RowSkipped(f"{name} is not installed (apt-get install {package})")
    return path


def _run(command: list[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=TIMEOUT)


def _at_a_client(zone: str, file: Path, dig: str, wanted: AddressSet) -> tuple[float, float]:
    """Return the seconds that dig takes to print the zone, and ours to prove and decode it."""
    try:
        bind = Bind({zone: file}, keys=[_KEY], ready_within=READY_WITHIN)
    except BindMissing as error:
        raise RowSkipped(str(error)) from error
    with bind:
        command = [
            *(dig, "@127.0.0.1", "-p", str(bind.port), "axfr", zone),
            *("-y", f"{_KEY.algorithm}:{_KEY.name}:{_KEY.secret}"),
        ]
        if _transferred(zone, bind) != wanted:
            raise RuntimeError(f"P22: {zone} did not come as it was written")
        peer = median_seconds(lambda: _run(command), times=ROUNDS)
        return peer, median_seconds(lambda: _transferred(zone, bind), times=ROUNDS)


def _transferred(name: str, bind: Bind) -> AddressSet:
    source = ZoneSource.from_settings(
        {"name": name, "servers": [bind.server], "must_prove": True, **_KEY.settings}
    )
    retrieved = source.retrieve(known=None, deadline=Deadline.after(120))
    if retrieved is None:  # only ever an answer to `known`, which was not given
        raise RuntimeError(f"P22: nothing of {name} came")
    return decode(retrieved).addresses
