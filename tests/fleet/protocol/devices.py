"""The devices of these tests: their keys, their settings, what they say of themselves."""

from __future__ import annotations

from datetime import UTC, datetime

from fleet.protocol.base import DeviceKey, PolicyPlace, Settings, Status

DOMAIN = "tscm.example"
KEY = DeviceKey(1, bytes(range(32)))
NEXT_KEY = DeviceKey(2, bytes(range(32, 64)))
GATEWAY, OTHER = "tdid_gw1", "tdid_gw2"

POLICY = PolicyPlace(
    name="edge",
    block_zone=f"edge-netb.{DOMAIN}",
    allow_zone=f"edge-neta.{DOMAIN}",
    servers=("192.0.2.53", "[2001:db8::53]:5353"),
    port=5353,
    tls=True,
    tls_name="portal.example",
    snapshot=7,
)
SETTINGS = Settings(
    device_id=GATEWAY,
    nickname="gw1",
    kind="iptables",
    values={
        "send_logs": True,
        "dns_port": 5353,
        "dns_server": ("192.0.2.53",),
        "log_limit": "10/second",
        "max_policy_size": None,
        "note": 'Zweite "Etage", Raum \u00fc\\4;\n',
    },
    secrets={"upload_proxy_password": "geheim"},
    policy=POLICY,
    next_key=NEXT_KEY,
)
STATUS = Status(
    reported_at=datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
    version="0.1.0",
    state="enforced",
    serial=1,
    snapshot=7,
    digest="ab" * 32,
    retrieved_at=datetime(2026, 11, 21, 11, 55, tzinfo=UTC),
    uploaded_at=datetime(2026, 11, 21, 11, 50, tzinfo=UTC),
    clock_offset=-0.25,
    errors=("block or allow list edge could not be fetched from ThreatSTOP DNS servers.",),
    overrides=("log_limit", "note"),
)
