"""A real Knot DNS in the foreground, on loopback, with the zones a test writes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fakes.authority import Authority
from tests.fakes.tsig import TsigKey

_CONFIGURATION = """\
server:
    rundir: "{folder}"
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{folder}"
log:
  - target: stderr
    any: info
key:
{keys}
acl:
  - id: ours
    key: [{names}]
    action: [transfer, update]
template:
  - id: default
    storage: "{folder}"
    acl: ours
    zonefile-sync: -1
    zonefile-load: whole
zone:
{zones}
"""
_KEY = "  - id: {key.name}\n    algorithm: {key.algorithm}\n    secret: {key.secret}"
_ZONE = '  - domain: {origin}\n    file: "{file}"'


class KnotMissing(Exception):
    """Knot DNS is not installed here."""


class Knot(Authority):
    """`knotd` with `zones` (origin: file), up from the start of the `with` block to its end.

    Whoever holds one of `keys` may transfer and change the zones; nobody else may.
    """

    def __init__(
        self, zones: Mapping[str, Path], *, keys: Sequence[TsigKey], ready_within: float = 30.0
    ) -> None:
        path = shutil.which("knotd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        if path is None:
            raise KnotMissing("knotd is not installed (apt-get install knot)")
        self._knotd = path
        super().__init__(list(zones), ready_within=ready_within)
        self._zones = zones
        self._keys = keys

    def command(self) -> list[str]:
        configuration = self.folder / "knot.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                folder=self.folder,
                port=self.port,
                keys="\n".join(_KEY.format(key=key) for key in self._keys),
                names=", ".join(key.name for key in self._keys),
                zones="\n".join(
                    _ZONE.format(origin=origin, file=file.resolve())
                    for origin, file in self._zones.items()
                ),
            ),
            encoding="ascii",
        )
        return [self._knotd, "-c", str(configuration)]
