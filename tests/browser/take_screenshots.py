"""Take the pictures of the documentation: `python -m pytest tests/browser/take_screenshots.py`.

No test: its name keeps it out of the suite. The pictures are written to docs/screenshots.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page

from devices.models import Device
from devices.services import PullRecord, record_pulls
from enforcement.models import Question
from enforcement.services import ask, inquiries
from logs.models import Forward
from logs.states import ForwardState
from policies.models import Policy, Snapshot, Source
from policies.services import Member, create_policy, create_source, refresh_policy
from policies.states import Role
from tests.enforcement.rows import PLAN, applied, enforce
from tests.factories import make_device, make_gateway, make_policy, publish, republish
from tests.logs.rows import failed, make_batch, make_receiver, make_sender, make_spool, uploaded

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(300),
]
PICTURES = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
BRANCHES = ("berlin", "lisbon", "oslo")


def picture(page: Page, name: str, path: str, *, dark: bool = False) -> None:
    page.goto(path)
    page.evaluate(
        "(theme) => localStorage.setItem('adminTheme', JSON.stringify(theme))",
        "dark" if dark else "light",
    )
    page.reload(wait_until="networkidle")
    page.screenshot(path=PICTURES / f"{name}.png")


def _source(name: str, *entries: str) -> Source:
    return create_source(
        name=name,
        kind="memory",
        settings={"entries": list(entries)},
        actor="console:alice",
        now=timezone.now(),
    )


def furnish() -> None:
    """Make a site: policies, two of them held by their guard, four firewalls and a gateway."""
    networks = [f"93.185.{n}.0/24" for n in range(0, 256, 2)]
    blocked = [*networks, *(f"93.184.{n}.7" for n in range(250)), "10.1.0.0/16"]
    edge = _policy(
        "edge-block", _source("known scanners", *blocked), _source("partners", "93.184.9.0/24")
    )
    wide = _policy("wide-block", _source("too much", "93.0.0.0/7"), None)
    _grow(_policy("guest-block", _source("open proxies", *_networks(20)), None))
    now = timezone.now()
    for number, name in enumerate(BRANCHES):
        device = make_device(policy=edge, now=now - timedelta(days=3), nickname=f"fmc-{name}")
        _pull(device, minutes=(12, 27, 260)[number])
    make_device(policy=wide, now=now, nickname="fmc-madrid")
    _enforce(make_policy(now=now, name="dmz-block", block=_networks(60)))
    _log()


def _enforce(policy: Policy) -> None:
    """Make a gateway that enforces a policy since three days, and was asked for a plan just now."""
    now = timezone.now()
    since = now - timedelta(days=3)
    first = publish(policy, now=since)
    digests = {name: getattr(first, name) for name in ("block_digest", "allow_digest")}
    settings = {"node": "gw-vienna", "canaries": "192.0.2.1, 192.0.2.53:53"}
    gateway = make_gateway(policy=policy, now=since, nickname="gw-vienna", **settings)
    sets = {"TSblockaddr": [0, 512], "TSblocknet": [60, 9_216]}
    kernel = enforce(gateway, now=now, sets=sets, applied_at=since, dropped_since=since, **digests)
    applied(kernel, now=since, added=60, removed=0, cut=4)
    applied(kernel, now=now - timedelta(hours=5), trigger="difference", outcome="healed", added=0,
            removed=0, cut=0, detail="the chain TSblock was not hooked into FORWARD")  # fmt: skip
    republish(policy, *_networks(66)[2:], now=now)
    asked = ask(gateway=kernel, question=Question.PLAN, actor="console:alice", now=now)
    plan = replace(
        PLAN, label="dmz-block #2", snapshot=2, in_force=1, added=6, removed=2, allow_added=0,
        first_added=_networks(66)[60:], first_removed=_networks(2), entries=64, memory=0, cost="",
        rules=[],
    )  # fmt: skip
    inquiries.answer(asked, found=plan.json(), error="", now=now)


def _log() -> None:
    """Let two firewalls send: one whose logs are uploaded, one whose log service is away."""
    now, quarter = timezone.now(), timedelta(minutes=15)
    well, troubled = (Device.objects.get(nickname=f"fmc-{name}") for name in BRANCHES[:2])
    make_receiver(now=now)
    spool = make_spool(
        well, now=now, received=61_250, spooled=61_250, refused=0, over_quota=0, lost=0,
        open_lines=1_250, open_bytes=375_000,
    )  # fmt: skip
    for number in range(1, 13):
        at = now - (12 - number) * quarter
        uploaded(make_batch(spool, number, 5_000, at=at), at=at)
    spool = make_spool(troubled, now=now, received=9_030, spooled=9_000, refused=0, over_quota=30,
                       lost=0, open_lines=0, open_bytes=0, open_since=None)  # fmt: skip
    for number in (1, 2, 4):
        made = make_batch(spool, number, 3_000, at=now - (5 - number) * quarter)
        if number == 1:
            uploaded(made, at=made.closed_at)
        if number == 2:
            failed(made, at=now - timedelta(minutes=3), times=14)
    Forward.objects.create(
        device=well, target="192.0.2.90:6514/tls", state=ForwardState.FORWARDING, sent=61_238,
        lag_lines=12, lag_bytes=3_600, oldest_at=now, reported_at=now, connected_at=now,
    )  # fmt: skip
    Device.objects.filter(pk=well.pk).update(syslog_forward="192.0.2.90:6514/tls")
    make_sender(now=now, sample="<113>Mar  1 01:02:36 fmc-oslo %FTD-1-430002: SrcIP: 192.0.2.7")
    make_sender("203.0.113.40", now=now, sample="<13>Mar  1 01:02:36 printer-3 toner low")


def _policy(name: str, block: Source, allow: Source | None) -> Policy:
    members = [Member(block, Role.BLOCK), *([Member(allow, Role.ALLOW)] if allow else [])]
    policy = create_policy(name=name, members=members, actor="console:alice", now=timezone.now())
    refresh_policy(policy=policy, clock=timezone.now)
    return policy


def _networks(count: int) -> list[str]:
    return [f"93.{2 * n}.0.0/16" for n in range(count)]


def _grow(policy: Policy) -> None:
    """Let the list of a policy become so much longer that the guard holds it."""
    policy.sources.update(settings={"entries": _networks(60)})
    refresh_policy(policy=policy, clock=timezone.now)


def _pull(device: Device, *, minutes: int) -> None:
    now = timezone.now()
    records = [
        PullRecord(
            device_pk=device.pk,
            at=now - timedelta(minutes=minutes + 30 * times),
            client="192.0.2.250",
            agent="curl/7.88",
            file=f"threatstop-{role}.txt",
            method="GET",
            status=200 if times == 2 else 304,
            snapshot_number=1,
            sent=3_911 if times == 2 else 0,
            is_complete=True,
        )
        for times in range(3)
        for role in Role
    ]
    record_pulls(records=records)


def test_pictures(console: Page) -> None:
    picture(console, "start-empty", "/admin/")
    console.get_by_role("button", name="Make a sample device").click()
    furnish()
    device = Device.objects.get(nickname="fmc-berlin")
    snapshot = Snapshot.objects.get(policy__name="edge-block")
    picture(console, "start", "/admin/")
    picture(console, "devices-dark", "/admin/devices/device/", dark=True)
    picture(console, "device", f"/admin/devices/device/{device.pk}/change/")
    picture(console, "why", "/admin/why/?address=93.184.9.7")
    gateway = Device.objects.get(nickname="gw-vienna")
    page = f"/admin/devices/device/{gateway.pk}"
    picture(console, "gateway", f"{page}/change/")
    asked = gateway.gateway.inquiries.get()
    picture(console, "plan-dark", f"{page}/inquiries/{asked.pk}/", dark=True)
    held = Policy.objects.get(name="guest-block")
    picture(console, "candidate-dark", f"/admin/policies/policy/{held.pk}/change/", dark=True)
    picture(console, "presets", "/admin/presets/")
    picture(console, "snapshot-dark", f"/admin/policies/snapshot/{snapshot.pk}/change/", dark=True)
    ledger = Device.objects.get(nickname="fmc-lisbon").spool
    picture(console, "logs", "/admin/logs/spool/")
    picture(console, "logs-dark", f"/admin/logs/spool/{ledger.pk}/change/", dark=True)
    picture(console, "device-logs", f"/admin/devices/device/{ledger.device_id}/change/")
