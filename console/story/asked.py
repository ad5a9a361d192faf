"""What the parts of pages ask of connections: of whom, and of which time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from console.overview.spans import SPANS, Span
from console.story.drops import LINES, Question
from devices.models import Device
from logs.events.filters import By, Filter
from policies.models import Policy, Snapshot, Source
from policies.visible import Person, visible

DEVICES_NAMED = 20  # more are no address of a page any more
LISTS_MOST = 1000  # of a policy, whose connections are counted
_Pairs = tuple[tuple[str, str], ...]


def of_device(device: Device, *, now: datetime) -> Question:
    """Ask what one device dropped in a day."""
    span = SPANS["24h"]
    asked = _in_span(span, frozenset({device.pk}), (("device", device.nickname),), now=now)
    return replace(asked, by=(By.OUTSIDE, By.INSIDE, By.LIST), lines=LINES)


def of_policy(policy: Policy, user: Person, *, now: datetime) -> Question:
    """Ask what the devices that follow a policy dropped in thirty days."""
    devices, pairs = _followers(policy, user)
    asked = _in_span(SPANS["30d"], devices, pairs, now=now)
    return replace(asked, by=(By.LIST, By.DEVICE, By.OUTSIDE))


def of_lists(policy: Policy, user: Person, *, now: datetime) -> Question:
    """Ask which list had the devices that follow a policy drop how much in thirty days."""
    return replace(of_policy(policy, user, now=now), by=(By.LIST,), top=LISTS_MOST)


def of_source(source: Source, devices: frozenset[int] | None, *, now: datetime) -> Question:
    """Ask what was dropped in thirty days because of a source."""
    asked = _in_span(SPANS["30d"], devices, (("list", source.name),), now=now)
    filtered = replace(asked.filter, lists=(source.name,))
    return replace(asked, filter=filtered, by=(By.DEVICE, By.OUTSIDE, By.INSIDE))


def of_snapshot(snapshot: Snapshot, user: Person, *, now: datetime) -> Question:
    """Ask what the devices of its policy dropped while a snapshot was in force."""
    devices, pairs = _followers(snapshot.policy, user)
    since, until = in_force(snapshot, now=now)
    times = (("since", _text(since)), ("until", _text(until + timedelta(minutes=1))))
    return Question(
        filter=Filter(since=since, until=until, devices=devices),
        words="while it was in force",
        by=(By.LIST, By.DEVICE, By.OUTSIDE),
        report=None if pairs is None else (*times, *pairs),
    )


def in_force(snapshot: Snapshot, *, now: datetime) -> tuple[datetime, datetime]:
    """Return from when until when a snapshot was its policy's newest."""
    later = Snapshot.objects.filter(policy=snapshot.policy_id, number__gt=snapshot.number)
    next_one = later.order_by("number").values_list("created_at", flat=True).first()
    return snapshot.created_at, max(snapshot.created_at, next_one or now)


def _in_span(
    span: Span, devices: frozenset[int] | None, pairs: _Pairs | None, *, now: datetime
) -> Question:
    until = span.until(now)
    return Question(
        filter=Filter(since=until - span.length, until=until, devices=devices),
        words=f"last {span.label}",
        by=(),
        report=None if pairs is None else (("last", span.key), *pairs),
    )


def _followers(policy: Policy, user: Person) -> tuple[frozenset[int], _Pairs | None]:
    """Return the devices that follow a policy, and how an address names them."""
    rows = visible(Device.objects.filter(policy=policy).order_by("nickname", "id"), user)
    found = list(rows.values_list("pk", "nickname"))
    named = tuple(("device", name) for _, name in found)
    return frozenset(pk for pk, _ in found), named if 0 < len(found) <= DEVICES_NAMED else None


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}"
