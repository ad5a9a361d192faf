"""A compile holds a policy to its guard, and what trips it leaves the snapshot in force."""

from __future__ import annotations

import errno
from datetime import datetime, timedelta

import pytest
from django.core.files.storage import storages

from netsets.cidr import AddressSet
from policies.models import ClaimLost, Feed, Policy, ProtectedAddress, Snapshot, Source
from policies.services import (
    compile_policy_now,
    publish_snapshot,
    refresh_policy,
    request_refresh,
    retrieve_source,
)
from policies.services.compile import CompileReport
from policies.services.inputs import gather
from policies.states import PolicyState, Role
from policies.store import feed_path, get_set
from tests.factories import make_policy, make_source, publish

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def say(policy: Policy, *entries: str, role: str = Role.BLOCK) -> None:
    """Let the policy's first source of a role hold other entries from now on."""
    source = Source.objects.get(policy_sources__policy=policy, policy_sources__role=role)
    source.settings, source.shrink_limit = {"entries": list(entries)}, 100
    source.save()


def refresh(policy: Policy, *, now: datetime, accept_change: bool = False) -> CompileReport:
    report = refresh_policy(policy=policy, clock=lambda: now, accept_change=accept_change)
    policy.refresh_from_db()
    return report.compiled


def body(snapshot: Snapshot, role: Role = Role.BLOCK) -> str:
    feed = snapshot.feeds.get(list=role)
    return feed_path(feed.digest, ".txt").read_text(encoding="ascii")


