"""The admin pages of devices and what they pulled."""

from __future__ import annotations

from devices.admin import device, group, pull

__all__ = ["device", "group", "pull"]
