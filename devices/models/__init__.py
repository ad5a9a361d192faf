"""The rows of devices."""

from __future__ import annotations

from devices.models.device import Device, ForwardSource, IpType, LogWriter, Pull
from devices.models.gateway import Gateway, GatewayRelease, GatewayState

__all__ = [
    "Device",
    "ForwardSource",
    "Gateway",
    "GatewayRelease",
    "GatewayState",
    "IpType",
    "LogWriter",
    "Pull",
]
