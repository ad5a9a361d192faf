"""One worker at a time; a dead one is no obstacle."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from policies.claims import is_gone, new_owner
from policies.models import Policy, Source
from policies.services import compile_policy_now, retrieve_source
from tests.factories import make_policy, make_source, publish

LEASE = timedelta(minutes=5)


def owner_that_died() -> str:
    """Return the claim of a process that has ended."""
    program = "from policies.claims import new_owner; print(new_owner())"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    ).stdout.strip()


def test_a_living_process_is_not_gone() -> None:
    assert not is_gone(new_owner())


def test_a_dead_process_is_gone() -> None:
    assert is_gone(owner_that_died())


def test_another_process_with_the_same_pid_is_not_the_owner() -> None:
    host, _, _, token = new_owner().split("|")
    assert is_gone(f"{host}|{os.getppid()}|1.00|{token}")


def test_a_process_that_had_our_own_pid_is_gone() -> None:
    # A container gives its worker the same pid at every start.
    host, pid, _, token = new_owner().split("|")
    assert is_gone(f"{host}|{pid}|1.00|{token}")


def test_a_process_of_another_host_is_never_taken_for_dead() -> None:
    assert not is_gone("elsewhere.example|1|1.00|abcd")


@pytest.mark.django_db
def test_a_claim_is_given_once(now: datetime) -> None:
    source = make_source(entries=["1.2.3.4"], now=now)
    assert Source.objects.claim(pk=source.pk, now=now, lease=LEASE)
    assert Source.objects.claim(pk=source.pk, now=now, lease=LEASE) is None


@pytest.mark.django_db
def test_a_claim_that_ended_is_free(now: datetime) -> None:
    source = make_source(entries=["1.2.3.4"], now=now)
    Source.objects.claim(pk=source.pk, now=now, lease=LEASE)
    later = now + LEASE + timedelta(seconds=1)
    assert Source.objects.claim(pk=source.pk, now=later, lease=LEASE)


@pytest.mark.django_db
def test_a_claim_from_before_the_clock_was_set_back_is_free(now: datetime) -> None:
    source = make_source(entries=["1.2.3.4"], now=now)
    Source.objects.claim(pk=source.pk, now=now + timedelta(days=900), lease=LEASE)
    Source.objects.update(claimed_by="elsewhere.example|1|1.00|abcd")
    assert Source.objects.claim(pk=source.pk, now=now, lease=LEASE)


@pytest.mark.django_db
def test_a_claim_outlives_any_job_that_may_hold_it(
    now: datetime, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[datetime | None] = []

    def look(*_args: object, **_named: object) -> object:
        for rows in (Source.objects.all(), Policy.objects.all()):
            held = rows.exclude(claimed_until=None)
            ends.extend(held.values_list("claimed_until", flat=True))
        raise OSError("seen")

    policy = make_policy(now=now)
    publish(policy, now=now)
    monkeypatch.setattr("policies.services.retrieve.build_source", look)
    with pytest.raises(OSError, match="seen"):
        retrieve_source(source_id=policy.sources.get().pk, now=now)
    monkeypatch.setattr("policies.services.compile.gather", look)
    with pytest.raises(OSError, match="seen"):
        compile_policy_now(policy_id=policy.pk, now=now)
    killed = now + timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT)
    assert [end is not None and end > killed for end in ends] == [True, True]


@pytest.mark.django_db
def test_the_claim_of_a_killed_process_is_free_at_once(now: datetime) -> None:
    source = make_source(entries=["1.2.3.4"], now=now)
    Source.objects.filter(pk=source.pk).update(
        claimed_by=owner_that_died(), claimed_until=now + LEASE
    )
    assert Source.objects.claim(pk=source.pk, now=now, lease=LEASE)


@pytest.mark.django_db
def test_only_the_owner_releases(now: datetime) -> None:
    source = make_source(entries=["1.2.3.4"], now=now)
    Source.objects.claim(pk=source.pk, now=now, lease=LEASE)
    Source.objects.release(pk=source.pk, owner="somebody else")
    assert Source.objects.claim(pk=source.pk, now=now, lease=LEASE) is None
