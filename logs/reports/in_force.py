"""Which snapshot a device had when, with its lists ready to be searched."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from itertools import chain, groupby, islice
from operator import attrgetter
from typing import Any, NamedTuple

from django.db.models import Max, OuterRef, QuerySet, Subquery

from devices.models import Device, Gateway, Pull
from logs.events.matching import InForce, Listed
from netsets.cidr import AddressSet
from netsets.entries import from_prefixes
from netsets.entries_codec import decode_entries
from netsets.lookup import EntryIndex
from policies.models import Change, Snapshot
from policies.states import Role
from policies.store import get_blob, map_set

log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DELIVERED = (200, 304)
_BLOCK_FILE = "threatstop-block.txt"
_APPLIED = ("applied", "healed")
_HELD_MOST = 64  # snapshots whose files stay mapped
_ERAS_MOST = 1000  # changes of snapshot within one batch's time

# Rows, and the names of their columns with the moment and the snapshot.
_History = tuple[QuerySet[Any], str, str]


class _Era(NamedTuple):
    at: datetime
    snapshot: int  # primary key


class SnapshotReader:
    """Answers for one device after the other; files that several answers need are mapped once."""

    def __init__(self) -> None:
        """Begin with nothing mapped."""
        self._held: dict[int, tuple[AddressSet, tuple[Listed, ...]]] = {}
        self._lists: dict[tuple[str, str], tuple[AddressSet, EntryIndex]] = {}

    def in_force(self, device: Device, *, since: datetime, until: datetime) -> tuple[InForce, ...]:
        """Return what the device had from `since` until `until`, in order of time.

        That is what it pulled, or what its kernel was given; where nothing of that is known, what
        its policy had published. What is not kept any more is left out.
        """
        eras = _eras(device, since=since, until=until)
        kept = Snapshot.objects.in_bulk({era.snapshot for era in eras})
        return tuple(
            InForce(
                (era.at - _EPOCH) // timedelta(microseconds=1),
                era.snapshot,
                *self._files(kept[era.snapshot]),
            )
            for era in eras
            if era.snapshot in kept
        )

    def _files(self, snapshot: Snapshot) -> tuple[AddressSet, tuple[Listed, ...]]:
        if snapshot.pk not in self._held:
            if len(self._held) >= _HELD_MOST:
                self._held, self._lists = {}, {}
            block = _mapped(snapshot.block_digest, f"the block list of {snapshot}")
            self._held[snapshot.pk] = block, self.lists(snapshot.sources, of=str(snapshot))
        return self._held[snapshot.pk]

    def lists(self, manifest: Sequence[Mapping[str, Any]], *, of: str) -> tuple[Listed, ...]:
        """Return the block lists of a manifest, in its policy's order; what is lost is left out.

        `of` names what they belong to in the warning.
        """
        return tuple(self._listed(manifest, of))

    def _listed(self, manifest: Sequence[Mapping[str, Any]], of: str) -> Iterator[Listed]:
        for entry in manifest:
            if entry["role"] != Role.BLOCK:
                continue
            try:
                addresses, entries = self._list(entry)
            except (OSError, ValueError) as error:
                log.warning("list %s of %s cannot be read: %s", entry["name"], of, error)
                continue
            yield Listed(int(entry.get("source", 0)), str(entry["name"]), addresses, entries)

    def _list(self, entry: Mapping[str, Any]) -> tuple[AddressSet, EntryIndex]:
        digests = str(entry["digest"]), str(entry.get("entries", ""))
        if digests not in self._lists:
            addresses = map_set(digests[0])
            self._lists[digests] = addresses, _entries(digests[1], addresses)
        return self._lists[digests]


def _entries(digest: str, addresses: AddressSet) -> EntryIndex:
    """Return the entries of a list; of one that was kept without, its prefixes."""
    if digest:
        return decode_entries(get_blob(digest), verify=False)
    return EntryIndex.of(from_prefixes(addresses.prefixes()))


def _mapped(digest: str, what: str) -> AddressSet:
    try:
        return map_set(digest)
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read: %s", what, error)
        return AddressSet.empty()


def _eras(device: Device, *, since: datetime, until: datetime) -> list[_Era]:
    """Return when which snapshot came, the one that was there at `since` first."""
    history = _applied(device) if device.is_gateway else _pulled(device)
    return _within(history, since, until) or _within(_published(device), since, until)


def _within(history: _History, since: datetime, until: datetime) -> list[_Era]:
    rows, at, snapshot = history
    rows = rows.order_by(at, "pk")
    before = rows.filter(**{f"{at}__lte": since}).values_list(at, snapshot).last()
    after = rows.filter(**{f"{at}__gt": since, f"{at}__lte": until}).values_list(at, snapshot)
    found = chain([before] if before else [], after.iterator())
    return list(islice(_changes(_Era(*row) for row in found), _ERAS_MOST))


def _changes(eras: Iterable[_Era]) -> Iterator[_Era]:
    """Yield the first of those in a row that are of one snapshot."""
    for _, alike in groupby(eras, key=attrgetter("snapshot")):
        yield next(alike)


def _applied(device: Device) -> _History:
    """Return what its kernel was given. Rows of the enforcer, which this room does not know."""
    rows = Gateway.objects.filter(
        device=device, applications__snapshot__isnull=False, applications__outcome__in=_APPLIED
    )
    return rows, "applications__at", "applications__snapshot"


def _pulled(device: Device) -> _History:
    """Return what it pulled. A pull tells the number of a snapshot of the policy of that time: of
    those before the device got its policy nothing can be told.
    """
    moves = Change.objects.filter(verb="assign", subject=f"device {device.nickname}")
    moved = moves.aggregate(last=Max("at"))["last"] or _EPOCH
    number = Snapshot.objects.filter(policy=device.policy_id, number=OuterRef("snapshot_number"))
    rows = Pull.objects.filter(
        device=device, at__gt=moved, status__in=_DELIVERED, is_complete=True, method="GET",
        file=_BLOCK_FILE,
    ).annotate(snapshot=Subquery(number.values("pk")[:1]))  # fmt: skip
    return rows.exclude(snapshot=None), "at", "snapshot"


def _published(device: Device) -> _History:
    """Return what was there for it: of its policy, or the one snapshot that it is kept at."""
    rows = Snapshot.objects.filter(policy=device.policy_id)
    if not device.policy_updates:
        rows = rows.filter(pk=device.pinned_snapshot_id or 0)
    return rows, "created_at", "pk"


def own_addresses(device: Device) -> AddressSet:
    """Return what belongs to the site of a device, as its settings tell."""
    given = (device.management_ip, device.public_ip, *device.syslog_sources)
    texts = {*filter(None, given), *device.client_networks}
    networks = (ip_network(text, strict=False) for text in texts)
    return AddressSet.of(*(str(one) for one in networks if one.prefixlen))
