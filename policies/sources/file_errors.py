"""What can go wrong while a list is read from files: one class a fault.

SourceError
├── SourceUnavailable
│   ├── FileMissing      no such file or folder
│   ├── FolderEmpty      a folder without a file that matches
│   ├── StillChanging    files that change whenever they are read
│   └── ReadTooSlowly    the deadline passed
└── SourceRefused
    ├── FileUnreadable   no permission, or the disk fails
    ├── NotAFile         a device, a pipe, a socket
    ├── LeadsOutside     a path or a link out of the folders that the site allows
    ├── FilesTooLarge    over max_bytes or max_files
    ├── FileIsNoList     a page or a binary file
    └── FilesEmpty       nothing but comments (an EmptyList)

Each message names the file, the cause and, by the class's `advice`, the next step.
"""

from __future__ import annotations

from typing import ClassVar

from policies.sources.base import EmptyList, SourceError, SourceRefused, SourceUnavailable


class FileFault(SourceError):
    """A fault of one reading."""

    advice: ClassVar[str] = "Check what is there."

    def __init__(self, message: str) -> None:
        """Put the next step behind the message."""
        super().__init__(f"{message}. {self.advice}")


class FileMissing(FileFault, SourceUnavailable):
    """No such file or folder."""

    advice = "It is looked for again; check the path, and that the share is mounted."


class FolderEmpty(FileFault, SourceUnavailable):
    """A folder without a file that matches: what a share looks like that is not mounted."""

    advice = "It is looked at again; check the pattern, and that the share is mounted."


class StillChanging(FileFault, SourceUnavailable):
    """Files that change whenever they are read."""

    advice = "It is read again later; let the writer write aside and rename."


class ReadTooSlowly(FileFault, SourceUnavailable):
    """The deadline passed before all was read."""

    advice = "It is read again later; check the disk or the share."


class FileUnreadable(FileFault, SourceRefused):
    """The system does not let us read it."""

    advice = "Let the appliance's user read it."


class NotAFile(FileFault, SourceRefused):
    """A device, a pipe or a socket."""

    advice = "Set the path of a regular file or of a folder."


class LeadsOutside(FileFault, SourceRefused):
    """A path or a link that leads out of the folders that the site allows."""

    advice = "Copy the file into an allowed folder, or add its folder to TSCM_LIST_FOLDERS."


class FilesTooLarge(FileFault, SourceRefused):
    """More than max_bytes or max_files."""

    advice = "Raise the bound if the list is meant to be this long."


class FileIsNoList(FileFault, SourceRefused):
    """A page or a binary file."""


class FilesEmpty(FileFault, EmptyList):
    """The files are there and hold no entry."""

    advice = "If the list may be empty, say so with the source."
