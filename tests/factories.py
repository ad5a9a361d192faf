"""Rows for tests, made through the services that people's rows are made through."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from devices.models import Device
from devices.services import add_device
from policies.models import Policy, PolicySource, Snapshot, Source
from policies.services import find_or_make_source, refresh_policy
from policies.states import PolicyState, Role

_numbers = itertools.count(1)


def make_source(*, entries: Sequence[str], now: datetime, name: str = "") -> Source:
    """Make a fixed list; every one has a name of its own."""
    number = next(_numbers)
    return find_or_make_source(
        kind="memory",
        settings={"entries": list(entries)},
        name=name or f"list {number}",
        now=now,
    )


def make_policy(
    *,
    now: datetime,
    block: Sequence[str] = ("1.2.3.4", "5.6.0.0/16"),
    allow: Sequence[str] = (),
    **columns: object,
) -> Policy:
    """Make a policy with a block list and, when given, an allow list."""
    policy = Policy(due_at=now, **{"name": f"policy-{next(_numbers)}", **columns})
    policy.save()
    for role, entries in ((Role.BLOCK, block), (Role.ALLOW, allow)):
        if entries:
            source = make_source(entries=entries, now=now)
            PolicySource.objects.create(policy=policy, source=source, role=role)
    return policy


def make_device(*, policy: Policy, now: datetime, **settings: object) -> Device:
    """Make a Firepower device that follows `policy`."""
    number = next(_numbers)
    nickname = str(settings.pop("nickname", f"fmc-{number}"))
    return add_device(
        kind="firepower",
        nickname=nickname,
        settings={
            "device_id": f"tdid_{number:08x}",
            "management_ip": "192.0.2.250",
            **settings,
        },
        policy=policy,
        actor="test",
        now=now,
    )


def make_gateway(*, now: datetime, policy: Policy | None = None, **settings: object) -> Device:
    """Make a Linux gateway that this machine enforces."""
    number = next(_numbers)
    return add_device(
        kind="iptables",
        nickname=str(settings.pop("nickname", f"gw-{number}")),
        settings={"device_id": f"tdid_{number:08x}", **settings},
        policy=policy or make_policy(now=now),
        actor="test",
        now=now,
    )


def stopped(moment: datetime) -> Callable[[], datetime]:
    """Return a clock that always tells `moment`."""
    return lambda: moment


def publish(policy: Policy, *, now: datetime, accept_change: bool = False) -> Snapshot:
    """Refresh a policy and return its current snapshot."""
    refresh_policy(policy=policy, clock=stopped(now), accept_change=accept_change)
    policy.refresh_from_db()
    assert policy.current is not None, policy.state_detail
    return policy.current


def republish(policy: Policy, *entries: str, now: datetime) -> Snapshot:
    """Let the block list of a policy say something else, and return its current snapshot."""
    block = policy.policy_sources.filter(role=Role.BLOCK).values("source")
    said = {"settings": {"entries": list(entries)}, "shrink_limit": 100}
    Source.objects.filter(pk__in=block).update(**said)
    return publish(policy, now=now)


def hold(*, now: datetime, more: Sequence[str] = (), allow: Sequence[str] = ()) -> Policy:
    """Make a published policy whose growth the guard holds back an hour later."""
    many = [f"5.{n}.0.0/16" for n in range(0, 40, 2)]
    policy = make_policy(now=now, block=many, allow=allow)
    publish(policy, now=now)
    more = more or [f"6.{n}.0.0/16" for n in range(0, 100, 2)]
    republish(policy, *many, *more, now=now + timedelta(hours=1))
    assert policy.state == PolicyState.HELD, policy.state_detail
    return policy


def make_two_snapshots(*, now: datetime) -> Policy:
    """Make a policy with two snapshots, an hour apart, that differ."""
    policy = make_policy(
        now=now, name="edge", block=["5.6.0.0/24", "7.7.7.7"], allow=["5.6.0.1", "9.1.1.1"]
    )
    publish(policy, now=now)
    republish(policy, "5.6.0.0/24", "8.1.1.0/31", now=now + timedelta(hours=1))
    return policy