def test_publishes_blocks_less_what_is_allowed(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24", "9.9.9.1"], allow=["5.6.0.128/25"])
    snapshot = publish(policy, now=now)
    assert body(snapshot) == "5.6.0.0/25\n9.9.9.1\n"
    assert body(snapshot, Role.ALLOW) == "5.6.0.128/25\n"
    assert dict(snapshot.cuts)["allowed"] == 128
    assert (snapshot.number, snapshot.block_prefixes, snapshot.allow_prefixes) == (1, 2, 1)
    assert [entry["role"] for entry in snapshot.sources] == ["block", "allow"]


def test_special_purpose_and_protected_addresses_are_taken_out(now: datetime) -> None:
    ProtectedAddress.objects.create(network="8.8.8.8", reason="resolver of the hospital")
    listed = ["10.0.0.0/9", "127.0.0.1", "192.0.2.7", "8.8.8.0/30", "8.8.8.8/30"]
    snapshot = publish(make_policy(now=now, block=listed), now=now)
    assert body(snapshot) == "8.8.8.0/30\n8.8.8.9\n8.8.8.10/31\n"
    assert dict(snapshot.cuts)["special-purpose"] == 2**23 + 2
    assert dict(snapshot.cuts)["protected"] == 1


def test_unchanged_lists_make_no_new_snapshot(now: datetime) -> None:
    policy = make_policy(now=now)
    publish(policy, now=now)
    report = refresh(policy, now=now + HOUR)
    assert (report.state, report.snapshot) == (PolicyState.CURRENT, None)
    assert policy.snapshots.count() == 1


def test_a_list_that_says_the_same_in_other_words_makes_no_new_snapshot(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    publish(policy, now=now)
    say(policy, "5.6.0.0/25", "5.6.0.128/25", "5.6.0.77")
    assert refresh(policy, now=now + HOUR).snapshot is None


def test_a_changed_list_makes_the_next_number_and_tells_the_difference(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    publish(policy, now=now)
    say(policy, "5.6.0.0/25", "7.7.7.7")
    snapshot = refresh(policy, now=now + HOUR).snapshot
    assert snapshot is not None
    assert snapshot.number == 2
    assert snapshot.numbers["added"]["addresses4"] == 1
    assert snapshot.numbers["removed"]["addresses4"] == 128


@pytest.mark.parametrize("entries", [["0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/1"], ["::/0"]])
def test_nothing_wider_than_the_guard_is_published(entries: list[str], now: datetime) -> None:
    policy = make_policy(now=now)
    good = publish(policy, now=now)
    say(policy, *entries)
    report = refresh(policy, now=now + HOUR, accept_change=True)
    assert report.state == PolicyState.HELD
    assert "guard" in policy.state_detail
    assert policy.current == good


def test_a_policy_that_grows_beyond_its_limit_waits_until_a_person_accepts(now: datetime) -> None:
    policy = make_policy(now=now, block=[f"5.{n}.0.0/16" for n in range(0, 20, 2)])
    publish(policy, now=now)
    say(policy, *[f"{a}.{n}.0.0/16" for a in (5, 6) for n in range(0, 100, 2)])
    held = refresh(policy, now=now + HOUR)
    assert held.state == PolicyState.HELD
    assert policy.snapshots.count() == 1
    accepted = refresh(policy, now=now + 2 * HOUR, accept_change=True)
    assert accepted.state == PolicyState.CURRENT
    assert policy.snapshots.count() == 2


def test_a_disabled_source_does_not_keep_the_guard_open(now: datetime) -> None:
    policy = make_policy(now=now)
    idle = make_source(entries=["7.7.7.7"], now=now)
    Source.objects.filter(pk=idle.pk).update(is_enabled=False)
    policy.policy_sources.create(source=idle, role=Role.BLOCK)
    request_refresh(policy=policy, now=now + HOUR, accept_change=True)
    for source in policy.sources.filter(is_enabled=True):
        retrieve_source(source_id=source.pk, now=now + HOUR)
    compile_policy_now(policy_id=policy.pk, now=now + HOUR)
    policy.refresh_from_db()
    idle.refresh_from_db()
    assert (policy.accepted_until, idle.accepted_until) == (None, None)


def test_a_change_accepted_by_request_passes_once(now: datetime) -> None:
    entries = [f"5.{n}.0.0/16" for n in range(0, 120, 2)]
    policy = make_policy(now=now, block=entries)
    publish(policy, now=now)
    for hour, (left, accept) in enumerate([(entries[:20], True), (entries[:3], False)], start=1):
        source = policy.sources.get()
        source.settings = {"entries": left}
        source.save()
        request_refresh(policy=policy, now=now + hour * HOUR, accept_change=accept)
        retrieve_source(source_id=source.pk, now=now + hour * HOUR)
        compile_policy_now(policy_id=policy.pk, now=now + hour * HOUR)
    policy.refresh_from_db()
    assert policy.snapshots.count() == 2
    assert (policy.accepted_until, policy.sources.get().accepted_until) == (None, None)


def test_waits_for_its_allow_list_before_anything_is_published(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"], allow=["5.6.0.7"])
    say(policy, role=Role.ALLOW)
    report = refresh(policy, now=now)
    assert report.state == PolicyState.WAITING
    assert "allow list" in report.detail
    assert policy.current is None


def test_a_block_source_without_a_list_is_named_and_does_not_hold_up_the_others(
    now: datetime,
) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    bad = make_source(entries=[], now=now, name="the bad one")
    policy.policy_sources.create(source=bad, role=Role.BLOCK)
    report = refresh(policy, now=now)
    assert report.state == PolicyState.PARTIAL
    assert "the bad one" in report.detail
    assert policy.current is not None


def test_a_list_that_is_empty_on_purpose_carries_the_documentation_address(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"], empty_list_address="198.51.100.1")
    assert body(publish(policy, now=now), Role.ALLOW) == "198.51.100.1\n"
    policy.empty_list_address = "203.0.113.1"
    policy.save()
    report = refresh(policy, now=now + HOUR)
    assert report.snapshot is not None
    assert body(report.snapshot, Role.ALLOW) == "203.0.113.1\n"


def test_a_full_disk_publishes_nothing_and_the_next_try_follows(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = make_policy(now=now)
    good = publish(policy, now=now)
    files = {path.name for path in feed_path("x", "").parent.iterdir()}
    say(policy, "7.7.7.7")
    refuse = lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device"))  # noqa: E731
    feeds = storages["feeds"]
    monkeypatch.setattr(feeds, "_save", refuse)
    report = refresh(policy, now=now + HOUR)
    assert report.state == PolicyState.FAILED
    assert "No space left on device" in policy.state_detail
    assert policy.current == good
    assert policy.due_at == now + HOUR + timedelta(minutes=1)
    assert {path.name for path in feed_path("x", "").parent.iterdir()} == files
    monkeypatch.undo()
    assert refresh(policy, now=now + 2 * HOUR).state == PolicyState.CURRENT


def test_two_workers_on_one_policy_publish_once(now: datetime) -> None:
    policy = make_policy(now=now)
    refresh(policy, now=now)
    say(policy, "7.7.7.7")
    held = Policy.objects.claim(pk=policy.pk, now=now, lease=timedelta(minutes=5))
    assert held
    assert compile_policy_now(policy_id=policy.pk, now=now) is None


def test_a_worker_that_lost_its_claim_publishes_nothing(now: datetime) -> None:
    policy = make_policy(now=now)
    snapshot = publish(policy, now=now)
    from netsets.compile import Compiled

    compiled = Compiled(get_set(snapshot.block_digest), AddressSet.empty(), ())
    with pytest.raises(ClaimLost):
        publish_snapshot(
            policy=policy, compiled=compiled, manifest=[], owner="somebody else", now=now
        )
    assert Snapshot.objects.count() == 1
    assert Feed.objects.count() == 2


def test_what_becomes_due_during_a_compile_stays_due(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from policies.services import compile as module

    policy = make_policy(now=now)
    publish(policy, now=now)
    say(policy, "7.7.7.7")
    later = now + HOUR

    def meanwhile(row: Policy, *, now: datetime) -> object:
        Policy.objects.filter(pk=row.pk).update(due_at=later)
        return gather(row, now=now)

    monkeypatch.setattr(module, "gather", meanwhile)
    compile_policy_now(policy_id=policy.pk, now=now)
    policy.refresh_from_db()
    assert policy.due_at == later


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz", ".txt.md5"])
def test_an_update_brings_back_a_lost_file_of_a_feed(now: datetime, suffix: str) -> None:
    policy = make_policy(now=now)
    feed = publish(policy, now=now).feeds.get(list=Role.BLOCK)
    path = feed_path(feed.digest, suffix)
    whole = path.read_bytes()
    path.unlink()
    assert refresh(policy, now=now + HOUR).state == PolicyState.CURRENT
    assert path.read_bytes() == whole


def test_a_lost_block_list_lets_nothing_pass_until_a_person_accepts(now: datetime) -> None:
    policy = make_policy(now=now, block=[f"5.0.0.{2 * n}" for n in range(40)])
    digest = publish(policy, now=now).block_digest
    say(policy, "7.7.7.7")
    storages["sets"].delete(f"{digest[:2]}/{digest}")
    report = refresh(policy, now=now + HOUR)
    assert (report.state, report.snapshot) == (PolicyState.FAILED, None)
    assert "accept change" in report.detail
    assert policy.awaits_acceptance
    accepted = refresh(policy, now=now + 2 * HOUR, accept_change=True)
    assert accepted.snapshot is not None
    assert body(accepted.snapshot) == "7.7.7.7\n"


def test_a_protected_address_that_cannot_be_read_is_said_and_publishes_nothing(
    now: datetime,
) -> None:
    policy = make_policy(now=now)
    ProtectedAddress.objects.create(network="fe80::1%eth0", reason="written past the services")
    report = refresh(policy, now=now)
    assert (report.state, report.snapshot) == (PolicyState.FAILED, None)
    assert "fe80::1%eth0" in report.detail
    assert policy.due_at == now + timedelta(minutes=1)
