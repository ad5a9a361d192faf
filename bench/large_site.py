"""A large site, made up in a minute: rows only, as many as years of work leave behind.

No service could make it that quickly, so rows are written as they would have been left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone

from accounts.models import ApiToken, SecondFactor, Session
from bench.large_fleet import fleet_rows
from devices.models import Device, DeviceGroup, Gateway, Pull
from enforcement.models import Application
from logs.models import (
    Batch,
    Delivery,
    Forward,
    HitHour,
    LineShape,
    Receiver,
    SavedReport,
    Sender,
    Spool,
)
from policies.models import (
    Alarm,
    AlarmTarget,
    Change,
    ListRecord,
    Policy,
    PolicySource,
    ProtectedAddress,
    Retrieval,
    Snapshot,
    Source,
)
from policies.states import AlarmKind

HOURS = 24 * 30
_AT_ONCE = 5_000
_DIGEST = "0" * 64
_COUNTS = {"addresses4": 1_000_000, "addresses6": 0, "prefixes": 50_000}
_NUMBERS = dict.fromkeys(("block", "allow", "added", "removed"), _COUNTS)


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows of each kind there are to be."""

    devices: int = 1_000
    gateways: int = 200  # of them
    policies: int = 100
    sources: int = 300
    records: int = 20_000
    snapshots: int = 10_000
    hit_hours: int = 1_000_000
    pulls: int = 300_000
    retrievals: int = 100_000
    batches: int = 100_000
    applications: int = 50_000
    changes: int = 100_000
    alarms: int = 20_000
    senders: int = 1_000
    people: int = 100
    entries: int = 5_000  # of a fleet


def furnish(size: Size) -> None:
    """Make the site; what happened, happened in the last thirty days."""
    now = timezone.now()
    sources = _sources(size, now)
    policies = _policies(size, sources, now)
    devices = _devices(size, policies, now)
    _happenings(size, sources, devices, now)
    _record(size, devices, now)
    _batches(size, devices, now)
    _senders(size, devices, now)
    _hits(size, devices, sources, now)
    _people(size, now)
    _settings(size, now)
    for rows in fleet_rows(size.entries, policies, now):
        _write_any(rows)


def _write(model: type[models.Model], rows: Iterable[models.Model]) -> None:
    """Write rows a few thousand at a time."""
    # Not through the model's own manager: the record of changes refuses what is written at once.
    manager: models.QuerySet[Any] = models.QuerySet(model)
    rest = iter(rows)
    while some := list(islice(rest, _AT_ONCE)):
        manager.bulk_create(some)


def _write_any(rows: Iterator[models.Model]) -> None:
    """Write rows that are all of the same model."""
    first = next(rows, None)
    if first is not None:
        _write(type(first), chain([first], rows))


def _back(now: datetime, number: int, of: int) -> datetime:
    """Return the moment of one of so many things that happened in the last thirty days."""
    return now - timedelta(days=30) * number / of


def _sources(size: Size, now: datetime) -> list[Source]:
    _write(
        Source,
        (
            Source(
                name=f"list {n:03}", kind="user" if n < 5 else "memory", settings_key=f"{n}",
                settings={} if n >= 5 else {"type": "block"}, due_at=now, retrieved_at=now,
                list_prefixes=1_000 * n, list_entries=1_100 * n, state="current",
            )
            for n in range(size.sources)
        ),
    )  # fmt: skip
    sources = list(Source.objects.order_by("pk"))
    _write(
        ListRecord,
        (
            ListRecord(
                source=sources[n % 5], text=f"203.{n // 65536}.{n // 256 % 256}.{n % 256}",
                family=4, first=f"{(203 << 24) + n:032x}", last=f"{(203 << 24) + n:032x}",
                note="a scanner", added_by="console:anna", added_at=_back(now, n, size.records),
            )
            for n in range(size.records)
        ),
    )  # fmt: skip
    return sources


