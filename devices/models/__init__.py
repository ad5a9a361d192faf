"""The rows of devices."""

from __future__ import annotations

from devices.models.device import Device, ForwardSource, IpType, LogWriter, Pull
from devices.models.gateway import Gateway, GatewayRelease, GatewayState
from devices.models.group import DeviceGroup

__all__ = [
    "Device",
    "DeviceGroup",
    "ForwardSource",
    "Gateway",
    "GatewayRelease",
    "GatewayState",
    "IpType",
    "LogWriter",
    "Pull",
]
