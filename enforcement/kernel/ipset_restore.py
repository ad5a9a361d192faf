"""The other way for entries to come into sets: the program `ipset restore`.

For a kernel that does not take entries by the thousand. It is several times slower, and a kill may
divide a change: what is read back afterwards tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from enforcement.kernel.commands import run
from enforcement.kernel.errors import EnforceRefused
from enforcement.kernel.layout import Entries, SetChange, SetName, in_order
from netsets.cidr import Prefixes
from netsets.render import text

_SECONDS = 300.0
_COMMAND = ("ipset", "-exist", "restore")  # what is there, or gone, already is no error


class RestoreFiller:
    """Lines for `ipset restore`, which stops at the first that is refused."""

    has_batches: ClassVar[bool] = False

    def fill(self, called: str, name: SetName, entries: Entries) -> None:
        """Give it the entries as lines."""
        _restore(called, lines("add", called, name, entries))

    def change(self, changes: Sequence[SetChange]) -> None:
        """Give it all lines, in the order of `layout.in_order`."""
        script = (
            lines(deed, str(name), name, entries) for deed, name, entries in in_order(changes)
        )
        _restore(", ".join(str(one.name) for one in changes), b"".join(script))


def lines(verb: str, called: str, name: SetName, entries: Entries) -> bytes:
    """Return a line for each entry, as `ipset restore` reads it: `add TSblocknet 192.0.2.0/24`."""
    start = f"{verb} {called} ".encode()
    return b"".join(
        start + block[:-1].replace(b"\n", b"\n" + start) + b"\n"
        for block in _rendered(name, entries)
    )


def _rendered(name: SetName, entries: Entries) -> Iterator[bytes]:
    none4, none6, none8 = np.empty(0, np.uint32), np.empty((0, 2), np.uint64), np.empty(0, np.uint8)
    first, length = entries.first, entries.length
    if name.version == 4:
        return text.stream(Prefixes(first.astype(np.uint32, copy=False), length, none6, none8))
    return text.stream(Prefixes(none4, none8, first.astype(np.uint64, copy=False), length))


def _restore(called: str, script: bytes) -> None:
    if not script:
        return
    done = run(_COMMAND, given=script, seconds=_SECONDS)
    if done.code != 0:
        raise EnforceRefused(
            f"set {called}: ipset restore ended with {done.code}: {done.complaint}; see with"
            " `ipset list -t` what is there, then apply again"
        )
