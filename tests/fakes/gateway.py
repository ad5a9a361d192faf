"""The gateway's own tables: our sets made by the ipset tool, and all of it gone afterwards."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from enforcement.kernel.layout import SETS

_SECONDS = 20
_ALL_NAMESPACES = "net.netfilter.nf_log_all_netns"


def sh(*command: str, given: str = "") -> str:
    """Run a command in this namespace and return what it said; raises with its complaint."""
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Gateway:
    """The tables of this namespace, written by programs of one backend."""

    program: str  # "iptables-legacy" or "iptables-nft"

    def command(self, version: int) -> str:
        """Return the command of a family."""
        return self.program if version == 4 else self.program.replace("ip", "ip6", 1)

    def iptables(self, version: int, *arguments: str) -> str:
        """Do what another program or person might do."""
        return sh(self.command(version), "-w", "5", *arguments)

    def list(self, role: Literal["block", "allow"], *addresses: str) -> None:
        """Put addresses and networks into our sets."""
        for address in addresses:
            kind = "net" if "/" in address else "addr"
            sh("ipset", "add", f"TS{role}{kind}{'6' if ':' in address else ''}", address)

    def says(self, version: int) -> str:
        """Return the filter table as the backend's own program shows it."""
        return sh(f"{self.command(version)}-save", "-t", "filter")


@contextmanager
def gateway(program: str) -> Iterator[Gateway]:
    """Make our sets for the block, empty; afterwards no set and no rule is in this namespace."""
    for name in SETS:
        kind = "hash:net" if name.is_net else "hash:ip"
        sh("ipset", "create", str(name), kind, "family", "inet" if name.version == 4 else "inet6")
    try:
        yield Gateway(program)
    finally:
        clean()


def clean() -> None:
    """Take every rule and set out of this namespace, whoever made it."""
    sh("nft", "flush", "ruleset")
    for command in ("iptables-legacy", "ip6tables-legacy"):
        for chain in ("INPUT", "FORWARD", "OUTPUT"):
            sh(command, "-P", chain, "ACCEPT")
        sh(command, "-F")
        sh(command, "-X")
    sh("ipset", "destroy")


@contextmanager
def kernel_log() -> Iterator[Callable[[str], str]]:
    """Let LOG speak from this namespace, and yield what waits for the next line that has a word.

    The kernel's switch is one for the whole machine; it is put back.
    """
    host = _first_namespace()
    before = sh(*host, "sysctl", "-n", _ALL_NAMESPACES).strip()
    sh(*host, "sysctl", "-qw", f"{_ALL_NAMESPACES}=1")
    log = os.open(Path("/dev/kmsg"), os.O_RDONLY | os.O_NONBLOCK)
    try:
        os.lseek(log, 0, os.SEEK_END)
        yield lambda word: _line_with(log, word)
    finally:
        os.close(log)
        sh(*host, "sysctl", "-qw", f"{_ALL_NAMESPACES}={before}")


def _first_namespace() -> tuple[str, ...]:
    """Return what stands before a command that runs where the machine's own switches are.

    That is where one of the processes that led to this one lives; process 1 may not let us in.
    """
    process = os.getppid()
    while process > 1:
        prefix = ("nsenter", "--target", str(process), "--net")
        known = subprocess.run(
            [*prefix, "sysctl", "-n", _ALL_NAMESPACES], capture_output=True, check=False
        )
        if known.returncode == 0:
            return prefix
        status = Path(f"/proc/{process}/status").read_text()
        process = int(status.split("PPid:")[1].split()[0])
    pytest.skip("the machine's own network namespace, where logging is switched, is out of reach")


def _line_with(log: int, word: str) -> str:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        try:
            line = os.read(log, 8192).decode(errors="replace")
        except BlockingIOError:
            time.sleep(0.02)  # polled: nothing tells when a line comes
            continue
        except BrokenPipeError:
            continue  # lines were written faster than they were read, and some are gone
        if word in line:
            return line
    raise AssertionError(f"no line with {word!r} in the kernel log")
