"""The rows of devices."""

from __future__ import annotations

from devices.models.device import Device, IpType, Pull

__all__ = ["Device", "IpType", "Pull"]
