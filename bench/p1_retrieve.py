"""P1: retrieve and decode a long DNS list, beside dig asking the same names."""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.rows import Row, RowSkipped
from bench.zones import ServedList, served_list
from netsets.cidr import AddressSet, from_addresses4
from netsets.parse import parse_text
from policies.decoders import decode
from policies.sources.base import Deadline
from policies.sources.dns_list import DnsListSource

ROUNDS = 5


def measure(*, size: int) -> Row:
    """Measure ours and dig by turns, in a process that has done each once before."""
    dig = shutil.which("dig")
    if dig is None:
        raise RowSkipped("dig is not installed (apt-get install bind9-dnsutils)")
    with served_list(size) as served, tempfile.TemporaryDirectory() as folder:
        peer = dig_command(dig, served, Path(folder))
        printed = Path(folder) / "printed"
        wanted = from_addresses4(served.addresses)
        ours_found = _retrieved(served)
        _dug(peer, printed)
        peers, ours = [], []
        for _ in range(ROUNDS):
            peers.append(_seconds(lambda: _dug(peer, printed)))
            ours.append(_seconds(lambda: _retrieved(served)))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        _check(wanted, ours=ours_found, peers=printed)
    return Row(
        name="P1",
        work=f"retrieve and decode {size:,} A records in {len(served.names)} names, TCP",
        peer="dig +tcp +keepopen +short -f",
        peer_value=statistics.median(peers),
        our_value=statistics.median(ours),
        unit="s",
        goal="≤ 0.25",
        note=f"equal sets, medians of {ROUNDS}, peak RSS {peak:.0f} MB",
    )


def dig_command(dig: str, served: ServedList, folder: Path) -> list[str]:
    """Return dig at its quickest: one connection for all names, and the bare addresses.

    With whole records (`+noall +answer`) it takes three times as long.
    """
    names = folder / "names"
    names.write_text("".join(f"{name}\n" for name in served.names), encoding="ascii")
    server = [f"@{served.host}", "-p", str(served.port)]
    return [dig, *server, "+tcp", "+keepopen", "+short", "-f", str(names)]


def _dug(command: list[str], printed: Path) -> Path:
    with printed.open("wb") as out:
        subprocess.run(command, stdout=out, check=True, timeout=300)
    return printed


def _retrieved(served: ServedList) -> AddressSet:
    source = DnsListSource.from_settings({"name": served.name, "servers": [served.server]})
    return decode(source.retrieve(known=None, deadline=Deadline.after(120))).addresses


def _check(wanted: AddressSet, *, ours: AddressSet, peers: Path) -> None:
    if parse_text(peers.read_bytes()).addresses != wanted:
        raise RuntimeError("P1: dig did not print the list that the zone holds")
    if ours != wanted:
        raise RuntimeError("P1: our set is not the list that the zone holds")


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
