"""The rows of devices."""

from __future__ import annotations

from devices.models.device import Device, IpType, Pull
from devices.models.gateway import Gateway, GatewayRelease, GatewayState

__all__ = ["Device", "Gateway", "GatewayRelease", "GatewayState", "IpType", "Pull"]
