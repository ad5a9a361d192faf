"""The settings that more than one kind of device has."""

from __future__ import annotations

from devices.kinds import rules
from devices.kinds.base import Setting

DEVICE_ID = Setting("device_id", "Device ID (tdid)", "", rules.device_id, is_required=True)
BLOCK_LIST = Setting("block_list", "Block list name", "basic.threatstop.local", rules.dns_name)
ALLOW_LIST = Setting("allow_list", "Allow list name (empty for none)", "", rules.dns_name)
SEND_LOGS = Setting("send_logs", "Send logs to ThreatSTOP", "yes", rules.yes_no)
DNS_SERVER = Setting("dns_server", "DNS servers (empty for the site's own)", "", rules.servers)
DNS_PORT = Setting("dns_port", "DNS port", "53", rules.port)
LOG_SIZE = Setting("log_size", "Log rotate size", "100k", rules.log_size, is_advanced=True)
LOG_QUOTA = Setting(
    "log_quota", "Room for logs on this appliance", "1000M", rules.log_quota, is_advanced=True
)
LOG_NAMES = Setting(
    "log_names",
    "Names in its log lines (host or DeviceUUID; empty for none)",
    "",
    rules.log_names,
    is_advanced=True,
)
LOG_WRITER = Setting(
    "log_writer",
    "Who writes its log files (receiver or rsyslog)",
    "receiver",
    rules.log_writer,
    is_advanced=True,
)
POLICY_UPDATES = Setting(
    "policy_updates", "Enable policy updates", "yes", rules.yes_no, is_advanced=True
)
FORWARD = (
    Setting(
        "syslog_forward",
        "Forward syslog to (host:port/udp, /tcp or /tls)",
        "",
        rules.forward,
        is_advanced=True,
    ),
    Setting(
        "forward_source",
        "Sender in forwarded lines (none, structured-data or header)",
        "none",
        rules.forward_source,
        is_advanced=True,
    ),
)
UPLOAD_PROXY = (
    Setting(
        "upload_proxy",
        "Log upload proxy (http://address:port)",
        "",
        rules.proxy,
        is_advanced=True,
    ),
    Setting("upload_proxy_user", "Proxy user", "", rules.text(100), is_advanced=True),
    Setting(
        "upload_proxy_password",
        "Proxy password",
        "",
        rules.text(200),
        is_advanced=True,
        is_secret=True,
    ),
)
MAX_POLICY_SIZE = Setting(
    "max_policy_size",
    "Maximum policy size (empty for no limit)",
    "",
    rules.count,
    is_advanced=True,
)
PUBLIC_ADDRESS = (
    Setting(
        "ip_type",
        "IP type (static or dynamic)",
        "static",
        rules.one_of("static", "dynamic"),
        is_advanced=True,
    ),
    Setting("public_ip", "Public IP address", "", rules.address, is_advanced=True),
    Setting("domain_name", "Domain name", "", rules.dns_name, is_advanced=True),
)
NOTE = Setting("note", "Note", "", rules.text(2000), is_advanced=True)
