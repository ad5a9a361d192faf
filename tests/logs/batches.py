"""Closed batches for tests, as the spool leaves them."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from logs.shippers.base import Batch
from logs.spool.base import Manifest, Place

FIRST = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DEVICE_ID = "tdid_abcd1234"


def log_text(lines: int, *, seed: int = 1) -> bytes:
    """Return lines as a Firepower sensor sends them, no two alike."""
    chance = random.Random(seed)
    return "".join(
        f"<113>2026-03-01T01:{number // 60 % 60:02}:{number % 60:02}Z fw-a  %FTD-1-430002: "
        f"AccessControlRuleAction: Block, AccessControlRuleReason: IP Block, "
        f"SrcIP: 10.0.{chance.randrange(256)}.{chance.randrange(256)}, "
        f"DstIP: 198.51.100.{chance.randrange(256)}, SrcPort: {chance.randrange(1024, 65536)}, "
        f"DstPort: {chance.choice((22, 25, 53, 80, 443))}, Protocol: tcp, "
        f"IPReputationSICategory: our-block-feed\n"
        for number in range(lines)
    ).encode()


def noise(size: int, *, seed: int = 1) -> bytes:
    """Return a text that hardly shrinks, so that as much is sent."""
    data = bytearray(random.Random(seed).randbytes(size))
    data[-1:] = b"\n"
    return bytes(data)


def closed_batch(
    folder: Path, *, number: int = 1, text: bytes | None = None, device_id: str = DEVICE_ID
) -> Batch:
    """Write a batch into `folder`, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = log_text(100, seed=number) if text is None else text
    place = Place(folder, "syslog")
    place.batch(number).write_bytes(text)
    manifest = Manifest(
        number=number,
        device_id=device_id,
        writer="receiver",
        lines=text.count(b"\n"),
        bytes=len(text),
        sha256=hashlib.sha256(text).hexdigest(),
        first_at=FIRST,
        last_at=FIRST + timedelta(minutes=15),
        closed_at=FIRST + timedelta(minutes=16),
    )
    place.manifest(number).write_text(manifest.to_json())
    return Batch(device_id, place, manifest)
