"""A primary, put together from what a site says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fleet.primary.base import Key, Primary, PrimaryError, Served, ZoneContent
from fleet.primary.checked import checked
from fleet.primary.configuration import CONFIGURATIONS
from fleet.primary.control import tell
from fleet.primary.folder import Folder
from fleet.primary.held import Held, remember
from fleet.primary.records import zone_file
from fleet.primary.server import NameServer, await_serials, time_for
from fleet.primary.update import UpdateWay
from fleet.primary.zone_files import FileWay


@dataclass(frozen=True, slots=True)
class PrimarySettings:
    """What a site says of its primary."""

    host: str
    port: int
    domain: str
    kind: Literal["bind", "knot"]
    way: Literal["update", "file"]
    folder: Path
    control: tuple[str, ...]  # the program that tells the server things, and its first arguments
    key: bytes = field(repr=False)  # the secret of the console's own key

    @property
    def server(self) -> NameServer:
        """The name server, and the key that the console has there."""
        return NameServer(self.host, self.port, Key(f"portal.{self.domain}", self.key))


def build_primary(settings: PrimarySettings) -> Primary:
    """Return the primary; raise PrimaryRefused for a folder that no configuration can name."""
    folder = Folder(settings.folder)
    way: UpdateWay | FileWay
    if settings.way == "update":
        way = UpdateWay(settings.server, folder, settings.domain)
    else:
        kind = CONFIGURATIONS[settings.kind]
        way = FileWay(settings.server, folder, settings.domain, kind, settings.control)
    return _Primary(settings, folder, way)


@dataclass(frozen=True, slots=True)
class _Primary:
    """A name server that is told what to serve by an include file, and zones one way."""

    settings: PrimarySettings
    folder: Folder
    way: UpdateWay | FileWay

    def configure(self, served: Served) -> bool:
        """Make the server serve exactly these zones, and wait until it serves the new ones."""
        kind, own = CONFIGURATIONS[self.settings.kind], self.settings.server.key
        served = checked(served, own=own)
        by_update = self.settings.way == "update"
        text = "".join(kind.render(served, own=own, files=self.folder.zones, are_updated=by_update))
        if self.folder.is_told(text):
            return False
        zones = [zone.name for zone in served.zones]
        made = self.folder.create(zones, zone_file(self.settings.domain, serial=0, body=b""))
        for zone in made:
            remember(self.folder, zone, Held(0, b""))
        self.folder.write_configuration(text)
        for words in (kind.adopt, *kind.purges(self.folder.gone(zones))):
            tell(self.settings.control, *words)
        self.folder.note_told(text, zones)
        if self.settings.control:
            # What is not there in time is told when it is written.
            await_serials(self.settings.server, dict.fromkeys(made), time_for(len(made)))
        return True

    def write(self, zones: Iterable[ZoneContent]) -> Mapping[str, PrimaryError]:
        """Make zones hold what they are to hold, each whole or not at all."""
        return self.way.write(zones)
