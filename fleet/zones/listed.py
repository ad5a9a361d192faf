"""A list of prefixes in parts that PTR records at the zone's own name lead to.

`policies.sources.dns_walk` follows these; whoever transfers the zone needs no order among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from fleet.zones.base import Lists, Rendered
from fleet.zones.lines import Laid, Style, lines4, lines6, pointer_lines, rendered
from fleet.zones.parts import Keys, Parted, keys_of, parted, record_starts
from netsets.cidr import AddressSet, Prefixes


@dataclass(frozen=True, slots=True)
class Shape:
    """How the prefixes of one family are held.

    A name holds so many that it stays under 60,000 bytes: an answer carries 65,535.
    """

    style: Style
    most: int  # prefixes of a part
    shares_records: bool = True  # records hold several prefixes each


def _as_they_are(prefixes: Prefixes, zone: str) -> Prefixes:  # noqa: ARG001  other forms name it
    """Return what a zone lists of these prefixes: all of them."""
    return prefixes


@dataclass(frozen=True, slots=True)
class ListForm:
    """A form with one zone a list: `LABEL-<suffix>b` what is blocked, `…a` what is allowed.

    `listed` is given the prefixes and the zone's name, and may raise `FormRefused`.
    """

    label: str
    suffix: str
    shape4: Shape
    shape6: Shape
    listed: Callable[[Prefixes, str], Prefixes] = _as_they_are

    def zones(self, label: str, domain: str) -> tuple[tuple[Lists, str], ...]:
        """Return both zones."""
        named = f"{label}-{self.suffix}"
        return (Lists.BLOCK, f"{named}b.{domain}"), (Lists.ALLOW, f"{named}a.{domain}")

    def render(
        self, lists: Lists, zone: str, *, block: AddressSet, allow: AddressSet, snapshot: int
    ) -> Rendered:
        """Return what one of the zones holds; raise `FormRefused`."""
        prefixes = (block if lists == Lists.BLOCK else allow).prefixes()
        listed = self.listed(prefixes, zone)
        body = listed_lines(listed, zone, shape4=self.shape4, shape6=self.shape6)
        return rendered(body, prefixes, snapshot=snapshot)


def listed_lines(prefixes: Prefixes, zone: str, *, shape4: Shape, shape6: Shape) -> Iterator[bytes]:
    """Yield the lines that hold the prefixes, in parts that may end within one."""
    keys4, keys6 = keys_of(prefixes)
    parted4, parted6 = parted(keys4, most=shape4.most), parted(keys6, most=shape6.most)
    yield from lines4(prefixes, _laid(keys4, parted4, shape4), shape4.style)
    yield from lines6(prefixes, _laid(keys6, parted6, shape6), shape6.style)
    yield from pointer_lines((*parted4.pointers, *parted6.pointers), zone)


def _laid(keys: Keys, found: Parted, shape: Shape) -> Laid:
    sizes = [part.stop - part.start for part in found.parts]
    every = np.ones(len(keys), np.bool_)
    return Laid(
        owners=tuple(part.owner for part in found.parts),
        owner_of=np.repeat(np.arange(len(sizes)), sizes),
        starts=record_starts(keys, found.parts) if shape.shares_records else every,
    )
