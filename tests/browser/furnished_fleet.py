"""A fleet that looks lived in: branches in groups, a rollout on trial, some that need a look."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from fleet.models import Entry
from fleet.services.groups import set_group_settings
from fleet.services.publications import publish_policy
from fleet.services.rollouts import Intended, add_rollout, start_rollout, step_rollouts
from policies.models import Policy
from tests.fleet.edges.rows import make_entry, make_group, report, written

_CITIES = (
    "athens", "bergen", "cork", "dresden", "essen", "faro", "ghent", "hamburg", "izmir", "jena",
    "kiel", "lyon", "malaga", "nantes", "odense", "porto", "riga", "split", "turin", "ulm",
)  # fmt: skip


def furnish_fleet() -> Entry:
    """Make twenty branches of which most are healthy; return one of them."""
    now = timezone.now()
    policy = Policy.objects.get(name="edge-block")
    number = policy.current.number if policy.current is not None else None
    lab, north, south = (make_group(name, now=now) for name in ("lab", "north", "south"))
    for group in (lab, north, south):
        set_group_settings(
            group=group, settings={"log_size": "1M"}, policy=policy, actor="console:anna", now=now
        )
    publish_policy(policy=policy, forms=["apl", "rpz"], actor="console:anna", now=now)
    for place, city in enumerate(_CITIES):
        group = (lab, north, north, south)[place % 4]
        entry = make_entry(now=now, group=group, nickname=f"gw-{city}")
        if city == "ulm":
            continue  # not linked yet
        written(entry, now=now - timedelta(hours=2))
        report(
            entry, now=now - timedelta(minutes=300 if city == "jena" else place % 9),
            version="7.0" if place % 5 else "6.9", snapshot_number=number,
            clock_offset=(place - 9) / 30,
            errors=["The log service answers 503."] if city == "porto" else [],
        )  # fmt: skip
    intended = Intended(
        name="reject at the edge", canary=lab, onward=(north, south), minutes=120,
        settings={"verdict": "reject"},
    )  # fmt: skip
    rollout = add_rollout(intended=intended, actor="console:anna", now=now - timedelta(hours=1))
    start_rollout(rollout=rollout, actor="console:anna", now=now - timedelta(minutes=40))
    for entry in Entry.objects.filter(group=lab):
        written(entry, now=now - timedelta(minutes=38))
        report(entry, now=now - timedelta(minutes=2), snapshot_number=number)
    step_rollouts(now=now - timedelta(minutes=2))
    return Entry.objects.get(nickname="gw-bergen")
