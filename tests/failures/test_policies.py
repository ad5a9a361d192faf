"""What becomes of a policy while its lists come and go: rows 7, 8, 11, 12, 19, 20."""

from __future__ import annotations

import errno
import ipaddress
import random
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from pytest_django import Settings

from devices.health import HealthState, health_of
from devices.models import Device
from devices.services import published_device
from netsets.cidr import AddressSet
from netsets.effects import allow_effects
from netsets.entries_codec import decode_entries
from policies.models import Alarm, Packing, Policy, Source
from policies.services import change_policy, create_source, prune
from policies.states import Outcome, PolicyState, Role
from policies.storage import DurableFileSystemStorage
from policies.store import feed_path, get_blob, get_set
from tests.factories import make_device
from tests.failures.site import HOUR, Site, blocked, body, last, lines
from tests.fakes.webserver import Reply

GOOD = [f"5.6.{n}.0/24" for n in range(0, 40, 2)]


@pytest.mark.parametrize("seed", range(6))
def test_failure_07_no_allowed_address_is_in_any_feed_whatever_is_allowed(
    site: Site, seed: int
) -> None:
    chance = random.Random(seed)

    def some(base: str, bits: int, *lengths: int) -> str:
        first = int(ipaddress.ip_address(base)) + chance.randrange(1 << bits)
        network = ipaddress.ip_network(first)
        return str(network.supernet(new_prefix=chance.choice(lengths)))

    block = [some("5.6.0.0", 16, 20, 24, 31, 32) for _ in range(60)]
    block += [some("2a00:1450::", 68, 60, 64, 127) for _ in range(60)]
    allow = [some("5.6.0.0", 16, 22, 30, 32) for _ in range(40)]
    allow += [some("2a00:1450::", 68, 62, 64, 128) for _ in range(40)]
    allow += ["5.6.99.7-5.6.101.200", "2a00:1450::ff-2a00:1450::1:0"]
    policy = site.policy(
        site.source("/block", *block), allow=[site.source("/allow", *allow)], growth_limit=100_000
    )
    site.tick()
    allowed = AddressSet.of(*allow)
    assert not blocked(policy) & allowed
    assert blocked(policy) == AddressSet.of(*block) - allowed
    assert blocked(policy, Role.ALLOW) == allowed


def test_failure_07_every_allow_entry_tells_what_it_does(site: Site) -> None:
    allow = site.source("/allow", "5.6.0.7", "5.6.2.0/23", "9.9.9.0/24", "2a00:1450::7")
    policy = site.policy(site.source("/block", *GOOD, "2a00:1450::/48"), allow=[allow])
    site.tick()
    policy.refresh_from_db()
    assert policy.current is not None
    (listed,) = [one for one in policy.current.sources if one["role"] == Role.ALLOW]
    entries = decode_entries(get_blob(listed["entries"])).entries()
    before = get_set(policy.current.before_digest)
    told = {str(one.span): str(effect) for one, effect in zip(
        entries, allow_effects(before, entries), strict=True)}  # fmt: skip
    assert told == {
        "5.6.0.7": "cut 1 block", "5.6.2.0/23": "cut 1 block", "9.9.9.0/24": "no overlap",
        "2a00:1450::7": "cut 1 block",
    }  # fmt: skip


def test_failure_07_a_list_of_what_is_allowed_that_never_came_publishes_nothing(
    site: Site,
) -> None:
    policy = site.policy(site.source("/block", *GOOD), allow=[site.source("/allow")])
    site.tick()
    policy.refresh_from_db()
    assert (policy.state, policy.current) == (PolicyState.WAITING, None)
    site.shelf.put("/allow", "5.6.0.7")
    site.tick(hours=1)
    assert not blocked(policy) & AddressSet.of("5.6.0.7")


def test_failure_08_what_one_list_says_twice_or_says_no_more_takes_nothing_from_another(
    site: Site,
) -> None:
    wide = site.source("/wide", "5.6.0.0/24", *GOOD)
    narrow = site.source("/narrow", "5.6.0.1", "5.6.0.1", "5.6.0.128/25", "7.7.7.7")
    policy = site.policy(wide, narrow)
    site.tick()
    assert lines(policy) == sorted([*GOOD, "7.7.7.7"], key=lambda one: [*map(
        int, one.partition("/")[0].split("."))])  # fmt: skip
    site.shelf.put("/narrow", "7.7.7.8")
    site.tick(hours=1)
    assert blocked(policy) == AddressSet.of(*GOOD, "7.7.7.8")


