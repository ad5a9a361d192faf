"""Zones written as files, which the server is told to read, and asked whether it did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fleet.primary.base import PrimaryError, PrimaryRefused, ZoneContent
from fleet.primary.configuration import Configuration
from fleet.primary.control import tell
from fleet.primary.errors import SerialBehind
from fleet.primary.folder import Folder
from fleet.primary.records import zone_file
from fleet.primary.server import NameServer, await_serials, time_for
from policies.sources.base import Deadline

_REFUSED = 1.0  # seconds that are waited for zones after the server refused something


@dataclass(frozen=True, slots=True)
class FileWay:
    """Writes each zone's file whole."""

    server: NameServer
    folder: Folder
    domain: str
    configuration: Configuration
    control: tuple[str, ...]  # empty: somebody else tells the server, and nothing is waited for

    def write(self, zones: Iterable[ZoneContent]) -> Mapping[str, PrimaryError]:
        """Make zones hold what they are to hold; return the faults by zone.

        Raises PrimaryUnavailable where no file could be written or the server not be told.
        """
        wanted, texts, faults = list(zones), dict[str, bytes](), dict[str, PrimaryError]()
        for content in wanted:
            try:
                texts[content.name] = self._text(content)
            except PrimaryRefused as error:
                faults[content.name] = error
        self.folder.write_zones(texts)
        refusal = self._tell(list(texts))
        if self.control:
            written = [content for content in wanted if content.name in texts]
            faults |= self._missing(written, refusal)
        return faults

    def _tell(self, zones: Sequence[str]) -> str:
        """Have the server read files; return what it said against that."""
        refusals = []
        for words in self.configuration.reloads(zones):
            try:
                tell(self.control, *words)
            except PrimaryRefused as error:  # it may be about one zone of many
                refusals.append(str(error))
        return " ".join(refusals[:2])

    def _missing(self, written: Sequence[ZoneContent], refusal: str) -> dict[str, PrimaryError]:
        """Return the faults of the zones that are not there."""
        serials = {content.name: content.serial for content in written}
        size = sum(len(content.body) for content in written)
        deadline = Deadline.after(_REFUSED) if refusal else time_for(len(written), size=size)
        faults = await_serials(self.server, serials, deadline)
        if not refusal:
            return faults
        return {
            zone: fault if isinstance(fault, SerialBehind) else type(fault)(f"{fault} {refusal}")
            for zone, fault in faults.items()
        }

    def _text(self, content: ZoneContent) -> bytes:
        try:
            return zone_file(self.domain, serial=content.serial, body=content.body)
        except PrimaryRefused as error:
            raise PrimaryRefused(f"zone {content.name} cannot be written: {error}") from error
