from __future__ import annotations

from datetime import datetime

import pytest
from django.core.files.storage import storages
from django.db import transaction
from hypothesis import given, strategies as st

from policies.models import Policy, Snapshot, Source
from policies.reports.effects import NotKept, effects_of, page_of
from policies.states import Role
from tests.factories import make_policy, publish
from tests.policies.reports.worlds import World, each, publish_world, take, worlds

pytestmark = pytest.mark.django_db


def told(snapshot: Snapshot) -> list[tuple[str, int, str]]:
    rows, _ = page_of(effects_of(snapshot), 0, 100)
    return [(str(one.span), one.line, str(one.effect)) for one in rows]


def test_every_allow_entry_shows_its_effect(now: datetime) -> None:
    policy = make_policy(
        now=now,
        block=["5.6.0.0/24", "5.6.2.0/24", "7.7.7.7"],
        allow=["5.6.0.0/22", "7.7.7.7", "9.1.1.1", "2a00::1"],
    )
    assert told(publish(policy, now=now)) == [
        ("5.6.0.0/22", 1, "cut 2 blocks"),
        ("7.7.7.7", 2, "cut 1 block"),
        ("9.1.1.1", 3, "no overlap"),
        ("2a00::1", 4, "no overlap"),
    ]


@given(worlds, st.integers(1, 5))
def test_an_entry_cuts_what_a_look_at_every_address_says(world: World, size: int) -> None:
    with transaction.atomic():
        snapshot = publish_world(world)
        lists = effects_of(snapshot)
        transaction.set_rollback(True)
    before = (world.named & world.ordinary) - each(world.protected)
    rows, total = page_of(lists, 0, 100)
    of_the_world = {one.span: one.effect for one in rows if one.span in world.allow}
    assert set(of_the_world) == set(world.allow)
    for span, effect in of_the_world.items():
        cut = each([span]) & before
        assert effect.addresses == len(cut)
        assert (effect.blocks == 0) == (not cut)
    pages = [page_of(lists, start, size)[0] for start in range(0, total, size)]
    assert tuple(one for page in pages for one in page) == rows
    idle, idle_total = page_of(lists, 0, 100, only_idle=True)
    assert idle == tuple(one for one in rows if not one.effect.blocks)
    assert idle_total == sum(one.idle for one in lists) == len(idle)


def test_a_lost_allow_list_says_so_and_hides_no_other(now: datetime) -> None:
    policy = Policy.objects.create(name="edge", due_at=now)
    take(policy, ["5.6.0.0/24"], Role.BLOCK)
    lost = take(policy, ["5.6.0.1"], Role.ALLOW)
    take(policy, ["5.6.0.2"], Role.ALLOW)
    snapshot = publish(policy, now=now)
    digest = Source.objects.get(pk=lost.pk).entries_digest
    storages["sets"].delete(f"{digest[:2]}/{digest}")
    first, second = effects_of(snapshot)
    assert first.trouble.startswith("the list cannot be read: ")
    assert (first.total, second.total, second.trouble) == (0, 2, "")


def test_a_snapshot_of_an_older_version_says_that_it_cannot_tell(now: datetime) -> None:
    snapshot = publish(make_policy(now=now, block=["5.6.0.0/24"], allow=["5.6.0.1"]), now=now)
    Snapshot.objects.update(before_digest="")
    snapshot.refresh_from_db()
    with pytest.raises(NotKept, match="the next one will tell"):
        effects_of(snapshot)


def test_an_allow_list_without_lines_is_told_by_its_prefixes(now: datetime) -> None:
    snapshot = publish(
        make_policy(now=now, block=["5.6.0.0/24"], allow=["5.6.0.2", "5.6.0.3"]), now=now
    )
    snapshot.sources = [{**one, "entries": ""} for one in snapshot.sources]
    assert told(snapshot) == [("5.6.0.2/31", 0, "cut 1 block")]
