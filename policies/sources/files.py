"""A list in a file of the appliance, or in all files of a folder that somebody writes into."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from policies.sources.base import Deadline, Known, Layout, Retrieved, SourceMisconfigured
from policies.sources.file_errors import FileIsNoList, FilesEmpty, StillChanging
from policies.sources.file_reader import KERNELS_OWN, Seen, look, read
from policies.sources.layouts import read_layout
from policies.sources.looks import BYTE_ORDER_MARK, holds_nothing, not_a_list
from policies.sources.settings import Settings, shown

_SETTINGS = (
    "path", "pattern", "layout", "column", "separator", "json_path", "max_bytes", "max_files",
    "roots",
)  # fmt: skip
_MEBIBYTE = 1 << 20
_LONGEST = 1000
_ATTEMPTS = 3  # at files that change while they are read


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file, or a folder's files by name."""

    label: ClassVar[str] = "File or folder"
    secrets: ClassVar[tuple[str, ...]] = ()

    path: Path
    pattern: str  # of the files in a folder
    roots: tuple[Path, ...]  # nothing outside of these is read
    layout: Layout
    max_bytes: int  # of all files together
    max_files: int

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Self:
        """Build the source; raise `SourceMisconfigured` for a setting that cannot work.

        `roots` are the folders that the site allows; whoever builds the source puts them there.
        """
        read = Settings(settings)
        read.only(_SETTINGS)
        roots = tuple(map(Path, read.optional_texts("roots", most=50, longest=_LONGEST)))
        return cls(
            path=_read_path(read, roots),
            pattern=_read_pattern(read),
            roots=roots,
            layout=read_layout(read, path_key="json_path"),
            max_bytes=read.integer(
                "max_bytes", default=64 * _MEBIBYTE, low=512, high=1024 * _MEBIBYTE
            ),
            max_files=read.integer("max_files", default=100, low=1, high=10_000),
        )

    def retrieve(self, *, known: Known | None, deadline: Deadline) -> Retrieved | None:
        """Read the list whole, or return None when the files look as they did when `known` came.

        To look costs a stat a file. A file that changes while it is read is read again. Raises a
        `FileFault`.
        """
        for _ in range(_ATTEMPTS):
            seen = self._look()
            version = self._version(seen)
            if known is not None and known.version == version and not known.is_whole_wanted:
                return None
            bodies = self._read(seen, deadline)
            # Looked at once more: a file may have been replaced, or have come, meanwhile.
            if bodies is not None and self._look() == seen:
                return self._retrieved(seen, bodies, version)
        raise StillChanging(f"{self.path} changed each of {_ATTEMPTS} times it was read")

    def _look(self) -> tuple[Seen, ...]:
        return look(self.path, pattern=self.pattern, roots=self.roots, max_files=self.max_files)

    def _read(self, files: tuple[Seen, ...], deadline: Deadline) -> list[bytes] | None:
        """Return the files' contents, None where one has changed."""
        bodies = []
        left = self.max_bytes
        for seen in files:
            body = read(seen, max_bytes=left, deadline=deadline)
            if body is None:
                return None
            left -= len(body)
            bodies.append(body)
        return bodies

    def _retrieved(self, files: tuple[Seen, ...], bodies: list[bytes], version: str) -> Retrieved:
        for seen, body in zip(files, bodies, strict=True):
            if reason := not_a_list(body, layout=self.layout):
                raise FileIsNoList(f"{seen.path}: {reason}")
        if all(holds_nothing(body, layout=self.layout) for body in bodies):
            raise FilesEmpty(f"{self.path} is there, and it holds no entry")
        # The decoder puts a newline between, so that lines count through the files in their order.
        payload = tuple(body.removeprefix(BYTE_ORDER_MARK).removesuffix(b"\n") for body in bodies)
        return Retrieved(
            format="text", payload=payload, server="", version=version, layout=self.layout
        )

    def _version(self, files: tuple[Seen, ...]) -> str:
        return hashlib.sha256(repr((self.layout, files)).encode()).hexdigest()


def _read_path(read: Settings, roots: tuple[Path, ...]) -> Path:
    """Return the path; links are held to `roots` when they are followed, the words here."""
    text = read.text("path")
    path = Path(text)
    is_plain = text.isprintable() and len(text) <= _LONGEST
    if not path.is_absolute() or ".." in path.parts or not is_plain:
        raise SourceMisconfigured(f"path must be absolute and without .., not {shown(text)}")
    if not roots:
        raise SourceMisconfigured(
            "path cannot be read: this site allows no folder for lists (TSCM_LIST_FOLDERS)"
        )
    is_inside = any(path.is_relative_to(root) for root in roots)
    if not is_inside or any(path.is_relative_to(folder) for folder in KERNELS_OWN):
        allowed = ", ".join(map(str, roots))
        raise SourceMisconfigured(
            f"path must lie in a folder that this site allows ({allowed}), not {shown(text)}"
        )
    return path


def _read_pattern(read: Settings) -> str:
    pattern = read.optional("pattern", longest=200) or "*"
    if "/" in pattern or "\0" in pattern:
        raise SourceMisconfigured(
            f"pattern must be of file names such as *.txt, without a folder, not {shown(pattern)}"
        )
    return pattern
