"""P17: a zone on a server becomes what the kernel drops, beside a pipe of the usual programs.

Ours is the whole appliance in the running worker and enforcer: transfer, lists with provenance,
compile, guard, rows, feed with gz and md5, then plan, journal, kernel, and all of it read back.
`python -m bench.p17_end_to_end SERVER ROUNDS` in the environment of an appliance prints the seconds
of each round.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench import appliance
from bench.kernel import inside
from bench.rows import Row, RowSkipped
from bench.zones import READY_WITHIN, address_records, made_up_addresses
from tests.fakes.bind import Bind, BindMissing, write_zone
from tests.fakes.tsig import TsigKey

ROUNDS = 3
TIMEOUT = 600
ORIGIN = "addresses.example"
NODE = "bench"
_KEY = TsigKey()
_PIPE = """
ipset create peer hash:net hashsize {hashsize} maxelem {most}
ipset create peer.new hash:net hashsize {hashsize} maxelem {most}
dig @127.0.0.1 -p {port} axfr {origin} -y {key} | awk '$4 == "A" {{ print $5 }}' | iprange |
  sed 's/^/add peer.new /' | ipset restore && ipset swap peer peer.new && ipset destroy peer.new
"""


def measure(*, size: int) -> Row:
    """Measure both in a namespace of their own."""
    return inside(
        "bench.p17_end_to_end", size=size, needs=("ipset", "iptables", "dig", "iprange", "awk")
    )


def measure_inside(*, size: int) -> Row:
    """Serve the zone, and measure the pipe and ours in turn."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)
    with tempfile.TemporaryDirectory(prefix="bench-p17-") as name:
        folder = Path(name)
        shuffled = np.random.default_rng(1).permutation(made_up_addresses(size))
        zone = write_zone(folder / "zone", address_records(shuffled))
        try:
            bind = Bind({ORIGIN: zone}, keys=[_KEY], ready_within=READY_WITHIN)
        except BindMissing as error:
            raise RowSkipped(str(error)) from error
        with bind:
            peers = [_piped(bind.port, size) for _ in range(ROUNDS)]
            ours = _ours(bind.server, folder / "data")
    return Row(
        name="P17",
        work=f"AXFR of {size:,} A records to feed and kernel",
        peer="dig | awk | iprange | ipset restore",
        peer_value=statistics.median(peers),
        our_value=statistics.median(ours),
        unit="s",
        goal="≤ 0.4",
        note=f"medians of {ROUNDS}; ours with guard, rows, gz, md5 and read-back",
    )


def _piped(port: int, size: int) -> float:
    hashsize = 1 << max(6, (size // 2).bit_length())
    key = f"{_KEY.algorithm}:{_KEY.name}:{_KEY.secret}"
    script = _PIPE.format(port=port, origin=ORIGIN, key=key, hashsize=hashsize, most=2 * size)
    shell = shutil.which("sh") or "sh"
    began = time.perf_counter()
    subprocess.run([shell, "-ec", script], check=True, timeout=TIMEOUT)
    seconds = time.perf_counter() - began
    listed = subprocess.run(
        ["ipset", "list", "-t"], capture_output=True, check=True, timeout=TIMEOUT
    )
    if int(listed.stdout.split()[-1]) < size // 2:
        raise RuntimeError("P17: the pipe of programs loaded nothing; no figure would count")
    subprocess.run(["ipset", "destroy"], check=True, timeout=TIMEOUT)
    return seconds


def _ours(server: str, data_dir: Path) -> list[float]:
    printed = subprocess.run(
        [sys.executable, "-m", "bench.p17_end_to_end", server, str(ROUNDS)],
        env=appliance.environment(data_dir),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=TIMEOUT,
    ).stdout
    return [float(line) for line in printed.split()]


def _child(server: str, rounds: int) -> None:
    """Bring the zone into force once to be warm, then `rounds` times for the figures."""
    appliance.set_up()
    from django.utils import timezone

    from devices.services import add_device
    from policies.models import Policy, PolicySource
    from policies.services import find_or_make_source

    now = timezone.now()
    policy = Policy.objects.create(name="bench", due_at=now)
    settings = {"name": ORIGIN, "servers": [server], **_KEY.settings}
    source = find_or_make_source(kind="zone", settings=settings, name="bench", now=now)
    PolicySource.objects.create(policy=policy, source=source, role="block")
    add_device(
        kind="iptables",
        nickname="bench",
        settings={"device_id": "tdid_bench", "node": NODE},
        policy=policy,
        actor="bench",
        now=now,
    )
    for number in range(rounds + 1):
        seconds = _round()
        if number:
            print(f"{seconds:.6f}", flush=True)


def _round() -> float:
    """Bring the zone into an empty kernel, and return the seconds it took."""
    from django.utils import timezone

    from devices.models import Gateway
    from enforcement.kernel.apply import release
    from enforcement.services import work
    from enforcement.services.machine import own_machine
    from policies.models import Policy
    from policies.services import refresh_policy

    began = time.perf_counter()
    report = refresh_policy(policy=Policy.objects.get(), clock=timezone.now)
    done = work(node=NODE, clock=timezone.now)
    seconds = time.perf_counter() - began
    if done != "applied":
        raise RuntimeError(f"P17: the enforcer did not apply: {done}; {report}")
    release(host=own_machine().host, enforcer="iptables")
    appliance.forget()
    Gateway.objects.update(target="", checked_at=None, snapshot_number=None)
    return seconds


if __name__ == "__main__":
    _child(sys.argv[1], int(sys.argv[2]))
