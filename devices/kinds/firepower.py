"""Cisco Firepower: an FMC pulls block and allow feeds; its sensors send syslog."""

from __future__ import annotations

from devices.kinds import common, rules
from devices.kinds.base import Kind, Setting

FIREPOWER = Kind(
    name="firepower",
    label="Cisco Firepower",
    settings=(
        common.DEVICE_ID,
        Setting("management_ip", "Device management IP", "", rules.address, is_required=True),
        common.BLOCK_LIST,
        common.ALLOW_LIST,
        common.SEND_LOGS,
        common.DNS_SERVER,
        common.DNS_PORT,
        Setting("syslog_sources", "Additional syslog source IPs", "", rules.senders),
        common.LOG_SIZE,
        common.LOG_QUOTA,
        common.LOG_NAMES,
        common.LOG_WRITER,
        common.POLICY_UPDATES,
        *common.FORWARD,
        *common.UPLOAD_PROXY,
        common.MAX_POLICY_SIZE,
        *common.PUBLIC_ADDRESS,
        Setting(
            "client_networks",
            "Networks that may fetch the feeds (empty for all)",
            "",
            rules.networks,
            is_advanced=True,
        ),
        common.NOTE,
    ),
)
