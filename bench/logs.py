"""Lines of logs to measure with: made up, of a realistic length, no two alike."""

from __future__ import annotations

import random

LINE_BYTES = 300  # with its end
_SEED = 20261126
_ZONES = ("inside", "outside", "dmz", "guest", "voice")
_REASONS = ("IP Block", "IP Block, Intrusion Monitor", "IP Monitor")


def lines(count: int, *, host: str, seed: int = _SEED) -> list[bytes]:
    """Return log lines of a Firepower sensor, each of LINE_BYTES with its LF."""
    chance = random.Random(f"{seed} {host}")  # noqa: S311  nothing secret
    return [_line(chance, host, number) for number in range(count)]


def _line(chance: random.Random, host: str, number: int) -> bytes:
    source = f"192.0.2.{chance.randrange(256)}"
    target = f"198.51.100.{chance.randrange(256)}"
    second = number % 60
    text = (
        f"<113>2026-11-26T08:{number // 60 % 60:02}:{second:02}Z {host}  %FTD-1-430002: "
        f"AccessControlRuleAction: Block, AccessControlRuleReason: {chance.choice(_REASONS)}, "
        f"SrcIP: {source}, DstIP: {target}, SrcPort: {chance.randrange(1024, 65536)}, "
        f"DstPort: {chance.choice((22, 53, 80, 443, 8443))}, Protocol: tcp, "
        f"IngressZone: {chance.choice(_ZONES)}, ConnectionID: {chance.randrange(65536)}, "
        f"User: u{number:07}, "
    )
    return text.ljust(LINE_BYTES - 1, "x")[: LINE_BYTES - 1].encode("ascii") + b"\n"
