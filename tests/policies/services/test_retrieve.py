"""A retrieval keeps what is good, and whatever goes wrong leaves the last good list in force."""

from __future__ import annotations

import errno
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.files.storage import storages

from netsets.cidr import AddressSet
from policies.models import Retrieval, Source
from policies.services import build_source, request_refresh, retrieve_source
from policies.states import Outcome, SourceState
from policies.store import get_set
from tests.factories import make_policy, make_source

pytestmark = pytest.mark.django_db


def retrieve(source: Source, *, now: datetime, accept_change: bool = False) -> Retrieval:
    retrieval = retrieve_source(source_id=source.pk, now=now, accept_change=accept_change)
    assert retrieval is not None
    source.refresh_from_db()
    return retrieval


def say(source: Source, *entries: str) -> None:
    """Let the source hold other entries from now on."""
    source.settings = {"entries": list(entries)}
    source.save()


def test_keeps_the_list_and_counts_what_came(now: datetime) -> None:
    source = make_source(entries=["1.2.3.4", "5.6.7.8/16"], now=now)
    retrieval = retrieve(source, now=now)
    assert retrieval.outcome == Outcome.CHANGED
    assert (retrieval.entries, retrieval.prefixes, retrieval.host_bits_cleared) == (2, 2, 1)
    assert (retrieval.added, retrieval.removed) == (1 + 65536, 0)
    assert get_set(source.list_digest) == AddressSet.of("1.2.3.4", "5.6.0.0/16")
    assert source.state == SourceState.CURRENT
    assert source.due_at == now + timedelta(minutes=source.refresh_minutes)


def test_an_unchanged_list_is_told_from_a_changed_one(now: datetime) -> None:
    source = make_source(entries=["1.2.3.4"], now=now)
    retrieve(source, now=now)
    again = retrieve(source, now=now + timedelta(hours=1))
    assert again.outcome == Outcome.UNCHANGED
    assert source.changed_at == now
    say(source, "1.2.3.5")
    changed = retrieve(source, now=now + timedelta(hours=2))
    assert (changed.outcome, changed.added, changed.removed) == (Outcome.CHANGED, 1, 1)


def test_an_empty_list_is_a_failed_retrieval_and_the_last_good_one_stays(now: datetime) -> None:
    source = make_source(entries=["1.2.3.4"], now=now)
    retrieve(source, now=now)
    held = source.list_digest
    say(source)
    failed = retrieve(source, now=now + timedelta(hours=1))
    assert failed.outcome == Outcome.REFUSED
    assert failed.error
    assert (source.state, source.list_digest) == (SourceState.REFUSED, held)


def test_an_empty_list_is_taken_where_it_may_be_empty(now: datetime) -> None:
    source = make_source(entries=["1.2.3.4"], now=now)
    retrieve(source, now=now)
    source.may_be_empty = True
    say(source)
    retrieval = retrieve(source, now=now + timedelta(hours=1))
    assert retrieval.outcome == Outcome.CHANGED, retrieval.error
    assert get_set(source.list_digest) == AddressSet.empty()


def test_a_list_that_loses_90_percent_waits_for_a_person(now: datetime) -> None:
    source = make_source(entries=[f"1.{n}.2.3" for n in range(100)], now=now)
    retrieve(source, now=now)
    held = source.list_digest
    say(source, *[f"1.{n}.2.3" for n in range(10)])
    shrunk = retrieve(source, now=now + timedelta(hours=1))
    assert shrunk.outcome == Outcome.REFUSED
    assert "from 100 to 10 prefixes" in shrunk.error
    assert source.list_digest == held
    accepted = retrieve(source, now=now + timedelta(hours=2), accept_change=True)
    assert (accepted.outcome, accepted.prefixes) == (Outcome.CHANGED, 10)


def test_a_full_disk_keeps_the_last_good_list(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source(entries=["1.2.3.4"], now=now)
    retrieve(source, now=now)
    held = source.list_digest
    say(source, "1.2.3.5")

    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(storages["sets"]), "_save", full)
    failed = retrieve(source, now=now + timedelta(hours=1))
    assert failed.outcome == Outcome.UNAVAILABLE
    assert "No space left on device" in failed.error
    assert source.list_digest == held


