"""A portal's primary: a real BIND or Knot with what the console writes for it, by TCP and TLS."""

from __future__ import annotations

import base64
import shlex
import socket
import subprocess
from pathlib import Path
from typing import Literal, Self

import trustme

from fleet.primary.base import Primary
from fleet.primary.build import PrimarySettings, build_primary
from tests.fakes.foreground import Foreground, free_port, program

TLS_NAME = "portal.example"
SECRET = b"the console's own key, 32 bytes."

# Connections that do nothing hold one of few places, which all ports share, for half a minute.
BIND_LIMITS = ("tcp-clients 3000;", "tcp-initial-timeout 50;")

_RNDC = """\
key "rndc" {{ algorithm hmac-sha256; secret "{secret}"; }};
options {{ default-key "rndc"; default-server 127.0.0.1; default-port {control_port}; }};
"""
_BIND = """\
key "rndc" {{ algorithm hmac-sha256; secret "{secret}"; }};
tls ours {{ cert-file "{certificate}"; key-file "{certificate}"; protocols {{ TLSv1.3; }}; }};
options {{
    directory "{folder}";
    pid-file none;
    session-keyfile none;
    listen-on port {port} {{ {address}; }};
    listen-on port {tls_port} tls ours {{ {address}; }};
    listen-on-v6 {{ none; }};
    {limits}
    recursion no;
    dnssec-validation no;
    notify explicit;
{options}
}};
controls {{ inet 127.0.0.1 port {control_port} allow {{ 127.0.0.1; }} keys {{ "rndc"; }}; }};
include "{include}";
"""
_KNOT = """\
server:
    rundir: "{folder}"
    listen: {address}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 2
{options}
database:
    storage: "{folder}"
log:
  - target: stderr
    any: info
include: "{include}"
"""
_HAPROXY = """\
global
    maxconn 500
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen dot
    bind {address}:{tls_port} ssl crt {certificate} alpn dot ssl-min-ver TLSv1.3
    server knot {address}:{port}
"""


