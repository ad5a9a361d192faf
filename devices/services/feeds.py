"""What the feed of a device is right now: the answer the feed server gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from devices.models import Device
from policies.models import Feed
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
    """Return the device with this ID and its feeds; None when there is no such device."""
    device = Device.objects.select_related("policy").filter(device_id=device_id).first()
    if device is None:
        return None
    snapshot = device.published
    rows = Feed.objects.filter(snapshot=snapshot, format="text") if snapshot else ()
    feeds = {
        str(Role(row.list)): PublishedFeed(
            row.digest, row.md5, row.size, row.gzip_size, snapshot.number, snapshot.created_at
        )
        for row in rows
        if snapshot is not None
    }
    return PublishedDevice(device.pk, device.device_id, tuple(device.client_networks), feeds)


def feed_urls(device: Device, *, base: str) -> dict[str, str]:
    """Return the URLs of a device's feeds below `base`, such as "http://192.0.2.10:8001/"."""
    return {
        str(role): f"{base.rstrip('/')}/{device.device_id}/threatstop-{role}.txt" for role in Role
    }
