"""What a name server is told to serve: an include file, in the words of each kind of server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fleet.primary import bind, knot
from fleet.primary.base import Key, Served


class Render(Protocol):
    """Writes a configuration down."""

    def __call__(
        self, served: Served, *, own: Key, files: Path, are_updated: bool
    ) -> Iterator[str]:
        """Yield what the server is to include; what is served was `checked`."""
        ...


@dataclass(frozen=True, slots=True)
class Configuration:
    """How one kind of server is told things."""

    label: str
    render: Render
    adopt: tuple[str, ...]  # the words that have it read its configuration anew
    reloads: Callable[
        [Sequence[str]], list[tuple[str, ...]]
    ]  # those that have it read zones' files
    purges: Callable[[Sequence[str]], list[tuple[str, ...]]]  # those that have it forget zones


CONFIGURATIONS: dict[str, Configuration] = {
    "bind": Configuration("BIND 9.18", bind.render, bind.ADOPT, bind.reloads, bind.purges),
    "knot": Configuration("Knot DNS 3.2", knot.render, knot.ADOPT, knot.reloads, knot.purges),
}
