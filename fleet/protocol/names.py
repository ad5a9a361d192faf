"""The names that a device ID stands in: its zones, its key, and where it reports."""

from __future__ import annotations

import re

# With `g9999-` in front of it, still a label of DNS (63 bytes at most).
MAX_DEVICE_ID = 57

# Of a zone, so that any name below it is still one of DNS (253 characters).
_MAX_ZONE = 189
_DEVICE_ID = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{MAX_DEVICE_ID - 1}}}")
_LIKE_A_KEY = re.compile(r"g[0-9]+-.*")  # one device's ID would be the name of another's key


class NotADeviceId(ValueError):
    """A text that cannot be the ID of a device which a portal steers; says what can."""


def label(device_id: str) -> str:
    """Return the device ID as it stands in names, in lower case; raise `NotADeviceId`."""
    found = device_id.lower()
    if not _DEVICE_ID.fullmatch(found) or _LIKE_A_KEY.fullmatch(found):
        raise NotADeviceId(
            f"{device_id[:100]!r} cannot be a device ID of Web Automation: use up to "
            f"{MAX_DEVICE_ID} letters, digits, '-' and '_', a letter or digit in front, and not "
            f"'g', digits and '-' as in g2-x"
        )
    return found


def settings_zone(device_id: str, domain: str) -> str:
    """Return the name of the zone that holds a device's settings; raise `NotADeviceId`."""
    return _within(f"{label(device_id)}.device.{domain}")


def status_zone(domain: str) -> str:
    """Return the name of the zone that all devices report into."""
    return f"status.{domain}"


def status_name(device_id: str, domain: str) -> str:
    """Return the name below which a device reports; raise `NotADeviceId`."""
    return _within(f"{label(device_id)}.{status_zone(domain)}")


def _within(name: str) -> str:
    if len(name) > _MAX_ZONE:
        raise NotADeviceId(
            f"{name[:250]} is too long for a name of Web Automation, {len(name)} characters of "
            f"{_MAX_ZONE}: use a shorter device ID or a shorter domain"
        )
    return name
