"""How many queries each list takes is written down here, and does not grow with its rows."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from devices.models import Device, Gateway, Pull
from enforcement.models import Application
from logs.models import Batch, Forward, Receiver, Sender, Spool
from policies.models import Alarm, Change, Policy, PolicySource, Retrieval, Snapshot, Source
from policies.states import Outcome, PolicyState
from tests.console.pages import address
from tests.factories import make_policy, publish
from tests.logs.rows import sum_up

pytestmark = pytest.mark.django_db
POLICIES, DEVICES, GATEWAYS, EVENTS, SPOOLS = 40, 1_000, 200, 300, 100

# Two of each are the session and the user; dates to browse by take one or two.
PINNED = {
    "start": 11,
    "Device": 8,
    "Device, by health": 7,
    "Policy": 4,
    "Source": 5,
    "Snapshot": 6,
    "Retrieval": 7,
    "Pull": 8,
    "Change": 7,
    "Alarm": 4,
    "Application": 6,
    "Spool": 5,
    "Batch": 6,
    "Forward": 4,
    "Sender": 5,
    "Receiver": 4,
}


@pytest.fixture
def large_site(now: datetime) -> None:
    """A thousand devices on forty policies, with what happened to them."""
    first = make_policy(now=now)
    snapshot = publish(first, now=now)
    source = first.sources.get()
    policies = Policy.objects.bulk_create(
        Policy(name=f"p{n}", state=PolicyState.CURRENT, current=snapshot) for n in range(POLICIES)
    )
    PolicySource.objects.bulk_create(PolicySource(policy=one, source=source) for one in policies)
    Source.objects.bulk_create(
        Source(name=f"s{n}", kind="memory", settings_key=f"{n}", due_at=now) for n in range(EVENTS)
    )
    devices = Device.objects.bulk_create(
        Device(
            nickname=f"fmc-{n:04}",
            kind="firepower",
            device_id=f"tdid_{n:08}",
            policy=policies[n % POLICIES],
            management_ip="192.0.2.10",
            created_at=now,
            max_policy_size=(None, 1, 100)[n % 3],
            last_pull_at=now if n % 2 else None,
        )
        for n in range(DEVICES)
    )
    _make_events(snapshot, source, devices[0], now=now)
    _make_gateways(policies, now=now)
    _make_logs(devices[:SPOOLS], now=now)


def _make_gateways(policies: list[Policy], *, now: datetime) -> None:
    devices = Device.objects.bulk_create(
        Device(
            nickname=f"gw-{n:04}", kind="iptables", device_id=f"tdid_gw{n:06}", node=f"gw-{n}",
            policy=policies[n % POLICIES], created_at=now,
        )
        for n in range(GATEWAYS)
    )  # fmt: skip
    kernels = Gateway.objects.bulk_create(Gateway(device=one, checked_at=now) for one in devices)
    Application.objects.bulk_create(
        Application(gateway=kernel, at=now, trigger="policy", outcome="applied")
        for kernel in kernels
    )


def _make_logs(devices: list[Device], *, now: datetime) -> None:
    """Make ten batches for each device, and a hundred senders and receivers."""
    spools = Spool.objects.bulk_create(Spool(device=one, received=10) for one in devices)
    Batch.objects.bulk_create(
        Batch(
            spool=spool, number=number, writer="receiver", lines=1, bytes=300, due_at=now,
            first_at=now, last_at=now, closed_at=now - timedelta(minutes=number),
        )
        for spool in spools
        for number in range(1, 11)
    )  # fmt: skip
    sum_up()
    Forward.objects.bulk_create(Forward(device=one, target="192.0.2.9:514/udp") for one in devices)
    Sender.objects.bulk_create(
        Sender(address=f"198.51.100.{n}", first_at=now, last_at=now, sample="<13>x")
        for n in range(SPOOLS)
    )
    Receiver.objects.bulk_create(
        Receiver(node=f"n{n}", started_at=now, reported_at=now) for n in range(SPOOLS)
    )


def _make_events(snapshot: Snapshot, source: Source, device: Device, *, now: datetime) -> None:
    moments = [now - timedelta(hours=n) for n in range(EVENTS)]
    copied = {
        name: getattr(snapshot, name)
        for name in (
            "block_digest", "allow_digest", "block_prefixes", "allow_prefixes", "entries",
            "empty_list_address", "numbers", "cuts", "sources",
        )
    }  # fmt: skip
    Snapshot.objects.bulk_create(
        Snapshot(policy=snapshot.policy, number=n + 2, created_at=at, **copied)
        for n, at in enumerate(moments)
    )
    Retrieval.objects.bulk_create(
        Retrieval(
            source=source, started_at=at, finished_at=at, outcome=Outcome.REFUSED, error="no",
            added=0, removed=0,
        )
        for at in moments
    )  # fmt: skip
    Pull.objects.bulk_create(
        Pull(
            device=device, at=at, client="192.0.2.9", file="threatstop-block.txt", method="GET",
            status=200, sent=1,
        )
        for at in moments
    )  # fmt: skip
    Alarm.objects.bulk_create(
        Alarm(kind="stale", subject=f"source {n}", message="old", opened_at=at)
        for n, at in enumerate(moments)
    )
    Change.objects.bulk_create(Change(at=at, actor="x", verb="y", subject="z") for at in moments)


def pages() -> dict[str, str]:
    models = (
        Device, Policy, Source, Snapshot, Retrieval, Pull, Change, Alarm, Application, Spool,
        Batch, Forward, Sender, Receiver,
    )  # fmt: skip
    lists = {model.__name__: address(model, "changelist") for model in models}
    by_health = f"{lists['Device']}?health=never-pulled"
    return {"start": reverse("admin:index"), **lists, "Device, by health": by_health}


def queries_of(client: Client) -> dict[str, int]:
    counts = {}
    for name, url in pages().items():
        client.get(url)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200, name
        counts[name] = len(queries)
    return counts


@pytest.mark.usefixtures("large_site")
def test_lists_take_as_many_queries_as_written_down(alice: Client) -> None:
    assert queries_of(alice) == PINNED


@pytest.mark.usefixtures("large_site")
def test_who_may_only_look_costs_no_query_more_for_each_row(victor: Client) -> None:
    looking = queries_of(victor)
    # Rights of a person are two queries; a superuser has none to look up.
    assert all(looking[name] <= PINNED[name] + 2 for name in PINNED), looking
    assert User.objects.count() == 1
