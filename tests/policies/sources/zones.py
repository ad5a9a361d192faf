"""How the tests write zones and transfer them."""

from __future__ import annotations

from typing import Any

from netsets.cidr import AddressSet
from policies.decoders import decode
from policies.sources.base import Deadline, Known, Retrieved
from policies.sources.zone import ZoneSource

ZONE = "list.example"


def transfer(
    server: str,
    *,
    known: Retrieved | Known | None = None,
    name: str = ZONE,
    seconds: float = 20.0,
    **settings: object,
) -> Retrieved | None:
    """Transfer a zone from a server; `known` may be what came before."""
    source = ZoneSource.from_settings({"name": name, "servers": [server], **settings})
    if isinstance(known, Retrieved):
        known = held(known)
    return source.retrieve(known=known, deadline=Deadline.after(seconds))


def transferred(server: str, **settings: Any) -> Retrieved:
    """Transfer a zone that must come."""
    retrieved = transfer(server, **settings)
    assert retrieved is not None
    return retrieved


def held(retrieved: Retrieved) -> Known:
    """Return what a source is told the next time."""
    assert retrieved.version is not None
    return Known(retrieved.version, lambda: retrieved.keep)


def addresses(retrieved: Retrieved | None) -> AddressSet:
    """Decode what must have come."""
    assert retrieved is not None
    return decode(retrieved).addresses
