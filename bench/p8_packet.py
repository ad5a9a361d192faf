"""P8: what our sets add to a packet that no list holds, beside one `hash:net` of the same list.

Packets leave by a link that leads nowhere, to addresses all over the space: each lookup then meets
tables that are not in the processor's caches. What a packet costs without any rule is taken off.
"""

from __future__ import annotations

import ctypes
import os
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain

import numpy as np
import numpy.typing as npt

from bench.kernel import TIMEOUT, blocking, filled, inside, restore
from bench.rows import Row, RowSkipped
from enforcement.kernel.base import Rules
from enforcement.kernel.iptables_check import repair
from enforcement.kernel.iptables_rules import meant
from netsets.cidr import AddressSet, from_prefixes4
from netsets.render.text import render

ROUNDS = 9
PACKETS = 200_000
AT_ONCE = 1000  # packets in one call; a call takes 1024 at most
MAX_RATIO = 0.6
SEED = 20_240_608
HOST_BITS = np.array([0] * 180 + list(range(1, 13)))  # 13 lengths; 15 of 16 are single
PEER = "peer"
THEIRS = f"""*filter
-A OUTPUT -m set --match-set {PEER} dst -j DROP
COMMIT
"""
NONE = """*filter
COMMIT
"""

Sender = Callable[[], list[float]]
# struct mmsghdr of 64-bit Linux.
_HEAD = np.dtype(
    [
        ("name", "=u8"),
        ("name_length", "=u8"),
        ("vector", "=u8"),
        ("vector_length", "=u8"),
        ("control", "=u8"),
        ("control_length", "=u8"),
        ("flags", "=u8"),
        ("sent", "=u8"),
    ]
)


def measure(*, size: int) -> Row:
    """Measure both in a namespace of their own."""
    return inside("bench.p8_packet", size=size, needs=("ipset", "iptables-restore", "ip"))


def measure_inside(*, size: int) -> Row:
    """Measure packets without rules, with the peer's and with ours, in turn."""
    rng = np.random.default_rng(SEED)
    held = _list(rng, size)
    filled(blocking(held))
    count = len(held.prefixes())
    create = f"create {PEER} hash:net maxelem {2 * count}\n"  # it grows by itself
    lines = render(held.prefixes()).replace(b"\n", f"\nadd {PEER} ".encode())
    restore(create.encode() + f"add {PEER} ".encode() + lines.rpartition(b"\n")[0] + b"\n")
    addresses = _outside(rng, held)
    _set_up_link()
    ours_too = repair(meant(4, Rules()), {})  # the rules that the enforcer writes
    with _sender(addresses) as send:
        rounds = [[_with(rules, send) for rules in (NONE, THEIRS, ours_too)] for _ in range(ROUNDS)]
    none, peer, ours = (
        statistics.median(chain.from_iterable(calls)) for calls in zip(*rounds, strict=True)
    )
    return Row(
        name="P8",
        work=f"what {count:,} prefixes of {len(set(HOST_BITS))} lengths add to a packet",
        peer="one hash:net",
        peer_value=peer - none,
        our_value=ours - none,
        unit="µs",
        goal=f"≤ {MAX_RATIO}",
        note=f"{none:.2f} µs without rules; medians of {ROUNDS} rounds of {PACKETS:,} packets",
    )


def _list(rng: np.random.Generator, size: int) -> AddressSet:
    bits = rng.choice(HOST_BITS, size)
    first = (rng.integers(1 << 24, 224 << 24, size) >> bits << bits).astype(np.uint32)
    return from_prefixes4(first, (32 - bits).astype(np.uint8))


def _outside(rng: np.random.Generator, held: AddressSet) -> npt.NDArray[np.uint32]:
    """Return as many addresses as a round has packets, none of which is listed."""
    some = rng.integers(1 << 24, 126 << 24, 2 * PACKETS).astype(np.uint32)
    return some[~held.contains4(some)][:PACKETS]


def _set_up_link() -> None:
    """Make a link with nobody at its other end, where the kernel drops what it has sent."""
    for command in (
        "link add v0 type veth peer name v1",
        "link set v0 up",
        "address add 192.0.2.1/24 dev v0",
        "neighbour add 192.0.2.2 lladdr 02:00:00:00:00:02 dev v0",
        "route add default via 192.0.2.2",
    ):
        subprocess.run(["ip", *command.split()], check=True, timeout=TIMEOUT)


def _with(rules: str, send: Sender) -> list[float]:
    """Return the µs of a packet under these rules, for each call with packets."""
    subprocess.run(["iptables-restore"], input=rules, text=True, check=True, timeout=TIMEOUT)
    send()  # the tables come into whatever cache they fit into
    return send()


@contextmanager
def _sender(addresses: npt.NDArray[np.uint32]) -> Iterator[Sender]:
    """Yield what sends one datagram to each address, a thousand in a call."""
    library = ctypes.CDLL(None, use_errno=True)
    targets = np.zeros(
        len(addresses), [("family", "=u2"), ("port", ">u2"), ("ip", ">u4"), ("", "8V")]
    )
    targets["family"], targets["port"], targets["ip"] = socket.AF_INET, 9, addresses
    payload = np.frombuffer(b"x" * 32, np.uint8)
    vector = np.array([(payload.ctypes.data, len(payload))], [("base", "=u8"), ("length", "=u8")])
    heads = np.zeros(len(addresses), _HEAD)
    heads["name"] = targets.ctypes.data + np.arange(len(addresses)) * targets.itemsize
    heads["name_length"] = targets.itemsize
    heads["vector"], heads["vector_length"] = vector.ctypes.data, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:

        def call(start: int) -> float:
            place = ctypes.c_void_p(heads.ctypes.data + start * heads.itemsize)
            began = time.thread_time()  # not the time in which another process had the processor
            sent = library.sendmmsg(channel.fileno(), place, AT_ONCE, 0)
            seconds = time.thread_time() - began
            if sent != AT_ONCE:
                raise RowSkipped(f"packets are refused: {os.strerror(ctypes.get_errno())}")
            return seconds / AT_ONCE * 1e6

        def send() -> list[float]:
            return [call(start) for start in range(0, len(heads), AT_ONCE)]

        yield send
