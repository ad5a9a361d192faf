"""The commands of `tsadmin` that a page shows in its `console` blocks."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"(?<=```console\n)(.*?)(?=^```)", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"^\$ ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Shown:
    """A command, and what the page says that it prints."""

    words: tuple[str, ...]  # behind the program's name
    output: str

    @property
    def code(self) -> int:
        """The exit code of what was printed."""
        return int("\nError: " in f"\n{self.output}")

    def __str__(self) -> str:
        return shlex.join(self.words)


def tsadmin_commands(page: Path) -> list[Shown]:
    """Return the commands of a page in order; those of other programs are left out."""
    found = []
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        for one in _PROMPT.split(block)[1:]:
            line, _, output = one.partition("\n")
            program, *words = shlex.split(line)
            if program == ".venv/bin/tsadmin":
                found.append(Shown(tuple(words), output))
    return found