@pytest.mark.parametrize("files", range(12))
def test_failure_08_whatever_cannot_be_written_leaves_what_is_published_whole(
    site: Site, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    """The disk takes so many files and then no more: a draft is dropped at any point of it."""
    policy = site.policy(site.source("/one", *GOOD), site.source("/two", "7.7.7.7"))
    site.tick()
    before, served = body(policy), set(Path(storages["feeds"].path("")).iterdir())
    site.shelf.put("/one", *GOOD, "8.1.2.3")
    site.shelf.put("/two", "7.7.7.8")
    left = [files]
    save = DurableFileSystemStorage._save

    def full_after_some(*given: Any) -> str:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return save(*given)

    with monkeypatch.context() as disk:
        disk.setattr(DurableFileSystemStorage, "_save", full_after_some)
        site.tick(hours=1)
    half = (AddressSet.of(*GOOD, "8.1.2.3", "7.7.7.7"), AddressSet.of(*GOOD, "7.7.7.8"))
    whole = (AddressSet.of(*GOOD, "7.7.7.7"), AddressSet.of(*GOOD, "8.1.2.3", "7.7.7.8"))
    assert blocked(policy) in (*whole, *half)  # the lists of two sources need not come together
    if body(policy) == before:
        assert policy.last_number == 1
        assert served <= set(Path(storages["feeds"].path("")).iterdir())
    words = policy.state_detail + "".join(policy.sources.values_list("error", flat=True))
    assert left[0] >= 0 or "No space left on device" in words
    site.tick(hours=2)
    assert blocked(policy) == AddressSet.of(*GOOD, "8.1.2.3", "7.7.7.8")


@pytest.mark.parametrize("choice", ["keep", "drop"])
def test_failure_11_a_stale_list_stays_or_goes_as_the_policy_says_and_never_by_itself(
    site: Site, choice: str
) -> None:
    old, fresh = site.source("/old", "7.7.7.7"), site.source("/fresh", *GOOD)
    policy = site.policy(old, fresh, stale_entries=choice)
    other = site.policy(old, fresh, name="other")
    site.tick()
    site.shelf.answers["/old"] = Reply(status=503)
    for hours in (1, 2, 3):
        site.tick(hours=hours)
        assert "7.7.7.7" in blocked(policy)
    site.tick(hours=4)
    site.tick(hours=4.1)
    assert ("7.7.7.7" in blocked(policy)) == (choice == "keep")
    assert "7.7.7.7" in blocked(other)
    assert blocked(policy) & AddressSet.of(*GOOD) == AddressSet.of(*GOOD)
    assert [alarm.subject for alarm in Alarm.objects.filter(closed_at=None)] == ["source old"]
    site.shelf.put("/old", "7.7.7.7")
    site.tick(hours=5)
    site.tick(hours=5.1)
    assert "7.7.7.7" in blocked(policy)


def test_failure_11_a_policy_whose_lists_are_all_stale_keeps_what_it_published(
    site: Site,
) -> None:
    policy = site.policy(site.source("/old", *GOOD), stale_entries="drop")
    site.tick()
    before = body(policy)
    site.shelf.answers["/old"] = Reply(status=503)
    for hours in (1, 4, 5, 30):
        site.tick(hours=hours)
    assert body(policy) == before
    assert policy.state == PolicyState.WAITING
    assert "every block list is stale" in policy.state_detail


def test_failure_12_a_source_that_is_left_out_is_named_and_the_manifest_tells_what_is_in(
    site: Site,
) -> None:
    sources = [site.source("/one", *GOOD), site.source("/two"), site.source("/three", "7.7.7.7")]
    policy = site.policy(*sources, stale_entries="drop")
    site.tick()
    policy.refresh_from_db()
    assert (policy.state, policy.state_detail) == (PolicyState.PARTIAL, "without two: no list yet")
    assert policy.current is not None
    told = {entry["name"]: entry["digest"] for entry in policy.current.sources}
    assert told.keys() == {"one", "three"}
    for name, digest in told.items():
        source = Source.objects.get(name=name)
        assert digest == source.list_digest
        assert not get_set(digest) - get_set(policy.current.block_digest)
    site.shelf.put("/two", "8.1.2.3")
    site.tick(hours=1)
    policy.refresh_from_db()
    assert policy.state == PolicyState.CURRENT
    assert policy.current is not None
    assert {entry["name"] for entry in policy.current.sources} == {"one", "two", "three"}


def test_failure_19_a_list_without_end_is_refused_within_its_bound(site: Site) -> None:
    source = site.source("/list", *GOOD, settings={"max_bytes": 4096})
    policy = site.policy(source)
    site.tick()
    before = body(policy)
    site.shelf.put("/list", *(f"5.6.{n >> 8}.{n & 255}" for n in range(20_000)))
    site.tick(hours=1)
    assert (last(source).outcome, body(policy)) == (Outcome.REFUSED, before)
    assert "4,096" in last(source).error


def test_failure_19_junk_without_end_leaves_a_few_samples_and_one_error(site: Site) -> None:
    good = [f"5.{n >> 8}.{n & 255}.1" for n in range(30_000)]
    source = site.source("/list", *good, *(f"junk {n} " + "x" * 200 for n in range(2000)))
    site.policy(source)
    site.tick()
    found = last(source)
    assert (found.entries, sum(count for _, count in found.skipped)) == (30_000, 2000)
    assert len(str(found.samples)) < 2000
    site.shelf.put("/list", *("x" * 500 for _ in range(2000)))
    site.tick(hours=1)
    assert 0 < len(last(source).error) < 1000


def test_failure_19_neither_rows_nor_files_grow_while_nothing_changes(
    site: Site, tmp_path: Path, settings: Settings
) -> None:
    settings.TSCM_LIST_FOLDERS = (tmp_path,)
    path = tmp_path / "list"
    path.write_text("5.6.7.8\n")
    watched = create_source(
        name="watched", kind="file", settings={"path": str(path)}, actor="test", now=site.now
    )
    policy = site.policy(watched)
    site.tick()
    files = {one.name for one in (tmp_path / "store").rglob("*")}
    for minute in range(1, 60):
        site.tick(hours=minute / 60)
    assert watched.retrievals.count() == 2
    assert policy.snapshots.count() == 1
    assert {one.name for one in (tmp_path / "store").rglob("*")} == files
    path.rename(tmp_path / "away")
    for minute in range(60, 90):
        site.tick(hours=minute / 60)
    assert watched.retrievals.count() == 3
    Source.objects.filter(pk=watched.pk, failures__gte=20).get()
    (tmp_path / "away").rename(path)
    for number in range(6):
        path.write_text(f"5.6.7.{number}\n")
        site.tick(hours=2 + number)
    change_policy(policy=policy, changes={"keep_snapshots": 2}, actor="test", now=site.now)
    pruned = prune(now=site.now + 900 * HOUR, keep=50, held=[])
    assert (policy.snapshots.count(), pruned.snapshots) == (2, 5)
    assert watched.retrievals.count() == 0


def test_failure_20_a_device_gets_no_more_than_it_holds_and_is_told_what_is_missing(
    site: Site,
) -> None:
    major, minor = site.source("/major", *GOOD), site.source("/minor", "7.7.7.7", "7.7.7.9")
    policy = site.policy(major, minor, allow=[site.source("/allow", "9.9.8.8")])
    device = make_device(policy=policy, now=site.now, max_policy_size=str(len(GOOD) + 2))
    site.tick()
    published = published_device(device.device_id)
    assert published is not None
    served = {
        name: feed_path(feed.digest, ".txt").read_text().splitlines()
        for name, feed in published.feeds.items()
    }
    assert served["block"] == [*GOOD, "7.7.7.7"]
    assert served["allow"] == ["9.9.8.8"]
    assert len(lines(policy)) == len(GOOD) + 2
    assert Packing.objects.get().dropped == [["minor", 1, 1]]
    Device.objects.update(last_pull_at=site.now, last_pull_number=1)
    health = health_of(Device.objects.get(), now=site.now)
    assert health.state == HealthState.CUT
    assert "minor" in health.detail
    assert Policy.objects.get().state == PolicyState.CURRENT
