"""The one gateway of these tests, read anew from its rows."""

from __future__ import annotations

from datetime import timedelta

from devices.models import Device, Gateway
from policies.models import Policy

MINUTE = timedelta(minutes=1)


def gateway() -> Gateway:
    """Return what is known of its kernel."""
    return Gateway.objects.get()


def policy_of(device: Device) -> Policy:
    """Return the policy it follows."""
    return Policy.objects.get(pk=device.policy_id)


def fresh() -> Device:
    """Return the device."""
    return Device.objects.select_related("policy__current", "gateway").get()
