"""A fleet from one wire to the next: consoles, name servers, gateways and a firewall's appliance.

    portal ─▶ bind ─┬─▶ gw1                  ┌─▶ gw2
                    └─▶ appliance ─▶ knot ───┘

The appliance is a device of the portal, and a portal itself: it hands on what it got.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.appliance import CHECKOUT, Appliance, wait_until
from tests.fakes.portal_servers import PortalBind, PortalKnot, PortalServer
from tests.fleet.network.hosts import Hosts, hosts

NAMES = ("portal", "bind", "knot", "gw1", "gw2", "appliance", "fmc")
# Whose packets a gateway forwards.
BEHIND = {"pc1": "gw1", "pc2": "gw2"}
# What answers at public addresses: one that is to be blocked, one that is blocked, one that is not.
NEWLY, LISTED, OTHER = "5.6.10.9", "5.6.7.8", "5.6.8.1"
FEED_PORT = 8001
_SECONDS = 100
_PATIENCE = 90.0  # seconds: machines that run tests are busy


def eventually(condition: Callable[[], object], *, what: str) -> None:
    """Wait until a condition holds."""
    wait_until(condition, seconds=_PATIENCE, what=what)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The result for programs."""
        assert self.code == 0, self.stdout + self.stderr
        return json.loads(self.stdout)

    @property
    def error(self) -> str:
        """The one line that says what went wrong."""
        assert self.code == 1, self.stdout + self.stderr
        return self.stderr.splitlines()[-1].removeprefix("Error: ")


_COMMANDS = """
import json
from typer.testing import CliRunner
from tsadmin.app import app
answers = [CliRunner().invoke(app, one, prog_name="tsadmin") for one in {commands!r}]
print(json.dumps([[one.exit_code, one.stdout, one.stderr] for one in answers]))
"""


class Machine:
    """An appliance on a host of its own."""

    def __init__(self, there: Hosts, host: str, appliance: Appliance) -> None:
        self.hosts, self.host, self.appliance = there, host, appliance

    def start(self, *names: str) -> None:
        """Start processes of the appliance on its host."""
        with self.hosts.inside(self.host):
            for name in names:
                self.appliance.start(name)
                if name == "broker":
                    socket = self.appliance.data_dir / "run" / "redis.sock"
                    wait_until(socket.exists, what="the broker")

    def restart(self, name: str) -> None:
        """End a process of the appliance, and start it again."""
        process = self.appliance.processes[name]
        process.terminate()
        process.wait(timeout=30)
        self.start(name)

    def python(self, program: str) -> Any:
        """Run a program there, and return what it printed, read as JSON."""
        with self.hosts.inside(self.host):
            return self.appliance.python(program)

    def begin(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start `tsadmin` there as an administrator does, with nobody at the keyboard."""
        with self.hosts.inside(self.host):
            return subprocess.Popen(
                [sys.executable, "-m", "tsadmin", *arguments],
                cwd=CHECKOUT,
                env={**self.appliance.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

    def tsadmin(self, *arguments: str, **environment: str) -> Answer:
        """Run `tsadmin` there to its end."""
        return answer_of(self.begin(*arguments, **environment))

    def commands(self, *lines: str) -> list[Answer]:
        """Run several commands in one process, which is quicker."""
        lists = [line.split() for line in lines]
        return [Answer(*one) for one in self.python(_COMMANDS.format(commands=lists))]

    def row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        """Return the first row of a query on its database."""
        return self.appliance.row(query, *values)

    def change(self, statement: str, *values: object) -> None:
        """Change rows of its database."""
        with closing(sqlite3.connect(self.database, timeout=20)) as connection, connection:
            connection.execute(statement, values)

    @property
    def database(self) -> Path:
        """The file."""
        return self.appliance.data_dir / "tscm.sqlite3"


def answer_of(process: subprocess.Popen[str]) -> Answer:
    """Return what a command answers, at its end."""
    stdout, stderr = process.communicate(timeout=_SECONDS)
    assert "Traceback" not in stdout + stderr, stdout + stderr
    return Answer(process.returncode, stdout, stderr)


class RemoteBind(PortalBind):
    """A BIND that takes orders from a console on another machine."""

    def command(self) -> list[str]:
        """Write the configuration, and return what starts the server."""
        started = super().command()
        for name in ("named.conf", "rndc.conf"):
            path = self.folder / name
            text = path.read_text(encoding="ascii").replace(
                "allow { 127.0.0.1; }", "allow { any; }"
            )
            path.write_text(text.replace("127.0.0.1", self.address), encoding="ascii")
        return started


@dataclass(frozen=True, slots=True)
class Fleet:
    """All of it running, by the names of the hosts."""

    hosts: Hosts
    machines: Mapping[str, Machine]
    servers: Mapping[str, PortalServer]

    def portal_of(self, name: str) -> Machine:
        """Return the console that a device is steered from."""
        return self.machines["appliance" if name == "gw2" else "portal"]

    def restart(self, server: str) -> None:
        """Stop a name server and start it again."""
        self.servers[server].stop()
        with self.hosts.inside(server):
            self.servers[server].start()


@contextmanager
def fleet(folder: Path) -> Iterator[Fleet]:
    """Make a fleet for the block; nothing is linked yet."""
    with ExitStack() as undo:
        there = undo.enter_context(hosts(NAMES, behind=BEHIND, world=(NEWLY, LISTED, OTHER)))
        at = there.addresses
        servers = {"bind": RemoteBind(address=at["bind"]), "knot": PortalKnot(address=at["knot"])}
        for host, server in servers.items():
            server.port, server.tls_port = 53, 5353
            with there.inside(host):
                undo.enter_context(server)
        machines: dict[str, Machine] = {}
        for name, (asks, serves) in _PARTS.items():
            ca = folder / f"{name}.pem"
            ca.write_text(servers[asks].ca if asks else "")
            environment = _environment(name, ca) | (servers[serves].environment if serves else {})
            database = machines["portal"].database if machines else None
            appliance = Appliance(folder / name, database=database, **environment)
            machines[name] = Machine(there, name, appliance)
        undo.callback(_stop, tuple(machines.values()))
        for name, machine in machines.items():
            machine.start("broker", "worker", "beat", *_MORE[name])
        yield Fleet(there, machines, servers)


# Which server each asks for its settings, and which it writes those of others to.
_PARTS: Mapping[str, tuple[str, str]] = {
    "portal": ("", "bind"),
    "gw1": ("bind", ""),
    "appliance": ("bind", "knot"),
    "gw2": ("knot", ""),
}
_MORE = {"portal": (), "gw1": ("enforcer",), "appliance": ("feeds",), "gw2": ("enforcer",)}


def _stop(machines: Iterable[Machine]) -> None:
    """End the processes of all machines: all are told before one is waited for."""
    for machine in machines:
        for process in machine.appliance.processes.values():
            process.terminate()
    for machine in machines:
        machine.appliance.stop()


def _environment(name: str, ca: Path) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "tests.fleet.network.settings",
        "TSCM_NODE": name,
        "TSCM_LINK_SECONDS": "2",
        "TSCM_WORKER_CONCURRENCY": "1",
        "TSCM_FEED_BIND": f"0.0.0.0:{FEED_PORT}",
        "TSCM_ENFORCE": "yes" if name in BEHIND.values() else "no",
        "TSCM_LINK_CA": str(ca) if ca.read_text() else "",
    }
