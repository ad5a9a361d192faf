"""The configuration of Knot DNS 3.2: keys, rules of who may do what, and zones."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from itertools import count, product
from pathlib import Path
from string import ascii_lowercase, digits
from typing import Final

from fleet.primary.base import Key, PrimaryRefused, Role, Served, ServedZone

ADOPT: Final = ("reload",)
MAX_GRANTS = 10_000  # of one zone
_AT_ONCE = 200  # zones that one command names, names in one rule

_KEY = "  - id: {name}.\n    algorithm: hmac-sha256\n    secret: {secret}\n"
_OWN = "  - id: {name}\n    key: {name}.\n    action: [transfer, update, notify]\n"
_KEYS = "  - id: {id}\n    key: [{keys}]\n    action: transfer\n"
_NETWORKS = "  - id: {id}\n    address: [{networks}]\n    action: transfer\n"
_GRANT = """\
  - id: {id}
    key: {key}.
    action: update
    update-owner: name
    update-owner-match: sub-or-equal
    update-owner-name: {name}.
    update-type: TXT
"""
_ZONE = """\
  - domain: {name}.
    storage: "{files}"
    file: "{name}"
    acl: [{rules}]
    {written}
"""
# Of statuses, whoever writes them: six thousand bytes each of ten thousand devices.
_BOUND = "\n    zone-max-size: 64M"
_UPDATED = "zonefile-load: whole\n    zonefile-sync: 60\n    journal-content: changes"
_AS_FILES = "zonefile-load: difference\n    zonefile-sync: -1\n    journal-content: changes"


def render(served: Served, *, own: Key, files: Path, are_updated: bool) -> Iterator[str]:
    """Yield what the server is to include; `own` is the console's key, `files` the zones' folder.

    `are_updated`: all zones are written by DNS UPDATE, not as files. Raises PrimaryRefused.
    """
    yield "key:\n"
    for key in (own, *served.keys):
        yield _KEY.format(name=key.name, secret=base64.b64encode(key.secret).decode("ascii"))
    if not served.zones:
        return
    yield "acl:\n"
    yield _OWN.format(name=own.name)
    ids, rules = _ids(), []
    for zone in served.zones:
        made = dict(zip(ids, _rules(zone), strict=False))
        rules.append(", ".join((own.name, *made)))
        yield from (rule.format(id=known) for known, rule in made.items())
    yield "zone:\n"
    for zone, its_rules in zip(served.zones, rules, strict=True):
        is_updated = are_updated or zone.role is Role.STATUS
        written = _UPDATED if is_updated else _AS_FILES
        if zone.role is Role.STATUS:
            written += _BOUND
        yield _ZONE.format(name=zone.name, files=files, rules=its_rules, written=written)


def reloads(zones: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the words of the commands that have the server read these zones' files anew."""
    starts = range(0, len(zones), _AT_ONCE)
    return [("zone-reload", *zones[start : start + _AT_ONCE]) for start in starts]


def purges(zones: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the words of the commands that have the server forget zones it no longer serves."""
    starts = range(0, len(zones), _AT_ONCE)
    return [("-f", "zone-purge", "+orphan", *zones[start : start + _AT_ONCE]) for start in starts]


def _ids() -> Iterator[str]:
    """Yield names for rules, as short as can be: all that one zone names must fit into 64 KiB."""
    for length in count(1):
        for letters in product(ascii_lowercase + digits, repeat=length):
            yield "r" + "".join(letters)


def _rules(zone: ServedZone) -> Iterator[str]:
    """Yield the rules of a zone, less their names."""
    for names in _parted(zone.access.keys):
        yield _KEYS.replace("{keys}", ", ".join(f"{name}." for name in names))
    for networks in _parted(zone.access.networks):
        yield _NETWORKS.replace("{networks}", ", ".join(networks))
    if len(zone.grants) > MAX_GRANTS:
        raise PrimaryRefused(
            f"zone {zone.name} is to be written by {len(zone.grants):,} devices, and Knot DNS takes"
            f" {MAX_GRANTS:,}: use BIND (TSCM_PORTAL_SERVER), or a second portal"
        )
    for grant in zone.grants:
        yield _GRANT.replace("{key}", grant.key).replace("{name}", grant.name)


def _parted(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
