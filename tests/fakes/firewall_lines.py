"""Lines as firewalls write them by the million: many hosts, moments and addresses, few words.

Made up, with documentation addresses for what is outside and private ones for what is inside.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 26, 8, 0, 0, tzinfo=UTC)
PER_SECOND = 40  # lines

_OUTSIDE = ("192.0.2.", "198.51.100.", "203.0.113.")
_PORTS = (22, 23, 25, 53, 80, 123, 443, 445, 3389, 8080)
_CATEGORIES = ("threatstop-block", "edge-block", "Malware", "CnC", "Tor_exit_node", "Attackers")
_APPLICATIONS = ("HTTP", "HTTPS", "DNS", "SSH", "SMTP", "SMB")
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0",
    "curl/8.5.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
)


def firepower(count: int, *, seed: int = 1) -> list[bytes]:
    """Return Security Intelligence hits as `%FTD-1-430003` tells them, without their ends."""
    chance = random.Random(seed)
    return [_firepower(chance, START + timedelta(seconds=n // PER_SECOND)) for n in range(count)]


def netfilter(count: int, *, seed: int = 1) -> list[bytes]:
    """Return what kernels log of packets that our rules drop, without line ends."""
    chance = random.Random(seed)
    return [_netfilter(chance, n, START + timedelta(seconds=n // PER_SECOND)) for n in range(count)]


def _ends(chance: random.Random) -> tuple[str, str, bool]:
    """Return the source, the destination, and whether the connection comes from outside."""
    inside = f"10.{chance.randrange(4)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"
    outside = f"{chance.choice(_OUTSIDE)}{chance.randrange(256)}"
    if chance.random() < 0.4:
        return outside, inside, True
    return inside, outside, False


def _firepower(chance: random.Random, at: datetime) -> bytes:
    source, destination, from_outside = _ends(chance)
    unit = chance.randrange(6)
    blocked = chance.random() < 0.9
    protocol = chance.choice(("tcp", "tcp", "tcp", "udp", "icmp"))
    head = f"<113>{at:%Y-%m-%dT%H:%M:%SZ} fw-{unit}  %FTD-1-430003"
    parts = [
        f"{head}: DeviceUUID: {unit:08x}-0000-0000-0000-000000000000",
        f"InstanceID: {chance.randrange(1, 9)}",
        f"FirstPacketSecond: {at - timedelta(seconds=chance.randrange(30)):%Y-%m-%dT%H:%M:%SZ}",
        f"ConnectionID: {chance.randrange(65536)}",
        f"AccessControlRuleAction: {'Block' if blocked else 'Allow'}",
        f"AccessControlRuleReason: {'IP Block' if blocked else 'IP Monitor'}",
        f"SrcIP: {source}",
        f"DstIP: {destination}",
    ]
    if protocol == "icmp":
        parts += ["ICMPType: Echo Request", "ICMPCode: No Code"]
    else:
        parts += [f"SrcPort: {chance.randrange(1024, 65536)}", f"DstPort: {chance.choice(_PORTS)}"]
    parts += [
        f"Protocol: {protocol}",
        "IngressInterface: outside, EgressInterface: inside"
        if from_outside
        else "IngressInterface: inside, EgressInterface: outside",
        "IngressZone: zone-a, EgressZone: zone-b",
        "ACPolicy: site-policy, AccessControlRuleName: Default Action",
    ]
    if not blocked and protocol == "tcp":
        parts += [f"UserAgent: {chance.choice(_AGENTS)}"]
    if not blocked:
        parts += [f"ApplicationProtocol: {chance.choice(_APPLICATIONS)}"]
    parts += [
        f"InitiatorPackets: {chance.randrange(1, 9)}, ResponderPackets: 0",
        f"InitiatorBytes: {chance.randrange(60, 900)}, ResponderBytes: 0",
        "NAPPolicy: Balanced Security",
        f"SecIntMatchingIP: {'Source' if from_outside else 'Destination'}",
        f"IPReputationSICategory: {chance.choice(_CATEGORIES)}",
    ]
    if not blocked and protocol == "tcp":
        parts += [f"ReferencedHost: www{unit}.example, URL: http://www{unit}.example/a?b={unit}"]
    return ", ".join(parts).encode()


def _netfilter(chance: random.Random, number: int, at: datetime) -> bytes:
    source, destination, from_outside = _ends(chance)
    unit = chance.randrange(6)
    mac = ":".join(f"{chance.randrange(256):02x}" for _ in range(12))
    links = f"IN=eth0 OUT= MAC={mac}:08:00" if from_outside else "IN=eth1 OUT=eth0"
    sport, dport = chance.randrange(1024, 65536), chance.choice(_PORTS)
    rest = chance.choice(
        (
            f"PROTO=TCP SPT={sport} DPT={dport} WINDOW=64240 RES=0x00 SYN URGP=0 ",
            f"PROTO=TCP SPT={sport} DPT={dport} WINDOW=29200 RES=0x00 ACK PSH URGP=0 ",
            f"PROTO=UDP SPT={sport} DPT={dport} LEN={chance.randrange(20, 400)} ",
            f"PROTO=ICMP TYPE=8 CODE=0 ID={sport} SEQ=1 ",
        )
    )
    size, ident = chance.randrange(40, 1500), chance.randrange(65536)
    return (
        f"{at:%b %e %H:%M:%S} gw-{unit} kernel: [{number // PER_SECOND + 1806:5}."
        f"{chance.randrange(1_000_000):06}] ThreatSTOP-TSblock {links} SRC={source} "
        f"DST={destination} LEN={size} TOS=0x00 PREC=0x00 TTL={chance.randrange(40, 128)} "
        f"ID={ident} DF {rest}"
    ).encode()