def _policies(size: Size, sources: list[Source], now: datetime) -> list[Policy]:
    _write(Policy, (Policy(name=f"policy-{n:03}", state="current") for n in range(size.policies)))
    policies = list(Policy.objects.order_by("pk"))
    _write(
        PolicySource,
        (
            PolicySource(policy=policy, source=sources[(3 * n + step) % size.sources], role="block")
            for n, policy in enumerate(policies)
            for step in range(20)
        ),
    )
    manifest = [
        {"source": one.pk, "name": one.name, "role": "block", "digest": _DIGEST, "entries": ""}
        for one in sources[:20]
    ]
    _write(
        Snapshot,
        (
            Snapshot(
                policy=policies[n % size.policies], number=1 + n // size.policies,
                created_at=_back(now, size.snapshots - n, size.snapshots),
                block_digest=_DIGEST, allow_digest=_DIGEST,
                block_prefixes=50_000 + n, allow_prefixes=10, entries=50_010 + n,
                empty_list_address="192.0.2.1", cuts=[["private", 65_536]], sources=manifest,
                numbers=_NUMBERS,
            )
            for n in range(size.snapshots)
        ),
    )  # fmt: skip
    last = size.snapshots // size.policies
    for policy in policies:
        policy.current = Snapshot.objects.get(policy=policy, number=last)
        policy.last_number = last
    Policy.objects.bulk_update(policies, ["current", "last_number"])
    return policies


def _devices(size: Size, policies: list[Policy], now: datetime) -> list[Device]:
    _write(DeviceGroup, (DeviceGroup(name=f"site {n:02}") for n in range(20)))
    groups = list(DeviceGroup.objects.order_by("pk"))
    gateways = range(size.devices - size.gateways, size.devices)
    _write(
        Device,
        (
            Device(
                nickname=f"{'gw' if n in gateways else 'fmc'}-{n:04}",
                kind="iptables" if n in gateways else "firepower", device_id=f"tdid_{n:08}",
                node=f"gw-{n}" if n in gateways else "", policy=policies[n % size.policies],
                group=groups[n % 20], management_ip=f"10.0.{n // 256}.{n % 256}", created_at=now,
                max_policy_size=(None, 1, 100_000)[n % 3],
                last_pull_at=now - timedelta(minutes=n % 90), last_pull_number=n % 100,
            )
            for n in range(size.devices)
        ),
    )  # fmt: skip
    devices = list(Device.objects.order_by("pk"))
    _write(
        Gateway,
        (
            Gateway(device=one, state="enforced", checked_at=now, applied_at=now)
            for one in devices[size.devices - size.gateways :]
        ),
    )
    return devices


def _happenings(size: Size, sources: list[Source], devices: list[Device], now: datetime) -> None:
    _write(
        Pull,
        (
            Pull(
                device=devices[n % size.devices], at=_back(now, n, size.pulls), client="192.0.2.9",
                agent="curl/8", file="threatstop-block.txt", method="GET",
                status=(304, 304, 304, 200, 404)[n % 5], snapshot_number=n % 100, sent=n,
            )
            for n in range(size.pulls)
        ),
    )  # fmt: skip
    _write(
        Retrieval,
        (
            Retrieval(
                source=sources[n % size.sources], started_at=_back(now, n, size.retrievals),
                finished_at=_back(now, n, size.retrievals), error="" if n % 9 else "no answer",
                outcome="unchanged" if n % 9 else "unavailable", entries=n, prefixes=n,
            )
            for n in range(size.retrievals)
        ),
    )  # fmt: skip
    kernels = list(Gateway.objects.order_by("pk"))
    _write(
        Application,
        (
            Application(
                gateway=kernels[n % size.gateways], at=_back(now, n, size.applications),
                trigger="policy", outcome=("applied", "healed", "failed")[n % 3], added=n,
                snapshot_number=n % 100,
            )
            for n in range(size.applications)
        ),
    )  # fmt: skip


def _record(size: Size, devices: list[Device], now: datetime) -> None:
    _write(Change, (_change(n, size, now) for n in range(size.changes)))
    kinds = list(AlarmKind)
    _write(
        Alarm,
        (
            Alarm(
                kind=kinds[n % len(kinds)], subject=f"device {devices[n % size.devices].nickname}",
                message="It is not as it should be.", opened_at=_back(now, n, size.alarms),
                closed_at=None if n < 300 else now,
            )
            for n in range(size.alarms)
        ),
    )  # fmt: skip


