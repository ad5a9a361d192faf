"""list, show: what there is."""

from __future__ import annotations

from datetime import datetime

from devices.health import health_of
from devices.models import Device, GatewayRelease
from tsadmin.commands.facts import facts_of
from tsadmin.commands.finding import find_device
from tsadmin.screen import print_facts, print_hint, print_json, print_table
from tsadmin.words import size_text

# As the product we follow prints them, so that scripts and eyes find what they know.
COLUMNS = (
    "Device name",
    "Type",
    "Device ID",
    "Management IP",
    "Log upload ID",
    "Log (size)",
    "Log uploads (enabled/disabled)",
)


def list_devices(*, now: datetime, as_json: bool) -> None:
    """Print every device."""
    devices = Device.objects.select_related("policy__current", "gateway")
    rows = list(devices.prefetch_related("policy__sources").order_by("nickname", "id"))
    releases = list(GatewayRelease.objects.all())
    if as_json:
        print_json(
            {
                "devices": [_row_json(device, now=now) for device in rows],
                "releases": [_release_json(one) for one in releases],
            }
        )
        return
    if rows:
        print_table(COLUMNS, [_row(device) for device in rows])
    else:
        print_hint("No devices yet. See 'tsadmin add --help', or try 'tsadmin demo'.")
    for one in releases:
        print_hint(one.sentence)


def _release_json(one: GatewayRelease) -> dict[str, object]:
    return {"node": one.node, "name": one.nickname, "asked_at": one.asked_at, "detail": one.detail}


def show_device(*, nickname: str, now: datetime, as_json: bool) -> None:
    """Print everything about one device."""
    facts = facts_of(find_device(nickname), now=now)
    if as_json:
        print_json(facts.json())
    else:
        print_facts(facts.lines())


def _row(device: Device) -> tuple[str, ...]:
    return (
        device.nickname,
        device.kind,
        device.device_id,
        device.management_ip or device.node,
        device.device_id,  # logs are uploaded under the device's own ID
        size_text(device.log_size),
        "enabled" if device.send_logs else "disabled",
    )


def _row_json(device: Device, *, now: datetime) -> dict[str, object]:
    return {
        "name": device.nickname,
        "type": device.kind,
        "device_id": device.device_id,
        "management_ip": device.management_ip,
        "node": device.node or None,
        "log_upload_id": device.device_id,
        "log_size": device.log_size,
        "log_uploads": device.send_logs,
        "is_sample": device.is_sample,
        "state": health_of(device, now=now).state.value,
    }