class PortalServer(Foreground):
    """A primary that takes what a console lays into its folder, and serves devices by TLS.

    The console speaks to it by TCP at `port`, devices by TLS at `tls_port`, where it shows a
    certificate for `TLS_NAME` and its address, of the authority `ca` (PEM).
    """

    kind: Literal["bind", "knot"]

    def __init__(
        self,
        *,
        way: Literal["update", "file"] = "update",
        domain: str = "tscm.internal",
        address: str = "127.0.0.1",
        options: str = "",
    ) -> None:
        """`options` are further ones of the server's own configuration."""
        super().__init__()
        self.way: Literal["update", "file"] = way
        self.domain = domain
        self.address = address
        self.tls_port, self.control_port = free_port(), free_port()
        self.include = self.folder / "portal" / "tscm.conf"
        self._options = options
        self._authority = trustme.CA()
        self.ca = self._authority.cert_pem.bytes().decode()

    @property
    def control(self) -> tuple[str, ...]:
        """The program that tells it things, with its first arguments."""
        raise NotImplementedError

    @property
    def settings(self) -> PrimarySettings:
        """What a console must know of it."""
        return PrimarySettings(
            host=self.address,
            port=self.port,
            domain=self.domain,
            kind=self.kind,
            way=self.way,
            folder=self.include.parent,
            control=self.control,
            key=SECRET,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The same for a console in processes of its own."""
        return {
            "TSCM_PORTAL_PRIMARY": f"{self.address}:{self.port}",
            "TSCM_PORTAL_SERVER": self.kind,
            "TSCM_PORTAL_WAY": self.way,
            "TSCM_PORTAL_DOMAIN": self.domain,
            "TSCM_PORTAL_DIR": str(self.include.parent),
            "TSCM_PORTAL_CONTROL": shlex.join(self.control),
            "TSCM_PORTAL_KEY": base64.b64encode(SECRET).decode(),
            "TSCM_PORTAL_ADDRESS": f"{self.address}:{self.tls_port}",
            "TSCM_PORTAL_TLS_NAME": TLS_NAME,
        }

    def primary(self) -> Primary:
        """Return what a console writes to it with."""
        return build_primary(self.settings)

    def is_ready(self) -> bool:
        """Tell whether it takes orders."""
        asked = subprocess.run([*self.control, "status"], check=False, capture_output=True)
        return asked.returncode == 0

    def stop(self, *, at_once: bool = False) -> None:
        """End the server; what it wrote stays. `at_once`: as a power cut would."""
        assert self._process is not None
        (self._process.kill if at_once else self._process.terminate)()
        self._process.wait(30)

    def start(self) -> None:
        """Start it again."""
        self.__enter__()

    def lay_out(self) -> None:
        """Make the console's folder with an include that says nothing, and the certificate."""
        self.include.parent.mkdir(exist_ok=True)
        self.include.touch()
        if not self.certificate.exists():
            certificate = self._authority.issue_cert(TLS_NAME, self.address)
            certificate.private_key_and_cert_chain_pem.write_to_path(self.certificate)

    @property
    def certificate(self) -> Path:
        """Its certificate and the key."""
        return self.folder / "certificate.pem"


class PortalBind(PortalServer):
    """BIND, which speaks TLS itself."""

    kind = "bind"

    @property
    def control(self) -> tuple[str, ...]:
        """The rndc of this server."""
        return (program("rndc", "bind9-utils"), "-c", str(self.folder / "rndc.conf"))

    def command(self) -> list[str]:
        """Write the configuration, and return what starts the server."""
        self.lay_out()
        values = {
            "folder": self.folder,
            "address": self.address,
            "port": self.port,
            "tls_port": self.tls_port,
            "control_port": self.control_port,
            "certificate": self.certificate,
            "limits": " ".join(BIND_LIMITS),
            "options": self._options,
            "include": self.include,
            "secret": base64.b64encode(SECRET).decode(),
        }
        for name, text in {"named.conf": _BIND, "rndc.conf": _RNDC}.items():
            (self.folder / name).write_text(text.format(**values), encoding="ascii")
        return [program("named", "bind9"), "-g", "-c", str(self.folder / "named.conf")]


class PortalKnot(PortalServer):
    """Knot DNS, with haproxy in front of it for TLS, which Knot 3.2 does not speak."""

    kind = "knot"
    _front: subprocess.Popen[bytes] | None = None

    @property
    def control(self) -> tuple[str, ...]:
        """The knotc of this server."""
        return (program("knotc", "knot"), "-s", str(self.folder / "knot.sock"))

    def command(self) -> list[str]:
        """Write the configuration, and return what starts the server."""
        self.lay_out()
        values = {
            "folder": self.folder,
            "address": self.address,
            "port": self.port,
            "options": self._options,
            "include": self.include,
        }
        (self.folder / "knot.conf").write_text(_KNOT.format(**values), encoding="ascii")
        return [program("knotd", "knot"), "-c", str(self.folder / "knot.conf")]

    def front(self) -> str:
        """Return the configuration of haproxy."""
        return _HAPROXY.format(
            address=self.address,
            port=self.port,
            tls_port=self.tls_port,
            certificate=self.certificate,
        )

    def __enter__(self) -> Self:
        if self._front is None:
            self.lay_out()
            (self.folder / "haproxy.cfg").write_text(self.front(), encoding="ascii")
            self._front = subprocess.Popen(
                [
                    program("haproxy", "haproxy"),
                    "-db",
                    "-q",
                    "-f",
                    str(self.folder / "haproxy.cfg"),
                ],
                stdin=subprocess.DEVNULL,
            )
        return super().__enter__()

    def is_ready(self) -> bool:
        """Tell whether it takes orders, and devices are let through to it."""
        try:
            socket.create_connection((self.address, self.tls_port), timeout=2).close()
        except OSError:
            return False
        return super().is_ready()

    def _end(self) -> None:
        if self._front is not None:
            self._front.kill()
            self._front.wait()
        super()._end()


SERVERS: dict[str, type[PortalServer]] = {"bind": PortalBind, "knot": PortalKnot}
