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

from enforcement.kernel.layout import SETS
from tests.fakes.namespace_log import namespaces_log

_SECONDS = 20


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
def kernel_log(again: Callable[[], object]) -> Iterator[Callable[[str], str]]:
    """Let LOG speak from this namespace, and yield what waits for the next line that has a word.

    Other tests log as well, and the kernel overwrites what nobody has read: `again` is done where
    lines were lost.
    """
    with namespaces_log():
        log = os.open(Path("/dev/kmsg"), os.O_RDONLY | os.O_NONBLOCK)
        try:
            os.lseek(log, 0, os.SEEK_END)
            again()
            yield lambda word: _line_with(log, word, again)
        finally:
            os.close(log)


def _line_with(log: int, word: str, again: Callable[[], object]) -> str:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        try:
            line = os.read(log, 8192).decode(errors="replace")
        except BlockingIOError:
            time.sleep(0.02)  # polled: nothing tells when a line comes
            continue
        except BrokenPipeError:
            again()
            continue
        if word in line:
            return line
    raise AssertionError(f"no line with {word!r} in the kernel log")
