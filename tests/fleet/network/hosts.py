"""Hosts as network namespaces around a router, for the tests of a whole fleet.

Each host has one address, and a way to every other by the router. The namespace of the tests has no
part in it: whoever wants to speak to a host goes inside.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWNET = 0x4000_0000  # linux/sched.h; os.setns comes with Python 3.12
_OURS = Path("/proc/thread-self/ns/net")
_NAMED = Path("/run/netns")
_SECONDS = 20
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_ROUTER = "router"


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts by name, each with its address; `mark` is in the names of their namespaces."""

    addresses: Mapping[str, str]
    mark: str

    @contextmanager
    def inside(self, host: str) -> Iterator[None]:
        """Be on a host for the block: sockets that are opened, and programs that are started."""
        with _OURS.open("rb") as ours, (_NAMED / self.namespace(host)).open("rb") as theirs:
            _enter(theirs.fileno())
            try:
                yield
            finally:
                _enter(ours.fileno())

    def namespace(self, host: str) -> str:
        """Return what the namespace of a host is called."""
        return f"tscm-{self.mark}-{host}"

    def run(self, host: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on a host and return how it ended."""
        with self.inside(host):
            return subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=check,
                env={**os.environ, "PATH": _PATH},
            )

    def pings(self, host: str, address: str) -> bool:
        """Tell whether an address answers one ping from a host, within a second."""
        return self.run(host, "ping", "-n", "-c1", "-W1", address, check=False).returncode == 0


@contextmanager
def hosts(
    names: tuple[str, ...], *, behind: Mapping[str, str], world: tuple[str, ...]
) -> Iterator[Hosts]:
    """Make hosts for the block; some lie `behind` another, which forwards for them.

    The router also answers at the addresses of the `world`.
    """
    addresses = {name: f"10.77.{number}.2" for number, name in enumerate((*names, *behind), 1)}
    made = Hosts(addresses, secrets.token_hex(3))
    with ExitStack() as undo:
        for name in (_ROUTER, *addresses):
            _ip("", f"netns add {made.namespace(name)}")
            undo.callback(_ip, "", f"netns delete {made.namespace(name)}")
        for name in addresses:
            _join(made, name, to=behind.get(name, _ROUTER))
        for name, gateway in behind.items():
            network = f"{addresses[name].removesuffix('.2')}.0/24"
            _ip(made.namespace(_ROUTER), f"route add {network} via {addresses[gateway]}")
        _ip(made.namespace(_ROUTER), *(f"address add {one}/32 dev lo" for one in world))
        for name in {_ROUTER, *behind.values()}:
            with made.inside(name):
                Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        yield made


def _join(made: Hosts, name: str, *, to: str) -> None:
    """Join a host to the one that forwards for it."""
    network = made.addresses[name].removesuffix(".2")
    far, near = made.namespace(to), made.namespace(name)
    _ip(far, f"link add {name} type veth peer name eth0 netns {near}")
    _ip(far, f"address add {network}.1/24 dev {name}", f"link set {name} up", "link set lo up")
    _ip(
        near,
        "link set lo up",
        f"address add {network}.2/24 dev eth0",
        "link set eth0 up",
        f"route add default via {network}.1",
    )


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "a network namespace cannot be entered")


def _ip(namespace: str, *lines: str) -> None:
    """Do what these lines say to `ip`, in a namespace where one is named."""
    done = subprocess.run(
        ["ip", *(("-n", namespace) if namespace else ()), "-batch", "-"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        env={**os.environ, "PATH": _PATH},
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"ip {namespace} {lines}: {done.stderr.strip()}")
