"""What the feed of a device is right now: the answer the feed server gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from devices.kinds import GATEWAYS
from devices.models import Device
from policies.models import Feed, Packing, Snapshot
from policies.states import Role


@dataclass(frozen=True, slots=True)
class PublishedFeed:
    """One feed of a device, as it is served."""

    digest: str
    md5: str
    size: int
    gzip_size: int
    snapshot_number: int
    published_at: datetime


@dataclass(frozen=True, slots=True)
class PublishedDevice:
    """A device as the feed server knows it; `feeds` is empty while nothing is published."""

    pk: int
    device_id: str
    client_networks: tuple[str, ...]
    feeds: dict[str, PublishedFeed]  # by "block" and "allow"


def published_device(device_id: str) -> PublishedDevice | None:
    """Return the device with this ID and its feeds; None when no device with it pulls feeds."""
    rows = Device.objects.select_related("policy__current", "pinned_snapshot")
    device = rows.filter(device_id=device_id).exclude(kind__in=GATEWAYS).first()
    if device is None:
        return None
    snapshot = device.published
    feeds = _feeds(snapshot, most=device.max_policy_size) if snapshot else {}
    return PublishedDevice(device.pk, device.device_id, tuple(device.client_networks), feeds)


def _feeds(snapshot: Snapshot, *, most: int | None) -> dict[str, PublishedFeed]:
    """Return the lists of a snapshot; the block list packed where the device is too small."""
    feeds = {
        str(Role(row.list)): _published(row, snapshot, snapshot.created_at)
        for row in Feed.objects.filter(snapshot=snapshot, format="text")
    }
    if most is not None and snapshot.entries > most:
        packing = snapshot.packings.filter(most=most).first()
        if packing is None:
            return {}  # never more than the device holds
        feeds[str(Role.BLOCK)] = _published(packing, snapshot, packing.created_at)
    return feeds


def _published(file: Feed | Packing, snapshot: Snapshot, at: datetime) -> PublishedFeed:
    return PublishedFeed(file.digest, file.md5, file.size, file.gzip_size, snapshot.number, at)


def feed_urls(device: Device, *, base: str) -> dict[str, str]:
    """Return the URLs of a device's feeds below `base`, such as "http://192.0.2.10:8001/".

    A gateway has none: its enforcer loads its lists.
    """
    if device.is_gateway:
        return {}
    return {
        str(role): f"{base.rstrip('/')}/{device.device_id}/threatstop-{role}.txt" for role in Role
    }
