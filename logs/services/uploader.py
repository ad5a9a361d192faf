"""The way to the log service for one device, from its settings and the site's."""

from __future__ import annotations

import hashlib
import json

from django.conf import settings

from devices.models import Device
from logs.shippers.base import Shipper, ShipperMisconfigured, ShipRefused
from logs.shippers.upload import Uploader
from policies.fields import DecryptionFailed


def uploader_of(device: Device) -> Shipper:
    """Return what uploads a device's batches.

    Raises ShipRefused where no settings allow it, ShipUnavailable where a file of them is away.
    """
    try:
        return Uploader.from_settings(
            url=settings.TSCM_LOG_UPLOAD_URL,
            proxy=device.upload_proxy,
            proxy_user=device.upload_proxy_user,
            proxy_password=device.upload_proxy_password if device.upload_proxy_user else "",
            ca_file=settings.TSCM_LOG_CA,
        )
    except ShipperMisconfigured as error:
        raise ShipRefused(f"Nothing can be uploaded: {error}.") from error
    except DecryptionFailed as error:
        raise ShipRefused(f"The password of the upload proxy cannot be read: {error}.") from error


def way_of(device: Device) -> str:
    """Return a digest of all that decides which way batches go, secrets and files included."""
    try:
        password = device.upload_proxy_password
    except DecryptionFailed:
        password = "unreadable"  # noqa: S105  no password, but that there is none to be read
    way = [
        settings.TSCM_LOG_UPLOAD_URL, str(settings.TSCM_LOG_CA), _authorities(), device.device_id,
        device.upload_proxy, device.upload_proxy_user, password,
    ]  # fmt: skip
    key = settings.SECRET_KEY.encode()  # nobody who reads the row is to try passwords on it
    return hashlib.blake2b(json.dumps(way).encode(), key=key[:64], digest_size=32).hexdigest()


def _authorities() -> str:
    """Return what the site's file of authorities holds, for the digest."""
    if settings.TSCM_LOG_CA is None:
        return "none"
    try:
        return hashlib.sha256(settings.TSCM_LOG_CA.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"
