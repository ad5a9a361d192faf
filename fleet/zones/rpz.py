"""A response policy zone: answers that hold a blocked address are not given to those who asked.

Each prefix is an `rpz-ip` trigger. What is blocked has the action NXDOMAIN, and what is allowed
passes, whatever other response policies say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fleet.zones.base import FormRefused, Lists, Rendered
from fleet.zones.lines import rendered
from netsets.cidr import AddressSet, Lengths, Prefixes
from netsets.render.cells import (
    BLOCK,
    WIDTH4,
    WIDTH6,
    Cells,
    packed,
    table,
    write_backwards4,
    write_backwards6,
)

_BLOCKED, _PASSED = "rpz-ip\tCNAME\t.\n", "rpz-ip\tCNAME\trpz-passthru.\n"
_LENGTH_DOT = table(f"{length}." for length in range(129))
_MAPPED = AddressSet.of("::ffff:0.0.0.0/96")


@dataclass(frozen=True, slots=True)
class PolicyForm:
    """One zone for both lists: `LABEL.rpz`."""

    label: ClassVar[str] = "Response policy zone (RPZ)"

    def zones(self, label: str, domain: str) -> tuple[tuple[Lists, str], ...]:
        """Return the zone."""
        return ((Lists.BOTH, f"{label}.rpz.{domain}"),)

    def render(
        self,
        lists: Lists,  # noqa: ARG002  # there is one zone
        zone: str,
        *,
        block: AddressSet,
        allow: AddressSet,
        snapshot: int,
    ) -> Rendered:
        """Return what the zone holds; raise `FormRefused`.

        What is allowed is not blocked: a trigger has one action.
        """
        blocked, passed = (block - allow).prefixes(), allow.prefixes()
        for prefixes in (blocked, passed):
            _check(prefixes, zone)
        body = (*_lines(blocked, _BLOCKED), *_lines(passed, _PASSED))
        return rendered(body, blocked, passed, snapshot=snapshot)


def _check(prefixes: Prefixes, zone: str) -> None:
    """Raise `FormRefused` for what no trigger stands for."""
    everything = np.any(prefixes.v4_length == 0) or np.any(prefixes.v6_length == 0)
    if everything:
        raise FormRefused(
            f"{zone} was not written: a response policy zone has no trigger for all addresses of "
            f"a family. Narrow the list, or publish the policy as APL."
        )
    inside = _MAPPED.contains6(prefixes.v6_first) & (prefixes.v6_length >= 96)
    if count := int(np.count_nonzero(inside)):
        raise FormRefused(
            f"{zone} was not written: {count:,} of {len(prefixes):,} prefixes lie in "
            f"::ffff:0:0/96, which name servers take for IPv4. List them as IPv4 addresses, or "
            f"publish the policy as APL."
        )


def _lines(prefixes: Prefixes, action: str) -> Iterator[bytes]:
    """Yield a trigger for each prefix, in parts of whole lines."""
    ending = table(action[at : at + 4] for at in range(0, len(action), 4))
    for start in range(0, len(prefixes.v4_first), BLOCK):
        part = slice(start, start + BLOCK)
        rows = _rows(prefixes.v4_length[part], WIDTH4, ending)
        write_backwards4(rows[:, 1 : 1 + WIDTH4], prefixes.v4_first[part])
        yield packed(rows)
    for start in range(0, len(prefixes.v6_first), BLOCK):
        part = slice(start, start + BLOCK)
        rows = _rows(prefixes.v6_length[part], WIDTH6, ending)
        write_backwards6(rows[:, 1 : 1 + WIDTH6], prefixes.v6_first[part])
        yield packed(rows)


def _rows(length: Lengths, width: int, ending: Cells) -> Cells:
    """Return rows that have all but the addresses."""
    rows = np.empty((len(length), 1 + width + len(ending)), np.uint32)
    rows[:, 0] = _LENGTH_DOT[length]
    rows[:, 1 + width :] = ending
    return rows