def test_a_fault_of_ours_is_written_down_and_does_not_come_back_at_once(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source(entries=["1.2.3.4"], now=now)
    retrieve(source, now=now)
    monkeypatch.setattr("policies.services.ask.decode", lambda _: 1 / 0)
    later = now + timedelta(hours=1)
    with pytest.raises(ZeroDivisionError):
        retrieve_source(source_id=source.pk, now=later)
    source.refresh_from_db()
    assert (source.state, source.claimed_by) == (SourceState.UNAVAILABLE, "")
    assert "ZeroDivisionError" in source.error
    assert source.due_at > later
    assert source.list_digest


def test_an_acceptance_lapses_after_a_day(now: datetime) -> None:
    source = make_source(entries=[f"1.{n}.2.3" for n in range(100)], now=now)
    policy = make_policy(now=now)
    policy.policy_sources.create(source=source, role="block")
    retrieve(source, now=now)
    request_refresh(policy=policy, now=now, accept_change=True)
    say(source, "1.1.2.3")
    late = retrieve(Source.objects.get(pk=source.pk), now=now + timedelta(hours=25))
    assert late.outcome == Outcome.REFUSED


def test_settings_that_cannot_work_are_refused_with_their_name(now: datetime) -> None:
    source = make_source(entries=["1.2.3.4"], now=now)
    source.settings = {"colour": ["1.2.3.4"]}
    source.save()
    failed = retrieve(source, now=now)
    assert failed.outcome == Outcome.REFUSED
    assert "colour" in failed.error


def test_an_unavailable_source_is_tried_again_sooner_and_ever_more_patiently(
    now: datetime,
) -> None:
    source = Source(refresh_minutes=60, state=SourceState.UNAVAILABLE)
    waits = []
    for failures in (1, 2, 3, 9):
        source.failures = failures
        waits.append(source.next_due(after=now) - now)
    assert waits == [timedelta(minutes=minutes) for minutes in (2, 4, 8, 60)]


def test_a_source_is_due_only_for_a_policy_that_runs(now: datetime) -> None:
    alone = make_source(entries=["1.2.3.4"], now=now)
    running, paused = make_policy(now=now), make_policy(now=now, block=["9.9.9.0/24"])
    assert alone not in Source.objects.due(now=now)
    assert set(Source.objects.due(now=now)) == {*running.sources.all(), *paused.sources.all()}
    paused.is_paused = True
    paused.save()
    assert set(Source.objects.due(now=now)) == set(running.sources.all())


def test_a_retrieval_leaves_the_policies_of_the_source_due(now: datetime) -> None:
    policy = make_policy(now=now)
    policy.due_at = None
    policy.save()
    retrieve(policy.sources.get(), now=now)
    policy.refresh_from_db()
    assert policy.due_at == now


def test_nothing_is_retrieved_twice_at_once(now: datetime) -> None:
    source = make_source(entries=["1.2.3.4"], now=now)
    owner = Source.objects.claim(pk=source.pk, now=now, lease=timedelta(minutes=1))
    assert owner is not None
    assert retrieve_source(source_id=source.pk, now=now) is None
    assert not source.retrievals.exists()
    Source.objects.release(pk=source.pk, owner=owner)
    assert retrieve_source(source_id=source.pk, now=now) is not None


def test_what_is_asked_for_during_a_retrieval_stays_asked_for(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = make_policy(now=now, block=["1.2.3.4"])
    source = policy.sources.get()
    later = now + timedelta(seconds=1)

    def meanwhile(row: Source, *, now: datetime) -> object:
        request_refresh(policy=policy, now=later, accept_change=True)
        return build_source(row, now=now)

    monkeypatch.setattr("policies.services.retrieve.build_source", meanwhile)
    retrieve(source, now=now)
    assert (source.due_at, source.is_accepted(now=later)) == (later, True)
    assert source.list_prefixes == 1


@pytest.mark.parametrize("damage", ["lost", "cut off", "scrambled"])
def test_a_list_that_the_disk_lost_is_made_good_by_the_next_retrieval(
    now: datetime, damage: str
) -> None:
    source = make_source(entries=["1.2.3.4", "5.6.0.0/16"], now=now)
    retrieve(source, now=now)
    path = Path(storages["sets"].path(f"{source.list_digest[:2]}/{source.list_digest}"))
    whole = path.read_bytes()
    path.unlink()
    if damage != "lost":
        path.write_bytes(whole[:-1] if damage == "cut off" else bytes(len(whole)))
    say(source, "1.2.3.4", "5.6.0.0/16", "5.7.0.0")
    assert retrieve(source, now=now).outcome == Outcome.CHANGED
    say(source, "1.2.3.4", "5.6.0.0/16")
    assert retrieve(source, now=now).outcome == Outcome.CHANGED
    assert get_set(source.list_digest) == AddressSet.of("1.2.3.4", "5.6.0.0/16")
