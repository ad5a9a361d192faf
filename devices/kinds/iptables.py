"""A Linux gateway or host: its own kernel drops what is listed."""

from __future__ import annotations

from devices.kinds import common, rules
from devices.kinds.base import Kind, Setting

# bad.threatstop.com, which the product's own instructions prove a block with.
TEST_ADDRESS = "64.87.3.133"

IPTABLES = Kind(
    name="iptables",
    label="Linux gateway",
    is_gateway=True,
    settings=(
        common.DEVICE_ID,
        common.BLOCK_LIST,
        common.ALLOW_LIST,
        common.SEND_LOGS,
        common.DNS_SERVER,
        common.DNS_PORT,
        Setting(
            "node",
            "Machine that enforces (empty for this one)",
            "",
            rules.node,
            is_advanced=True,
        ),
        Setting(
            "enforcer",
            "Enforcer (iptables or nftables)",
            "iptables",
            rules.one_of("iptables", "nftables"),
            is_advanced=True,
        ),
        Setting(
            "verdict",
            "What becomes of a listed packet (drop or reject)",
            "drop",
            rules.one_of("drop", "reject"),
            is_advanced=True,
        ),
        Setting(
            "log_limit",
            "Log at most (such as 10/second; empty for every packet)",
            "",
            rules.rate,
            is_advanced=True,
        ),
        Setting(
            "cut_connections",
            "Cut open connections to what is newly listed",
            "yes",
            rules.yes_no,
            is_advanced=True,
        ),
        Setting(
            "canaries",
            "Addresses that must stay reachable (address or address:port; empty for none)",
            "",
            rules.canaries,
            is_advanced=True,
        ),
        Setting(
            "test_address",
            "Address to test a block with",
            TEST_ADDRESS,
            rules.address,
            is_advanced=True,
        ),
        Setting("management_ip", "Device management IP", "", rules.address, is_advanced=True),
        common.LOG_SIZE,
        common.LOG_QUOTA,
        common.LOG_NAMES,
        common.LOG_WRITER,
        common.POLICY_UPDATES,
        *common.FORWARD,
        *common.UPLOAD_PROXY,
        common.MAX_POLICY_SIZE,
        *common.PUBLIC_ADDRESS,
        common.NOTE,
    ),
)
