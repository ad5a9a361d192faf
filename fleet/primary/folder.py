"""The folder that the console and the name server share: what is served, and the zones' files.

tscm.conf      what the server includes: keys, zones, who may do what
told           the digest of the tscm.conf that the server was told to read, and its zones
zones/<zone>   files of zones; beside them the server keeps its own
held/<zone>    what a zone was last written to hold (`held.py`)

Files are written aside and renamed: a server never reads half of one.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fleet.primary.base import PrimaryRefused, PrimaryUnavailable
from policies.sources.dns_servers import is_dns_name

_SECRET, _SHARED, _FOLDER = 0o640, 0o660, 0o2770
_PLAIN = re.compile(r"[^\"'\\\s{};#]+")  # what both servers read as one path
_SINGLY = 50  # files up to which each is synced by itself; for thousands, the system is once
_LEFT_AFTER = 3600  # seconds: nothing is written aside for so long
_BESIDE = ("", ".jnl", ".jbk")  # what a server keeps beside a zone's file


class Folder:
    """One portal's folder; each method raises PrimaryUnavailable where it cannot be used."""

    def __init__(self, path: Path) -> None:
        """Raise PrimaryRefused for a path that no configuration can name."""
        if not _PLAIN.fullmatch(str(path)):
            raise PrimaryRefused(
                f"TSCM_PORTAL_DIR {str(path)!r} cannot stand in a name server's configuration: use"
                " a path without blanks and quotes"
            )
        self.configuration = path / "tscm.conf"
        self.zones = path / "zones"
        self._held = path / "held"
        self._told = path / "told"

    def is_told(self, text: str) -> bool:
        """Tell whether the server was told to read just this configuration, and it is there."""
        with self._used():
            digest, _ = self._last_told()
            return digest == _digest(text) and self.configuration.read_bytes() == text.encode()

    def write_configuration(self, text: str) -> None:
        """Write what the server is to include."""
        with self._used():
            _write(self.configuration, text.encode(), mode=_SECRET)
            self._sweep()

    def gone(self, zones: Collection[str]) -> list[str]:
        """Return the zones that the server was told of before, and that these do not have."""
        with self._used():
            return sorted(set(self._last_told()[1]) - set(zones))

    def note_told(self, text: str, zones: Sequence[str]) -> None:
        """Note that the server was told to read this configuration, and remove what went out."""
        gone = self.gone(zones)
        with self._used():
            for zone in gone:
                for ending in _BESIDE:
                    (self.zones / f"{zone}{ending}").unlink(missing_ok=True)
                (self._held / zone).unlink(missing_ok=True)
            _write(self._told, "\n".join((_digest(text), *zones)).encode(), mode=_SECRET)

    def create(self, zones: Iterable[str], content: bytes) -> list[str]:
        """Write a file for each zone that has none; return which those were."""
        with self._used():
            missing = [zone for zone in zones if not (self.zones / zone).exists()]
        self.write_zones(dict.fromkeys(missing, content))
        return missing

    def write_zones(self, contents: Mapping[str, bytes]) -> None:
        """Write the files of zones, all of them or none."""
        with self._used(), ExitStack() as undo:
            asides = {}
            for zone, content in contents.items():
                path = self.zones / zone
                asides[path] = aside = _write_aside(path, content, mode=_SHARED)
                undo.callback(aside.unlink, missing_ok=True)
            _sync_files(list(asides.values()))
            for path, aside in asides.items():
                aside.replace(path)
            _sync(self.zones)

    def read_held(self, zone: str) -> bytes | None:
        """Return what `write_held` kept, None where nothing was."""
        with self._used():
            path = self._held / zone
            return path.read_bytes() if path.exists() else None

    def write_held(self, zone: str, content: bytes) -> None:
        """Keep what a zone holds; after a power cut it may be gone or damaged."""
        with self._used():
            path = self._held / zone
            _write_aside(path, content, mode=_SECRET).replace(path)

    def _last_told(self) -> tuple[str, list[str]]:
        if not self._told.exists():
            return "", []
        digest, *zones = self._told.read_text("ascii", errors="replace").split("\n")
        # The name server can write here too: what is no name is no file of a zone.
        return digest, [zone for zone in zones if is_dns_name(zone)]

    def _sweep(self) -> None:
        """Remove what was written aside and never renamed, for its writer was killed."""
        written = self.configuration.stat().st_mtime
        for folder in (self.configuration.parent, self.zones, self._held):
            for aside in folder.glob(".*.part"):
                if aside.stat().st_mtime < written - _LEFT_AFTER:
                    aside.unlink()

    @contextmanager
    def _used(self) -> Iterator[None]:
        try:
            for folder in (self.zones, self._held):
                if not folder.exists():
                    folder.mkdir(parents=True, exist_ok=True)
                    folder.chmod(_FOLDER)
            yield
        except OSError as error:
            raise PrimaryUnavailable(
                f"{error.filename or self.zones}: {error.strerror or error}. See that the user of"
                " the console can write in TSCM_PORTAL_DIR and that there is room."
            ) from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file so that it is there whole, or as it was, whatever happens."""
    aside = _write_aside(path, content, mode=mode)
    _sync_files([aside])
    aside.replace(path)
    _sync(path.parent)


def _write_aside(path: Path, content: bytes, *, mode: int) -> Path:
    aside = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with aside.open("xb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return aside


def _sync_files(paths: Sequence[Path]) -> None:
    """Make what was written last through a power cut."""
    if len(paths) > _SINGLY:
        os.sync()
        return
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make what was renamed in a folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
