"""A client, a gateway and a server as network namespaces, joined by veth: real packets, no network.

The gateway is the namespace that the tests run in (`unshare --net`, see deploy/test.sh); client and
server are made for one test and removed after it. All addresses are for documentation.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

CLIENT4, CLIENT6 = "192.0.2.2", "2001:db8:1::2"
GATEWAY4, GATEWAY6 = ("192.0.2.1", "198.51.100.1"), ("2001:db8:1::1", "2001:db8:2::1")
SERVER4, SERVER6 = "198.51.100.2", "2001:db8:2::2"
# More addresses of the server, for what is to be blocked and allowed.
MORE4 = tuple(f"198.51.100.{last}" for last in range(10, 20))
MORE6 = tuple(f"2001:db8:2::{last:x}" for last in range(0x10, 0x1A))
_SECONDS = 20
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Lab:
    """The three hosts; "gateway" is this namespace."""

    client: str
    server: str

    def run(self, host: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on "client", "server" or "gateway" and return how it ended."""
        return subprocess.run(
            [*self.prefix(host), *command],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=check,
        )

    def prefix(self, host: str) -> Sequence[str]:
        """Return what stands before a command that runs on a host."""
        if host == "gateway":
            return ()
        return ("ip", "netns", "exec", self.client if host == "client" else self.server)

    def pings(self, host: str, address: str) -> bool:
        """Tell whether an address answers one ping from a host, within a second."""
        return self.run(host, "ping", "-n", "-c1", "-W1", address, check=False).returncode == 0

    def mark(self) -> str:
        """Return what the kernel log says of each packet from the client to this gateway alone.

        The log is one for the whole machine; the gateway's own address on that link is random.
        """
        links = json.loads(self.run("gateway", "ip", "-j", "link", "show", "cl0").stdout)
        return f"MAC={links[0]['address']}:"

    @contextmanager
    def listening(self, host: str, address: str, port: int) -> Iterator[None]:
        """Have a host answer TCP connections with "hello" and hold them open."""
        program = (
            "import socket,sys,threading\n"
            "family=socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET\n"
            "server=socket.create_server((sys.argv[1],int(sys.argv[2])),family=family)\n"
            "print('ready',flush=True)\n"
            "held=[]\n"
            "while True:\n"
            "    one,_=server.accept(); one.sendall(b'hello'); held.append(one)\n"
        )
        command = [*self.prefix(host), "python3", "-c", program, address, str(port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline().strip() == "ready"
                yield
            finally:
                process.kill()

    def connects(self, host: str, address: str, port: int) -> bool:
        """Tell whether a TCP connection from a host to an address comes about within a second."""
        program = (
            "import socket,sys\n"
            "one=socket.create_connection((sys.argv[1],int(sys.argv[2])),timeout=1)\n"
            "sys.exit(one.recv(5)!=b'hello')\n"
        )
        command = ("python3", "-c", program, address, str(port))
        return self.run(host, *command, check=False).returncode == 0


@contextmanager
def lab() -> Iterator[Lab]:
    """Make client and server around this namespace, with routes and forwarding, for the block."""
    mark = secrets.token_hex(3)
    made = Lab(f"tscm-c-{mark}", f"tscm-s-{mark}")
    _forget_connections()
    with ExitStack() as undo:
        # Else no IPv6 address answers for the first second or two.
        Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0")
        for name, link, ours, theirs in (
            (made.client, "cl0", (GATEWAY4[0], GATEWAY6[0]), ((CLIENT4,), (CLIENT6,))),
            (
                made.server,
                "sv0",
                (GATEWAY4[1], GATEWAY6[1]),
                ((SERVER4, *MORE4), (SERVER6, *MORE6)),
            ),
        ):
            _ip("netns", "add", name)
            undo.callback(_ip, "netns", "delete", name)
            _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
            undo.callback(_ip, "link", "delete", link)
            _set_up(link, *ours)
            _set_up_peer(name, ours, theirs)
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
        yield made


def _forget_connections() -> None:
    """Empty the connection table: tests before in this namespace have left theirs in it."""
    program = shutil.which("conntrack", path=_PATH)
    if program is not None:  # tests that look at the table need it; setup.sh brings it
        subprocess.run([program, "-F"], capture_output=True, timeout=_SECONDS, check=False)


def _set_up(link: str, v4: str, v6: str) -> None:
    _ip("address", "add", f"{v4}/24", "dev", link)
    _ip("address", "add", f"{v6}/64", "dev", link, "nodad")
    _ip("link", "set", link, "up")


def _set_up_peer(
    name: str, gateway: tuple[str, str], addresses: tuple[Sequence[str], Sequence[str]]
) -> None:
    inside = ("-n", name)
    _ip("netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0")
    _ip(*inside, "link", "set", "lo", "up")
    for address in addresses[0]:
        _ip(*inside, "address", "add", f"{address}/24", "dev", "eth0")
    for address in addresses[1]:
        _ip(*inside, "address", "add", f"{address}/64", "dev", "eth0", "nodad")
    _ip(*inside, "link", "set", "eth0", "up")
    _ip(*inside, "route", "add", "default", "via", gateway[0])
    _ip(*inside, "-6", "route", "add", "default", "via", gateway[1])


def _ip(*arguments: str) -> None:
    environment = {**os.environ, "PATH": _PATH}
    done = subprocess.run(
        ["ip", *arguments],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        env=environment,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
