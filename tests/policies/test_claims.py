"""One worker at a time; a dead one is no obstacle."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from policies.claims import is_gone, new_owner
from policies.models import Source
from tests.factories import make_source

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
