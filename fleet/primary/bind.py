"""The configuration of BIND 9.18 (9.18.28 or later): keys, and zones with who may do what."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from fleet.primary.base import Access, Key, Role, Served, ServedZone

ADOPT: Final = ("reconfig",)
_SINGLY = 8  # zones up to which each is reloaded by itself; beyond, all that changed are

_KEY = 'key "{name}" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'
_ZONE = """\
zone "{name}" {{
    type primary;
    file "{file}";
    allow-query {{ {query} }};
    allow-transfer {{ {transfer} }};
    {changed}
    max-records-per-type 0;
    max-types-per-name 0;
    max-journal-size {journal};
    max-records {records};
}};
"""
# Of statuses, whoever writes them: twenty each of fifty thousand devices. 0 is no bound.
_RECORDS = {Role.SETTINGS: 0, Role.STATUS: 1_000_000, Role.POLICY: 0}
# Settings zones are so small that the usual journal, twice the zone, would hold a change or two.
_JOURNAL = {Role.SETTINGS: "256k", Role.STATUS: "default", Role.POLICY: "default"}


def render(served: Served, *, own: Key, files: Path, are_updated: bool) -> Iterator[str]:
    """Yield what the server is to include; `own` is the console's key, `files` the zones' folder.

    `are_updated`: all zones are written by DNS UPDATE, not as files.
    """
    for key in (own, *served.keys):
        yield _KEY.format(name=key.name, secret=base64.b64encode(key.secret).decode("ascii"))
    for zone in served.zones:
        yield _ZONE.format(
            name=zone.name,
            file=files / zone.name,
            query=_access(_may_query(zone), own),
            transfer=_access(zone.access, own),
            changed=_changed(zone, own, is_updated=are_updated or zone.role is Role.STATUS),
            journal=_JOURNAL[zone.role],
            records=_RECORDS[zone.role],
        )


def reloads(zones: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the words of the commands that have the server read these zones' files anew."""
    if len(zones) > _SINGLY:
        return [("reload",)]
    return [("reload", zone) for zone in zones]


def purges(_: Sequence[str]) -> list[tuple[str, ...]]:
    """Return no words: what BIND keeps of a zone lies in files beside the zone's."""
    return []


def _access(access: Access, own: Key) -> str:
    keys = " ".join(f'key "{name}";' for name in (own.name, *access.keys))
    return " ".join((keys, *(f"{network};" for network in access.networks)))


def _may_query(zone: ServedZone) -> Access:
    """Return who may ask: BIND refuses updates of those who may not."""
    keys = (*zone.access.keys, *(grant.key for grant in zone.grants))
    return Access(tuple(dict.fromkeys(keys)), zone.access.networks)


def _changed(zone: ServedZone, own: Key, *, is_updated: bool) -> str:
    if not is_updated:
        return "ixfr-from-differences yes;"
    grants = "".join(
        f'\n        grant "{grant.key}" subdomain "{grant.name}." TXT;' for grant in zone.grants
    )
    return f'update-policy {{\n        grant "{own.name}" zonesub ANY;{grants}\n    }};'
