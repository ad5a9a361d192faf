"""Whether what a primary is to serve can be written down: no name may be more than a name."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import replace

from fleet.primary.base import Access, Grant, Key, PrimaryRefused, Served, ServedZone
from policies.sources.dns_servers import is_dns_name

LONGEST = 240  # characters of a zone's name: its file, and the server's own beside it, bear it


def checked(served: Served, *, own: Key) -> Served:
    """Return what is to be served, in order: names in lower case, networks in one form.

    Raises PrimaryRefused for a name that is none, one that is there twice, a key nobody made.
    """
    keys = tuple(sorted((_key(key) for key in served.keys), key=lambda key: key.name))
    zones = sorted((_zone(zone) for zone in served.zones), key=lambda zone: zone.name)
    _once("key", [own.name, *(key.name for key in keys)])
    _once("zone", [zone.name for zone in zones])
    known = {key.name for key in keys}
    for zone in zones:
        for name in (*zone.access.keys, *(grant.key for grant in zone.grants)):
            if name not in known:
                raise PrimaryRefused(f"zone {zone.name} is for the key {name}, which is not there")
    return Served(keys, tuple(zones))


def _key(key: Key) -> Key:
    return replace(key, name=_name("key", key.name))


def _zone(zone: ServedZone) -> ServedZone:
    name = _name("zone", zone.name)
    access = Access(
        keys=tuple(dict.fromkeys(_name("key", key) for key in zone.access.keys)),
        networks=tuple(dict.fromkeys(_network(name, one) for one in zone.access.networks)),
    )
    grants = tuple(dict.fromkeys(_grant(name, grant) for grant in zone.grants))
    return replace(zone, name=name, access=access, grants=grants)


def _grant(zone: str, grant: Grant) -> Grant:
    name = _name("name", grant.name)
    if not name.endswith(f".{zone}"):
        raise PrimaryRefused(f"{name} does not lie below the zone {zone}, in which it is granted")
    return Grant(_name("key", grant.key), name)


def _name(what: str, text: str) -> str:
    if not is_dns_name(text) or len(text) > LONGEST:
        raise PrimaryRefused(
            f"{text[:300]!r} cannot be the name of a {what}: labels of letters, digits, - and _, at"
            f" most {LONGEST} characters"
        )
    return text.lower()


def _network(zone: str, text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise PrimaryRefused(
            f"zone {zone} is for the network {text[:100]!r}, which is none: write it as"
            " 192.0.2.0/24 or 2001:db8::/32"
        ) from error


def _once(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise PrimaryRefused(f"{what} {name} is there twice")
        seen.add(name)
