"""What docs/web-automation.md has people write for their name servers is taken by these."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import dns.query
import dns.rcode
import dns.zone
import pytest

from tests.fakes.authority import Authority
from tests.fakes.foreground import NotInstalled, program
from tests.fakes.portal_servers import BIND_LIMITS, TLS_NAME, PortalBind, PortalKnot, PortalServer
from tests.fleet.primary.console import POLICY, Device, held, listed, report, served, settings

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "web-automation.md"
_RNDC_KEY = 'key "rndc-key" { algorithm hmac-sha256; secret "c2VjcmV0"; };'
_OPTIONS = """\
options {{
    directory "{folder}";
    pid-file none;
    session-keyfile none;
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    notify no;
}};
controls {{ }};
"""


@pytest.fixture(scope="module")
def primary() -> Iterator[PortalBind]:
    try:
        with PortalBind() as server:
            yield server
    except NotInstalled as error:
        pytest.skip(str(error))


def block(begins: str, **places: object) -> str:
    """Return the block of the document that begins so, with other places put into it."""
    texts = DOCUMENT.read_text(encoding="utf-8").split("```")[1::2]
    (found,) = (
        text for text in (one.partition("\n")[2] for one in texts) if text.startswith(begins)
    )
    for name, place in places.items():
        assert _PLACES[name] in found
        found = found.replace(_PLACES[name], str(place))
    return found


_PLACES = {
    "certificate": "/etc/bind/portal.pem",
    "key": "/etc/bind/portal.key",
    "front": "/etc/haproxy/portal.pem",
    "ca": "/etc/bind/ca.pem",
    "rndc": "/etc/bind/rndc.key",
    "bind_include": "/var/lib/bind/tscm/tscm.conf",
    "bind_folder": "/var/cache/bind",
    "knot_include": "/var/lib/knot/tscm/tscm.conf",
    "knot_folder": '"/var/lib/knot"',
    "host": "portal.example.net",
    "server": "192.0.2.53 port 5353",
    "network": "203.0.113.0/24",
}


def checked(package: str, *command: str) -> str:
    """Return what a program says against a configuration."""
    try:
        path = program(command[0], package)
    except NotInstalled as error:
        pytest.skip(str(error))
    done = subprocess.run(
        [path, *command[1:]], check=False, capture_output=True, text=True, timeout=60
    )
    return done.stdout + done.stderr if done.returncode else ""


class DocumentedBind(PortalBind):
    """A BIND as documented, but for its places and what it needs beside another one."""

    def command(self) -> list[str]:
        """Write the configuration, and return what starts the server."""
        command = super().command()
        (self.folder / "rndc.key").write_text(_RNDC_KEY)
        rndc = (
            f"{_RNDC_KEY}\noptions {{ default-key rndc-key; default-server 127.0.0.1;"
            f" default-port {self.control_port}; }};\n"
        )
        (self.folder / "rndc.conf").write_text(rndc)
        documented = block(
            "tls tscm",
            certificate=self.certificate,
            key=self.certificate,
            rndc=self.folder / "rndc.key",
            bind_include=self.include,
            bind_folder=self.folder,
        )
        own = {
            "port 53 {": f"port {self.port} {{",
            "port 5353 tls tscm { any; }": f"port {self.tls_port} tls tscm {{ 127.0.0.1; }}",
            "listen-on-v6 port": "# listen-on-v6 port",
            "recursion no;": "recursion no; pid-file none; session-keyfile none;",
            "inet 127.0.0.1 allow": f"inet 127.0.0.1 port {self.control_port} allow",
        }
        (self.folder / "named.conf").write_text(placed(documented, own))
        return command


class DocumentedKnot(PortalKnot):
    """A Knot and haproxy as documented, but for their places."""

    def command(self) -> list[str]:
        """Write the configurations, and return what starts the server."""
        command = super().command()
        knot = block("server:", knot_include=self.include, knot_folder=f'"{self.folder}"')
        own = {"server:\n": f'server:\n    rundir: "{self.folder}"\n', "@53": f"@{self.port}"}
        (self.folder / "knot.conf").write_text(placed(knot, own))
        return command

    def front(self) -> str:
        """Return the configuration of haproxy."""
        own = {
            "bind :5353": f"bind 127.0.0.1:{self.tls_port}",
            "bind :::5353": "# bind :::5353",
            "127.0.0.1:53\n": f"127.0.0.1:{self.port}\n",
        }
        return placed(block("listen dot", front=self.certificate), own)


def placed(text: str, places: Mapping[str, str]) -> str:
    """Return a configuration with other places; each is one that it has."""
    for named, place in places.items():
        assert named in text
        text = text.replace(named, place)
    return text


@pytest.mark.parametrize("kind", [DocumentedBind, DocumentedKnot])
def test_a_server_as_documented_is_written_and_serves_devices_by_tls(
    kind: type[PortalServer],
) -> None:
    device = Device("td_1")
    try:
        with kind() as server:
            console = server.primary()
            console.configure(served(device))
            assert console.write([settings(device, 10, nickname="gw")]) == {}
            assert held(server, device.zone, key=device.key, tls=True).serial == 10
            assert report(server, device, at=f"version.{device.name}") == dns.rcode.NOERROR
    except NotInstalled as error:
        pytest.skip(str(error))


def test_bind_takes_what_is_documented(primary: PortalBind, tmp_path: Path) -> None:
    (tmp_path / "rndc.key").write_text(_RNDC_KEY)
    (tmp_path / "tscm.conf").touch()
    (tmp_path / "named.conf").write_text(
        block(
            "tls tscm",
            certificate=primary.certificate,
            key=primary.certificate,
            rndc=tmp_path / "rndc.key",
            bind_include=tmp_path / "tscm.conf",
            bind_folder=tmp_path,
        )
    )
    assert checked("bind9-utils", "named-checkconf", str(tmp_path / "named.conf")) == ""


def test_the_bind_of_these_tests_bounds_connections_as_documented() -> None:
    documented = block("tls tscm").splitlines()
    assert {f"    {limit}" for limit in BIND_LIMITS} <= set(documented)


def test_knot_and_haproxy_take_what_is_documented(primary: PortalBind, tmp_path: Path) -> None:
    (tmp_path / "tscm.conf").touch()
    knot = block("server:", knot_include=tmp_path / "tscm.conf", knot_folder=f'"{tmp_path}"')
    (tmp_path / "knot.conf").write_text(knot)
    (tmp_path / "haproxy.cfg").write_text(block("listen dot", front=primary.certificate))
    assert checked("knot", "knotc", "-c", str(tmp_path / "knot.conf"), "conf-check") == ""
    assert checked("haproxy", "haproxy", "-c", "-f", str(tmp_path / "haproxy.cfg")) == ""


class Secondary(Authority):
    """A BIND that carries a policy, as documented."""

    def __init__(self, primary: PortalBind) -> None:
        super().__init__([POLICY], ready_within=30)
        self._primary = primary

    def command(self) -> list[str]:
        """Write the configuration, and return what starts the server."""
        ca = self.folder / "ca.pem"
        ca.write_text(self._primary.ca)
        zone = block(
            "tls portal",
            ca=ca,
            host=TLS_NAME,
            server=f"127.0.0.1 port {self._primary.tls_port}",
            network="127.0.0.1",
        )
        configuration = self.folder / "named.conf"
        configuration.write_text(_OPTIONS.format(folder=self.folder, port=self.port) + zone)
        return [program("named", "bind9"), "-g", "-c", str(configuration)]


def test_a_documented_secondary_carries_a_policy_by_tls(primary: PortalBind) -> None:
    console = primary.primary()
    console.configure(served(Device("td_1"), policy=True, networks=["127.0.0.1"]))
    assert console.write([listed(10, range(20), digest="whole")]) == {}
    with Secondary(primary) as secondary:
        copy = dns.zone.Zone(POLICY)
        dns.query.inbound_xfr("127.0.0.1", copy, port=secondary.port, timeout=10)
    assert copy.get_rdataset("digest", "TXT") is not None
    assert copy.get_soa().serial == 10
