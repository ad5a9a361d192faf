"""A zone's server says that its zone changed: the zone's sources are due sooner.

Apps above wait for zones of their own: they tell how they hear, in their file `apps.py`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import dns.tsig

from policies.fields import DecryptionFailed
from policies.models import Source
from policies.services.sources import build_source
from policies.sources.base import SourceMisconfigured
from policies.sources.dns_servers import Server
from policies.sources.notify import Notify
from policies.sources.zone import ZoneSource

# However often a server speaks, a source is asked for this seldom.
QUIET = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a NOTIFY came to."""

    sources: tuple[str, ...]  # the names of what it speaks of; none: nobody here waits for it
    due: tuple[str, ...]  # those of them that it made due sooner
    key: dns.tsig.Key | None  # what it was signed with


class Hearer(Protocol):
    """Takes a NOTIFY of a zone that something else than a source waits for."""

    def __call__(self, *, notify: Notify, server: str, now: datetime) -> Heard:
        """Leave due what waits for the zone, and tell what that is."""


_HEARERS: list[Hearer] = []


def also_hear(hearer: Hearer) -> None:
    """Have `hearer` told of each NOTIFY too."""
    if hearer not in _HEARERS:
        _HEARERS.append(hearer)


def hear_notify(*, notify: Notify, server: str, now: datetime) -> Heard:
    """Leave what waits for a zone due, here and in the apps above; tell what that is."""
    heard = [hear(notify=notify, server=server, now=now) for hear in (_hear_sources, *_HEARERS)]
    return Heard(
        sources=tuple(name for one in heard for name in one.sources),
        due=tuple(name for one in heard for name in one.due),
        key=next((one.key for one in heard if one.key), None),
    )


def _hear_sources(*, notify: Notify, server: str, now: datetime) -> Heard:
    """Leave the sources of a zone due, where `server` is one of the servers they ask.

    A signed NOTIFY counts only where the source's own key signed it. A source that was checked
    a moment ago is due when it has been quiet, so that what changed meanwhile is not missed.
    """
    names, due, key = [], [], None
    for source in _sources(notify.zone, server):
        if notify.is_signed:
            own = _key(source, now=now)
            if own is None or not notify.is_signed_with(own):
                continue
            key = own
        names.append(source.name)
        at = max(now, source.checked_at + QUIET) if source.checked_at else now
        if Source.objects.filter(pk=source.pk, due_at__gt=at).update(due_at=at):
            due.append(source.name)
    return Heard(tuple(names), tuple(due), key)


def _sources(zone: str, server: str) -> Iterator[Source]:
    """Yield the enabled sources of the zone that ask this server."""
    for source in Source.objects.filter(kind="zone", is_enabled=True).order_by("name", "id"):
        name = str(source.settings.get("name", "")).strip().removesuffix(".").lower()
        if name == zone and ipaddress.ip_address(server) in _addresses(source):
            yield source


def _addresses(source: Source) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Return the addresses written in the settings, and the one that answered last.

    Host names are not looked up here: whoever sends many messages would have us ask for them all.
    """
    written = [source.server.partition("#")[0]]
    for text in source.settings.get("servers", []):
        try:
            written.append(Server.parse(str(text), port=53).host)
        except SourceMisconfigured:
            continue
    found = set()
    for host in written:
        try:
            found.add(ipaddress.ip_address(host))
        except ValueError:
            continue
    return found


def _key(source: Source, *, now: datetime) -> dns.tsig.Key | None:
    """Return the key of a source's settings; None where it has none, or it cannot be read."""
    try:
        engine = build_source(source, now=now)
    except (SourceMisconfigured, DecryptionFailed):
        return None
    return engine.key if isinstance(engine, ZoneSource) else None
