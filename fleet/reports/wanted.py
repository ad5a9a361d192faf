"""What a portal's primary is to serve, and what the zone of each device is to hold."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from devices.services.own_policy import BLOCK_LIST
from fleet.models import Entry, EntryKey, PolicyZone, Publication
from fleet.primary.base import Access, Grant, Key, Role, Served, ServedZone
from fleet.protocol.base import PORT, DeviceKey, PolicyPlace, Settings
from fleet.protocol.keys import KeyUnreadable, read_key, tsig_name, tsig_secret
from fleet.protocol.names import NotADeviceId, label, settings_zone, status_name, status_zone
from fleet.reports.effective import Effective, effective_of, inherited_by, secrets_of
from fleet.reports.place import PortalPlace
from policies.fields import DecryptionFailed
from policies.states import Role as ListRole

# The form that devices take their lists in.
DEVICE_FORM = "apl"


@dataclass(frozen=True, slots=True)
class Steered:
    """One entry, what is in force for it, and the keys that are good, the oldest first."""

    entry: Entry
    effective: Effective
    keys: tuple[DeviceKey, ...]

    @property
    def key_names(self) -> tuple[str, ...]:
        """The names of its TSIG keys."""
        return tuple(tsig_name(self.entry.device_id, key.generation) for key in self.keys)

    @property
    def networks(self) -> tuple[str, ...]:
        """The addresses that the device is known to ask from."""
        values = self.effective.values
        if values.get("ip_type") == "dynamic":
            return tuple(str(one) for one in self.entry.resolved)
        address = values.get("public_ip")
        return (str(address),) if address else ()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An entry whose secrets cannot be read; says what to do."""

    entry: Entry
    reason: str


def read_entries(entries: QuerySet[Entry], *, now: datetime) -> Iterator[Steered | Unreadable]:
    """Yield entries with what is in force for them and their good keys, in five queries."""
    good: dict[int, list[EntryKey]] = {}
    keys = EntryKey.objects.filter(Q(retires_at=None) | Q(retires_at__gt=now))
    for key in keys.filter(entry__in=entries.order_by().values("pk")).order_by("generation"):
        good.setdefault(key.entry_id, []).append(key)
    rows = entries.select_related("group").prefetch_related(
        "policy", "group__fleet_settings__policy"
    )
    for entry in rows.order_by("id"):
        try:
            label(entry.device_id)
            texts = [key.text for key in good.get(entry.pk, ())]
            in_force = effective_of(entry, inherited_by(entry))
            yield Steered(entry, in_force, tuple(read_key(text) for text in texts))
        except (DecryptionFailed, KeyUnreadable, NotADeviceId) as error:
            yield Unreadable(entry, str(error))


def served(
    steered: Sequence[Steered], publications: Iterable[Publication], *, place: PortalPlace
) -> Served:
    """Return all that the primary is to serve; read `zones` of the publications along."""
    keys = [
        Key(name, tsig_secret(one.entry.device_id, key))
        for one in steered
        for name, key in zip(one.key_names, one.keys, strict=True)
    ]
    zones = [_settings_zone(one, place.domain) for one in steered]
    zones.append(_status_zone(steered, place.domain))
    followers: dict[int, list[Steered]] = {}
    for one in steered:
        if one.effective.policy is not None:
            followers.setdefault(one.effective.policy.pk, []).append(one)
    for publication in publications:
        access = _policy_access(publication, followers.get(publication.policy_id, []))
        zones.extend(ServedZone(zone.name, Role.POLICY, access) for zone in publication.zones.all())
    return Served(tuple(keys), tuple(zones))


def _settings_zone(one: Steered, domain: str) -> ServedZone:
    name = settings_zone(one.entry.device_id, domain)
    return ServedZone(name, Role.SETTINGS, Access(keys=one.key_names))


def _status_zone(steered: Iterable[Steered], domain: str) -> ServedZone:
    grants = (
        Grant(name, status_name(one.entry.device_id, domain))
        for one in steered
        for name, key in zip(one.key_names, one.keys, strict=True)
        if key.generation > one.entry.muted_generation
    )
    return ServedZone(status_zone(domain), Role.STATUS, Access(), tuple(grants))


def _policy_access(publication: Publication, followers: Iterable[Steered]) -> Access:
    keys: list[str] = []
    networks = [str(network) for network in publication.networks]
    for one in followers:
        keys.extend(one.key_names)
        if publication.by_address:
            networks.extend(one.networks)
    return Access(tuple(keys), tuple(dict.fromkeys(networks)))


def digest_of(wanted: Served) -> str:
    """Return what tells this from anything else that might be served, SHA-256."""
    told = hashlib.sha256()
    for key in wanted.keys:
        told.update(f"{key.name} {key.secret.hex()}\n".encode())
    for zone in wanted.zones:
        told.update(f"{zone!r}\n".encode())
    return told.hexdigest()


def policy_places(
    publications: Iterable[Publication], *, place: PortalPlace
) -> dict[int, PolicyPlace]:
    """Return where devices find the lists of each published policy, by its id.

    The snapshot told is one that all zones of the form hold already.
    """
    places = {}
    for publication in publications:
        zones = [zone for zone in publication.zones.all() if zone.form == DEVICE_FORM]
        names = {zone.role: zone.name for zone in zones}
        if ListRole.BLOCK in names:
            places[publication.policy_id] = PolicyPlace(
                name=publication.policy.name,
                block_zone=names[ListRole.BLOCK],
                allow_zone=names.get(ListRole.ALLOW, ""),
                servers=place.policy_servers,
                port=PORT if place.secondaries else place.port,
                tls=True,
                tls_name="" if place.secondaries else place.tls_name,
                snapshot=_held_by_all(zones),
            )
    return places


def _held_by_all(zones: Iterable[PolicyZone]) -> int | None:
    numbers = [zone.snapshot_number or 0 for zone in zones]
    return min(numbers) or None


def settings_for(one: Steered, places: Mapping[int, PolicyPlace]) -> Settings:
    """Return what goes over the wire to a device. Raises DecryptionFailed."""
    entry, policy = one.entry, one.effective.policy
    place = places.get(policy.pk) if policy else None
    values = one.effective.laid_down
    if policy is not None and place is None:
        values[BLOCK_LIST] = None  # not nobody's: it is published within a minute
    return Settings(
        device_id=entry.device_id,
        nickname=entry.nickname,
        kind=entry.kind,
        values=values,
        secrets=secrets_of(entry, inherited_by(entry)),
        policy=place,
        next_key=one.keys[-1] if len(one.keys) > 1 else None,
    )


def content_digest(settings: Settings, *, zone: str, keys: Sequence[DeviceKey]) -> str:
    """Return what tells these settings from others, as a keyed digest: some of them are secret.

    What is sealed differs each time, so what a zone holds cannot be compared.
    """
    told = {
        "zone": zone,
        "nickname": settings.nickname,
        "values": dict(settings.values),
        "secrets": dict(settings.secrets),
        "policy": repr(settings.policy),
        "next": settings.next_key.generation if settings.next_key else None,
        "keys": [key.generation for key in keys],
    }
    text = json.dumps(told, sort_keys=True)
    secret = b"".join(key.secret for key in keys)
    return hmac.new(secret, text.encode(), "sha256").hexdigest()
