"""Other programs with a say in the firewall: the real ones, on configurations of their own.

They run in this network namespace and touch no file of the machine's own installation.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_SECONDS = 30
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Program:
    """A running firewall, and how it is told something."""

    client: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def tell(self, *words: str) -> str:
        """Give a command and return the answer; raises with the complaint."""
        done = subprocess.run(
            [*self.client, *words],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "PATH": _PATH, **self.environment},
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.stdout.strip()} {done.stderr.strip()}")
        return done.stdout.strip()

    def answers(self, *words: str) -> bool:
        """Tell whether a command succeeds."""
        with suppress(RuntimeError, subprocess.TimeoutExpired):
            self.tell(*words)
            return True
        return False


def until(true: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    end = time.monotonic() + _SECONDS
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"not within {_SECONDS} s: {what}")
        time.sleep(0.05)  # polled: these programs work behind their answers


def need(*programs: str) -> None:
    """Skip the test, and say so, where a program is not installed."""
    for program in programs:
        if shutil.which(program, path=_PATH) is None:
            pytest.skip(f"{program} is not installed")


@contextmanager
def fail2ban(action: str) -> Iterator[Program]:
    """Run fail2ban with one jail, "lab", that bans on command alone."""
    need("fail2ban-server")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree("/etc/fail2ban/action.d", folder / "action.d")
        (folder / "filter.d").mkdir()
        (folder / "filter.d" / "never.conf").write_text(
            "[Definition]\nfailregex = ^never <HOST>$\n"
        )
        (folder / "watched").touch()
        (folder / "fail2ban.conf").write_text(
            f"[Definition]\nloglevel = INFO\nlogtarget = {folder}/log\nsyslogsocket = auto\n"
            f"socket = {folder}/socket\npidfile = {folder}/pid\ndbfile = None\n"
            "dbmaxmatches = 10\ndbpurgeage = 1d\nallowipv6 = auto\n"
        )
        (folder / "jail.conf").write_text(
            f"[lab]\nenabled = true\nbackend = polling\nlogpath = {folder}/watched\n"
            f"filter = never\naction = {action}\nignoreself = false\nusedns = no\n"
        )
        paths = ("-c", name, "-s", f"{name}/socket", "-p", f"{name}/pid")
        program = Program(("fail2ban-client", *paths))
        with _running(("fail2ban-server", *paths, "-xf", "start"), folder):
            until(lambda: program.answers("status", "lab"), "fail2ban starts")
            yield program


@contextmanager
def ufw(*, manages_built_ins: bool) -> Iterator[Program]:
    """Offer ufw on a copy of its files, which a mount namespace puts where it looks for them."""
    need("ufw")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree("/etc/ufw", folder / "etc")
        shutil.copytree("/lib/ufw", folder / "lib")
        defaults = Path("/etc/default/ufw").read_text().splitlines()
        # Its kernel settings would outlive it in this namespace.
        set_here = ("MANAGE_BUILTINS", "IPT_SYSCTL")
        kept = [line for line in defaults if not line.startswith(set_here)]
        manages = "yes" if manages_built_ins else "no"
        (folder / "default").write_text("\n".join([*kept, f"MANAGE_BUILTINS={manages}", ""]))
        mounts = (
            f"mount --bind {name}/etc /etc/ufw && mount --bind {name}/lib /lib/ufw"
            f' && mount --bind {name}/default /etc/default/ufw && exec ufw "$@"'
        )
        program = Program(("unshare", "--mount", "sh", "-c", mounts, "ufw"))
        yield program
        program.tell("disable")


@contextmanager
def firewalld(backend: str) -> Iterator[Program]:
    """Run firewalld with a backend, "iptables" or "nftables", on a message bus of its own."""
    need("firewalld", "firewall-cmd", "dbus-daemon")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bus.conf").write_text(
            "<busconfig>"
            f"<listen>unix:path={name}/bus</listen><auth>EXTERNAL</auth>"
            '<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/>'
            '<allow own="*"/><allow user="*"/></policy></busconfig>'
        )
        (folder / "firewalld.conf").write_text(
            f"DefaultZone=public\nCleanupOnExit=yes\nFirewallBackend={backend}\n"
            "FlushAllOnReload=yes\nIndividualCalls=no\nLogDenied=off\nIPv6_rpfilter=no\n"
        )
        bus = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={name}/bus"}
        program = Program(("firewall-cmd",), bus)
        log = ("--log-target", "file", "--log-file", f"{name}/log")
        daemon = ("firewalld", "--nofork", "--nopid", "--system-config", name, *log)
        bus_daemon = ("dbus-daemon", "--config-file", f"{name}/bus.conf", "--nofork", "--nopidfile")
        with _running(bus_daemon, folder):
            until((folder / "bus").exists, "the message bus starts")
            with _running(daemon, folder, bus):
                until(lambda: program.answers("--state"), "firewalld starts")
                yield program


@contextmanager
def _running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    with (
        (folder / f"{command[0]}.out").open("wb") as said,
        subprocess.Popen(
            command,
            stdout=said,
            stderr=said,
            env={**os.environ, "PATH": _PATH, **(environment or {})},
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
