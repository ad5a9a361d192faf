"""What belongs to a device and must never be blocked: where it is managed, logs go, feeds go."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlsplit

from devices.kinds.rules import targets_of
from devices.models import Device
from policies.services import protect

# A wider network would take too much out of what is blocked: /16, and /32 in IPv6.
WIDEST = {4: 16, 6: 32}
# What is protected is so in every policy here, and a portal steers one device: what it lays down
# protects single addresses alone, and this many of them.
FROM_PORTAL_MOST = 16


def protect_device(device: Device, *, now: datetime) -> None:
    """Protect what the settings of a device name, and nothing that they no longer do."""
    networks: dict[str, str] = {}
    of_portal: set[str] = set()
    for setting, network, reason in _named(device):
        if not _is_narrow(network):
            continue
        if setting in device.set_by_portal:
            if not _is_single(network) or len(of_portal | {network}) > FROM_PORTAL_MOST:
                continue
            of_portal.add(network)
        networks.setdefault(network, reason.format(device.nickname))
    protect(origin=origin_of(device.nickname), networks=networks, now=now)


def protect_devices(*, now: datetime) -> None:
    """Protect what belongs to every device: after an upgrade, which may know of more."""
    for device in Device.objects.order_by("id"):
        protect_device(device, now=now)


def origin_of(nickname: str) -> str:
    """Return what keeps the protected addresses of a device."""
    return f"device {nickname}"


def _named(device: Device) -> Iterator[tuple[str, str, str]]:
    """Yield what is named: by which setting, what, and why it is protected."""
    yield "management_ip", device.management_ip or "", "management address of {}"
    # Only what a person wrote down. Where anybody may fetch the feeds, somebody who fetches one
    # must not protect himself by it.
    for network in device.client_networks:
        yield "client_networks", network, "may fetch the feeds of {}"
    for address in device.syslog_sources:
        yield "syslog_sources", address, "syslog source of {}"
    for canary in device.canaries:
        yield "canaries", address_of(canary), "must stay reachable from {}"
    for target in targets_of(device.syslog_forward):
        host = target.rpartition(":")[0].strip("[]")
        yield "syslog_forward", host, "where the syslog of {} is forwarded"
    yield "upload_proxy", urlsplit(device.upload_proxy).hostname or "", "log upload proxy of {}"


def address_of(canary: str) -> str:
    """Return the address of `address`, `address:port` or `[IPv6]:port`."""
    host, colon, _ = canary.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        return canary
    return host.strip("[]")


def _is_single(text: str) -> bool:
    return ipaddress.ip_network(text).num_addresses == 1


def _is_narrow(text: str) -> bool:
    """Tell whether it is an address or a network that is not too wide, and no name."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return False
    return network.prefixlen >= WIDEST[network.version]
