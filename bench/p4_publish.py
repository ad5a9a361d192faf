"""P4: a list from the DNS to a feed that firewalls may pull, beside dig and iprange.

Ours is all of it: retrieve, decode, compile, render, gzip, MD5, files synced to the disk, rows. It
runs in a child process, warm like a worker, so that its peak memory is its own:
`python -m bench.p4_publish SERVER NAME ROUNDS` in the environment of an appliance refreshes a
policy and prints a line of figures a round; before each round everything published is removed.
The peers' time is that of their whole processes, as that is how they are used.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench import appliance
from bench.p1_retrieve import dig_command
from bench.rows import Row, RowSkipped
from bench.timing import median_seconds
from bench.zones import ServedList, served_list

ROUNDS = 5
TIMEOUT = 600  # seconds for any one process
MAX_MEGABYTES = 400


@dataclass(frozen=True, slots=True)
class Round:
    """One refresh: how long it took, the peak of memory so far, and what is accounted for."""

    seconds: float
    megabytes: float
    addresses: int  # published or cut, together all that the list holds
    lines: int


def measure(*, size: int) -> Row:
    """Measure the peers, then ours."""
    dig, iprange = _program("dig", "bind9-dnsutils"), _program("iprange", "iprange")
    with served_list(size) as served, tempfile.TemporaryDirectory(prefix="bench-p4-") as folder:
        command = dig_command(dig, served, Path(folder))
        listed = _listed(served, Path(folder))
        dug = median_seconds(lambda: _run(command, Path(folder) / "dug"), times=ROUNDS)
        merged = median_seconds(
            lambda: _run([iprange, str(listed)], Path(folder) / "merged"), times=ROUNDS
        )
        data_dir = Path(folder) / "data"
        data_dir.mkdir()
        rounds = _ours(served, data_dir)
    if {one.addresses for one in rounds} != {size}:
        raise RuntimeError(f"P4: not all of the list is accounted for: {rounds}")
    megabytes = rounds[-1].megabytes
    if megabytes > MAX_MEGABYTES:
        raise RuntimeError(f"P4: {megabytes:.0f} MB were used of {MAX_MEGABYTES} allowed")
    return Row(
        name="P4",
        work=f"{size:,} A records in {len(served.names)} names to a feed with gz, md5 and rows",
        peer="dig -f + iprange",
        peer_value=dug + merged,
        our_value=statistics.median(one.seconds for one in rounds),
        unit="s",
        goal="≤ 0.6",
        note=f"{rounds[-1].lines:,} lines, medians of {ROUNDS}, peak {megabytes:.0f} MB",
    )


def _program(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise RowSkipped(f"{name} is not installed (apt-get install {package})")
    return path


def _listed(served: ServedList, folder: Path) -> Path:
    """Write the list as iprange takes it, in the order of the zone."""
    shuffled = np.random.default_rng(1).permutation(served.addresses)
    octets = shuffled.astype(">u4").view(np.uint8).reshape(-1, 4).tolist()
    path = folder / "listed"
    path.write_text("".join(f"{a}.{b}.{c}.{d}\n" for a, b, c, d in octets), encoding="ascii")
    return path


def _run(command: list[str], printed: Path) -> None:
    with printed.open("wb") as out:
        subprocess.run(command, stdout=out, check=True, timeout=TIMEOUT)


def _ours(served: ServedList, data_dir: Path) -> list[Round]:
    printed = subprocess.run(
        [sys.executable, "-m", "bench.p4_publish", served.server, served.name, str(ROUNDS)],
        env=appliance.environment(data_dir),
        stdout=subprocess.PIPE,
        check=True,
        timeout=TIMEOUT,
    ).stdout
    return [Round(**json.loads(line)) for line in printed.splitlines()]


def _child(server: str, name: str, rounds: int) -> None:
    """Refresh a policy once to be warm, then `rounds` times for the figures."""
    appliance.set_up()
    from django.utils import timezone

    from policies.models import Policy, PolicySource
    from policies.services import find_or_make_source

    now = timezone.now()
    policy = Policy.objects.create(name="bench", due_at=now)
    settings = {"name": name, "servers": [server]}
    source = find_or_make_source(kind="dns", settings=settings, name="bench", now=now)
    PolicySource.objects.create(policy=policy, source=source, role="block")
    for number in range(rounds + 1):
        measured = _refresh()
        if number:
            print(json.dumps(asdict(measured)), flush=True)
        appliance.forget()


def _refresh() -> Round:
    from django.utils import timezone

    from policies.models import Policy
    from policies.services import refresh_policy

    policy = Policy.objects.get()
    began = time.perf_counter()
    report = refresh_policy(policy=policy, clock=timezone.now)
    seconds = time.perf_counter() - began
    snapshot = report.compiled.snapshot
    if snapshot is None:
        raise RuntimeError(f"P4: nothing was published: {report}")
    cut = sum(addresses for _, addresses in snapshot.cuts)
    numbers: dict[str, dict[str, int]] = snapshot.numbers
    return Round(
        seconds,
        appliance.peak_megabytes(),
        addresses=numbers["block"]["addresses4"] + cut,
        lines=snapshot.feeds.get(list="block").lines,
    )


if __name__ == "__main__":
    _child(sys.argv[1], sys.argv[2], int(sys.argv[3]))