def _change(number: int, size: Size, now: datetime) -> Change:
    return Change(
        at=_back(now, number, size.changes), actor=f"console:person{number % 50}",
        channel="console", origin="192.0.2.7",
        verb=("change", "add", "publish", "pause")[number % 4],
        subject=f"device fmc-{number % size.devices:04}", detail={"note": ["", "here"]},
        digest=_DIGEST,
    )  # fmt: skip


def _batches(size: Size, devices: list[Device], now: datetime) -> None:
    _write(
        Spool,
        (
            Spool(
                device=one, received=10**6, spooled=10**6, last_line_at=now, reported_at=now,
                highest_number=100, known_batches=100, uploaded_lines=10**6,
            )
            for one in devices
        ),
    )  # fmt: skip
    spools = list(Spool.objects.order_by("pk"))
    _write(
        Batch,
        (
            Batch(
                spool=spools[n % size.devices], number=1 + n // size.devices, writer="receiver",
                device_id="x", lines=10_000, bytes=3_000_000, sha256=_DIGEST,
                first_at=(at := _back(now, size.batches - n, size.batches)), last_at=at,
                closed_at=at, state="uploaded" if n % 9 else "waiting",
                due_at=None if n % 9 else now,
                uploaded_at=now if n % 9 else None,
            )
            for n in range(size.batches)
        ),
    )  # fmt: skip
    batches = Batch.objects.order_by("-pk")[:5_000]
    _write(Delivery, (Delivery(batch=one, at=now, outcome="delivered") for one in batches))


def _senders(size: Size, devices: list[Device], now: datetime) -> None:
    _write(Forward, (Forward(device=one, target="192.0.2.90:514/udp") for one in devices))
    _write(
        LineShape,
        (
            LineShape(
                device=one, digest=f"{n}", shape="<N> <W>", sample="<13>x", lines=n, first_at=now,
                last_at=now, version=1,
            )
            for one in devices[:100]
            for n in range(20)
        ),
    )  # fmt: skip
    _write(
        Sender,
        (
            Sender(address=f"198.51.{n // 256}.{n % 256}", first_at=now, last_at=now, sample="<13>")
            for n in range(size.senders)
        ),
    )
    _write(Receiver, (Receiver(node=f"n{n}", started_at=now, reported_at=now) for n in range(20)))


def _hits(size: Size, devices: list[Device], sources: list[Source], now: datetime) -> None:
    """Write the sums: of each hour the same devices and lists, until there are enough."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    a_time = max(1, size.hit_hours // HOURS)

    def made() -> Iterator[HitHour]:
        for n in range(size.hit_hours):
            place = n % a_time
            yield HitHour(
                hour=hour - timedelta(hours=n // a_time),
                device_id=devices[place % size.devices].pk,
                list_id=sources[place // size.devices].pk, direction=place % 2, action=1,
                connections=1 + place % 97,
            )  # fmt: skip

    _write(HitHour, made())


def _people(size: Size, now: datetime) -> None:
    _write(User, (User(username=f"person{n}", is_staff=True) for n in range(size.people)))
    people = list(User.objects.order_by("pk"))
    later = now + timedelta(days=30)
    _write(
        ApiToken,
        (
            ApiToken(user=one, name="script", digest=f"{one.pk}", created_at=now, expires_at=later)
            for one in people
        ),
    )
    _write(
        Session,
        (
            Session(digest=f"{n}", user=people[n % size.people], began_at=now, seen_at=now,
                    expires_at=later, address="192.0.2.7", agent="Firefox")
            for n in range(10 * size.people)
        ),
    )  # fmt: skip
    _write(
        SecondFactor,
        (
            SecondFactor(user=one, secret="A" * 32, created_at=now, confirmed_at=now)
            for one in people
            if one.username.startswith("person")  # whoever looks on is signed in without one
        ),
    )


def _settings(size: Size, now: datetime) -> None:
    people = list(User.objects.order_by("pk"))
    _write(
        SavedReport,
        (
            SavedReport(name=f"report {n}", owner=people[n % size.people], is_shared=True)
            for n in range(5 * size.people)
        ),
    )
    _write(
        AlarmTarget,
        (AlarmTarget(name=f"target {n}", kind="email", created_at=now) for n in range(50)),
    )
    _write(
        ProtectedAddress,
        (ProtectedAddress(network=f"198.51.100.{n}", reason="ours") for n in range(200)),
    )
