"""What is no longer kept goes; what somebody still serves stays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.core.files.storage import storages

from policies.models import Policy, Source
from policies.services import prune, refresh_policy
from policies.services.inputs import gather
from policies.states import Role
from policies.store import feed_path, get_set, is_stored
from tests.factories import make_policy, stopped

pytestmark = pytest.mark.django_db


def make_snapshots(count: int, *, now: datetime) -> Policy:
    policy = make_policy(now=now, block=["5.0.0.1"])
    for number in range(1, count + 1):
        source = policy.sources.get()
        Source.objects.filter(pk=source.pk).update(settings={"entries": [f"5.0.0.{number}"]})
        moment = now + timedelta(hours=number)
        refresh_policy(policy=policy, clock=stopped(moment))
    policy.refresh_from_db()
    return policy


def test_keeps_the_newest_the_current_and_the_held(now: datetime) -> None:
    policy = make_snapshots(6, now=now)
    held = policy.snapshots.get(number=1)
    later = now + timedelta(days=1)
    pruned = prune(now=later, keep=2, held=[held.pk])
    assert pruned.snapshots == 3
    assert sorted(policy.snapshots.values_list("number", flat=True)) == [1, 5, 6]


def test_files_of_kept_snapshots_stay_and_the_others_go(now: datetime) -> None:
    policy = make_snapshots(4, now=now)
    digests = {row.number: row.feeds.get(list="block").digest for row in policy.snapshots.all()}
    gone_set = policy.snapshots.get(number=1).block_digest
    age_all_files(feed_path("x", "").parent.parent)
    pruned = prune(now=datetime.now(tz=now.tzinfo), keep=2, held=[])
    assert pruned.feeds == 2 * 3
    assert not feed_path(digests[1], ".txt").exists()
    assert feed_path(digests[4], ".txt").exists()
    assert get_set(policy.snapshots.get(number=4).block_digest)
    with pytest.raises(FileNotFoundError):
        get_set(gone_set)


def test_young_files_stay_because_a_publish_may_be_under_way(now: datetime) -> None:
    policy = make_snapshots(3, now=now)
    policy.snapshots.exclude(number=3).delete()
    assert prune(now=datetime.now(tz=now.tzinfo), keep=1, held=[]).feeds == 0


def test_a_snapshot_published_during_a_prune_stays(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = make_snapshots(3, now=now)
    real = Policy.objects.all

    def meanwhile() -> Iterator[Policy]:
        yield from list(real())
        Source.objects.update(settings={"entries": ["6.6.6.6"]})
        refresh_policy(policy=policy, clock=stopped(now + timedelta(days=1)))

    monkeypatch.setattr(Policy.objects, "all", meanwhile)
    prune(now=now + timedelta(days=1), keep=1, held=[])
    policy.refresh_from_db()
    assert policy.current is not None
    assert policy.current.number == 4


def test_a_list_that_is_being_compiled_stays_though_its_source_brings_another(
    now: datetime,
) -> None:
    policy = make_snapshots(1, now=now)
    policy.snapshots.all().delete()
    source = policy.sources.get()
    age_all_files(feed_path("x", "").parent.parent)
    gather(policy, now=now).sets(Role.BLOCK)
    policy.sources.update(list_digest="", entries_digest="")
    prune(now=datetime.now(tz=now.tzinfo), keep=1, held=[])
    assert is_stored(source.list_digest)
    assert is_stored(source.entries_digest)


def test_a_file_that_a_writer_took_away_does_not_stop_a_prune(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_snapshots(1, now=now)
    storage = storages["feeds"]
    monkeypatch.setattr(storage, "listdir", lambda _: ([], ["gone.txt.0123.part"]))
    assert prune(now=datetime.now(tz=now.tzinfo), keep=1, held=[]).feeds == 0


def test_old_retrievals_go(now: datetime) -> None:
    policy = make_snapshots(2, now=now)
    assert prune(now=now + timedelta(days=36), keep=5, held=[]).retrievals == 2
    assert not policy.sources.get().retrievals.exists()


def age_all_files(folder: os.PathLike[str]) -> None:
    for root, _, names in os.walk(folder):
        for name in names:
            os.utime(os.path.join(root, name), (0, 0))  # noqa: PTH118
