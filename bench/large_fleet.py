"""The fleet of a large site: thousands of device entries in groups, and what their devices say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db import models

from devices.models import DeviceGroup
from fleet.models import (
    Entry,
    EntryKey,
    EntryStatus,
    GroupSettings,
    PolicyZone,
    Publication,
    Rollout,
)
from policies.models import Policy

_SHARE_SILENT = 50  # one in so many


def fleet_rows(
    entries: int, policies: Sequence[Policy], now: datetime
) -> Iterator[Iterator[models.Model]]:
    """Yield the rows of a fleet, one model after the other: the later ones hang on the earlier."""
    groups = list(DeviceGroup.objects.order_by("pk"))
    few = max(1, entries // 100)
    yield (
        GroupSettings(group=one, settings={"log_size": 200_000}, policy=policies[n % len(policies)])
        for n, one in enumerate(groups)
    )
    yield (Publication(policy=one, label=one.name, forms=["apl"]) for one in policies[: few + 1])
    yield (
        PolicyZone(publication=one, form="apl", role="block", name=f"{one.label}-netb.example")
        for one in Publication.objects.order_by("pk")
    )
    yield (
        Rollout(
            name=f"rollout {n}", canary=groups[n % len(groups)], settings={"verdict": "reject"},
            created_at=now, created_by="console:anna", state=("draft", "done")[n % 2],
        )
        for n in range(few)
    )  # fmt: skip
    yield (
        Entry(
            nickname=f"edge-{n:05}", device_id=f"tdid_e{n:07}", kind="iptables", created_at=now,
            group=groups[n % len(groups)], serial=7, written_at=now - timedelta(hours=1),
        )
        for n in range(entries)
    )  # fmt: skip
    made = list(Entry.objects.order_by("pk"))
    yield (EntryKey(entry=one, generation=1, text="key", created_at=now) for one in made)
    yield (_status(one, n, now) for n, one in enumerate(made))


def _status(entry: Entry, number: int, now: datetime) -> EntryStatus:
    at = now - timedelta(hours=number % _SHARE_SILENT == 0)
    return EntryStatus(
        entry=entry, reported_at=at, received_at=at, version=f"7.{number % 4}", state="enforced",
        serial=7 - (number % 97 == 0), snapshot_number=number % 100, clock_offset=0.2,
        errors=[] if number % 91 else ["The log service is away."],
    )  # fmt: skip
