"""A real rsyslog in the foreground that keeps what it receives or passes it on; not the system's.

NUL is the one byte that rsyslog does not keep. Where the framing is guessed, as it does by default,
a line that begins with a digit is taken for an octet count.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
import trustme

from tests.fakes.foreground import Foreground, NotInstalled, program

_CONFIGURATION = """\
global(workDirectory="{folder}" maxMessageSize="128k" net.enableDNS="off"
       parser.escapeControlCharactersOnReceive="off")
{tls}
module(load="imtcp" {driver})
module(load="imudp")
template(name="kept" type="string" string="%rawmsg%\\n")
template(name="passed-on" type="string" string="%rawmsg%")
ruleset(name="all") {{
    {action}
}}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="all")
input(type="imudp" address="127.0.0.1" port="{port}" ruleset="all" rcvbufSize="4m")
"""
_SERVER_FILES = """\
global(defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="{folder}/ca"
       defaultNetstreamDriverCertFile="{folder}/certificate"
       defaultNetstreamDriverKeyFile="{folder}/key")"""
_SENDER_FILES = 'global(defaultNetstreamDriverCAFile="{folder}/ca")'
_PASS_ON = """\
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="{protocol}" template="passed-on"
           action.resumeInterval="1" action.resumeRetryCount="-1" {driver})"""


def _daemon() -> str:
    return program("rsyslogd", "rsyslog rsyslog-openssl")


def _why_missing() -> str:
    try:
        _daemon()
    except NotInstalled as error:
        return str(error)
    return ""


needs_rsyslog = pytest.mark.skipif(bool(_why_missing()), reason=_why_missing())


@dataclass(frozen=True, slots=True)
class RsyslogTls:
    """Who this rsyslog is, and whether it wants to know who the other side is."""

    authority: trustme.CA
    certificate: trustme.LeafCert
    is_client_known: bool = False  # by a certificate of the same authority


class Rsyslog(Foreground):
    """Takes lines by UDP and TCP, or by TLS, at one port, and keeps them in order of arrival."""

    def __init__(self, *, tls: RsyslogTls | None = None, port: int = 0) -> None:
        super().__init__()
        self.port = port or self.port
        self._tls = tls

    @property
    def received(self) -> bytes:
        """Everything that came so far, each line ended by LF."""
        path = self.folder / "received"
        return path.read_bytes() if path.exists() else b""

    def send(self, *lines: bytes) -> None:
        """Give it lines by TCP, framed by LF."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(b"".join(b"%b\n" % line for line in lines))

    def command(self) -> list[str]:
        """Write the configuration, and return what starts it."""
        configuration = self.folder / "rsyslog.conf"
        tls, driver = self._write_tls()
        text = _CONFIGURATION.format(
            folder=self.folder, tls=tls, driver=driver, action=self._action(), port=self.port
        )
        configuration.write_text(text, encoding="utf-8")
        return [_daemon(), "-n", "-i", str(self.folder / "pid"), "-f", str(configuration)]

    def _action(self) -> str:
        return f'action(type="omfile" file="{self.folder}/received" template="kept")'

    def _write_tls(self) -> tuple[str, str]:
        """Write the files of TLS; return what names them, and what the listener is to do."""
        if self._tls is None:
            return "", ""
        self._tls.authority.cert_pem.write_to_path(self.folder / "ca")
        self._tls.certificate.private_key_pem.write_to_path(self.folder / "key")
        for number, pem in enumerate(self._tls.certificate.cert_chain_pems):
            pem.write_to_path(self.folder / "certificate", append=bool(number))
        mode = "x509/certvalid" if self._tls.is_client_known else "anon"
        driver = f'streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="{mode}"'
        return _SERVER_FILES.format(folder=self.folder), driver


@dataclass(frozen=True, slots=True)
class Onward:
    """Where a sender passes lines on to, on loopback."""

    port: int
    protocol: Literal["udp", "tcp", "tls"]
    authority: Path | None = None  # tls: who signed the certificate there, PEM
    name: str = ""  # tls: whom that certificate must be for


class RsyslogSender(Rsyslog):
    """Passes on what it is given by TCP or UDP, and tries again until it is taken."""

    def __init__(self, onward: Onward) -> None:
        super().__init__()
        self._onward = onward

    def _action(self) -> str:
        is_tls = self._onward.protocol == "tls"
        driver = (
            'tcp_framing="octet-counted" streamDriver="ossl" streamDriverMode="1" '
            f'streamDriverAuthMode="x509/name" streamDriverPermittedPeers="{self._onward.name}"'
        )
        return _PASS_ON.format(
            port=self._onward.port,
            protocol="udp" if self._onward.protocol == "udp" else "tcp",
            driver=driver if is_tls else "",
        )

    def _write_tls(self) -> tuple[str, str]:
        if self._onward.authority is None:
            return "", ""
        (self.folder / "ca").write_bytes(self._onward.authority.read_bytes())
        return _SENDER_FILES.format(folder=self.folder), ""
