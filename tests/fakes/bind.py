"""A real BIND in the foreground, on loopback, with the zones a test or a benchmark writes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.authority import Authority, write_zone
from tests.fakes.foreground import free_port
from tests.fakes.tsig import TsigKey

__all__ = ["Bind", "BindMissing", "BindTls", "named", "write_zone"]

_CONFIGURATION = """\
options {{
    directory "{folder}";
    pid-file none;
    session-keyfile none;
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    dnssec-validation no;
    notify {notify};
    allow-query {{ 127.0.0.1; }};
    allow-transfer {{ {transfer} }};
    max-records-per-type 0;
{options}
}};
controls {{ }};
{keys}
{zones}
"""
_ZONE = 'zone "{origin}" {{ type primary; file "{file}"; allow-update {{ {transfer} }}; }};'
_KEY = 'key "{key.name}" {{ algorithm {key.algorithm}; secret "{key.secret}"; }};'
_TLS = 'tls ours {{ cert-file "{certificate}"; key-file "{key}"; protocols {{ TLSv1.3; }}; }};'


class BindMissing(Exception):
    """BIND 9 is not installed here."""


def named() -> str:
    """Return the path of BIND's server; raise `BindMissing` with what to install."""
    path = shutil.which("named", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if path is None:
        raise BindMissing("named is not installed (apt-get install bind9)")
    return path


@dataclass(frozen=True, slots=True)
class BindTls:
    """The certificate that BIND shows, and its key."""

    certificate: Path
    key: Path


class Bind(Authority):
    """`named` with `zones` (origin: file), up from the start of the `with` block to its end.

    Whoever holds one of `keys` may transfer and change the zones; nobody else may.
    """

    def __init__(
        self,
        zones: Mapping[str, Path],
        *,
        ready_within: float = 30.0,
        keys: Sequence[TsigKey] = (),
        tls: BindTls | None = None,
        notified: str = "",
        policy: str = "",
    ) -> None:
        """`notified` is told of changes: `127.0.0.1 port 5300`, as `also-notify` has it.

        `policy` is the zone that is in force as a response policy for all other zones.
        """
        self._named = named()
        super().__init__(list(zones), ready_within=ready_within)
        self._zones = zones
        self._keys = keys
        self._tls = tls
        self._notified = notified
        self._policy = policy
        self.tls_port = free_port()
        self.tls_server = f"127.0.0.1:{self.tls_port}"

    def command(self) -> list[str]:
        transfer = " ".join(f'key "{key.name}";' for key in self._keys) or "none;"
        options, keys = [], [_KEY.format(key=key) for key in self._keys]
        if self._tls is not None:
            options.append(f"listen-on port {self.tls_port} tls ours {{ 127.0.0.1; }};")
            keys.append(_TLS.format(certificate=self._tls.certificate, key=self._tls.key))
        if self._notified:
            options.append(f"also-notify {{ {self._notified}; }}; notify-delay 0;")
        if self._policy:
            options.append(f'response-policy {{ zone "{self._policy}"; }} recursive-only no;')
        configuration = self.folder / "named.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                folder=self.folder,
                port=self.port,
                transfer=transfer,
                notify="explicit" if self._notified else "no",
                options="\n".join(options),
                keys="\n".join(keys),
                zones="\n".join(
                    _ZONE.format(origin=origin, file=file.resolve(), transfer=transfer)
                    for origin, file in self._zones.items()
                ),
            ),
            encoding="ascii",
        )
        return [self._named, "-g", "-c", str(configuration)]
