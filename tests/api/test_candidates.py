"""What the guard holds back, over the API: looked at, approved, discarded."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from policies.models import Candidate, Change, Policy
from policies.services import compile_policy_now, protect_network
from tests.api.conftest import error_of, signed_in
from tests.factories import hold, make_policy

HOUR = timedelta(hours=1)


@pytest.fixture
def held(db: None, now: datetime) -> Policy:
    """A policy whose growth the guard holds back."""
    return hold(now=now)


def at(policy: Policy, what: str = "") -> str:
    return f"/api/v1/policies/{policy.pk}/candidate/{what}"


def test_shows_what_is_held_and_why(api: APIClient, held: Policy) -> None:
    shown = api.get(at(held)).json()
    assert shown["policy"] == held.pk
    assert shown["may_be_approved"] is True
    assert [finding["rule"] for finding in shown["findings"]] == ["growth"]
    assert shown["numbers"]["added"]["addresses4"] == str(50 * 65536)
    assert shown["sources"][0]["source"] == held.sources.get().pk
    summary = api.get(f"/api/v1/policies/{held.pk}/").json()["candidate"]
    assert summary["rules"] == ["growth"]
    assert summary["block_digest"] == shown["block_digest"]


def test_approves_what_was_looked_at(api: APIClient, held: Policy) -> None:
    digest = api.get(at(held)).json()["block_digest"]
    answer = api.post(at(held, "approve/"), {"block_digest": digest})
    assert answer.status_code == 200, answer.json()
    shown = answer.json()
    assert (shown["number"], shown["block_digest"], shown["is_current"]) == (2, digest, True)
    assert shown["note"] == "approved by api:alice: growth"
    assert api.get(at(held)).status_code == 404
    assert Change.objects.get(verb="approve").actor == "api:alice"


def test_discards_what_was_looked_at(api: APIClient, held: Policy) -> None:
    digest = api.get(at(held)).json()["block_digest"]
    assert api.post(at(held, "discard/"), {"block_digest": digest}).status_code == 204
    assert api.get(at(held)).status_code == 404
    assert api.get(f"/api/v1/policies/{held.pk}/").json()["candidate"] is None
    assert Change.objects.get(verb="discard").actor == "api:alice"


@pytest.mark.parametrize("verb", ["approve/", "discard/"])
def test_what_has_changed_since_is_a_conflict(
    api: APIClient, held: Policy, now: datetime, verb: str
) -> None:
    digest = api.get(at(held)).json()["block_digest"]
    protect_network(network="6.2.0.1", reason="a hospital", actor="test", now=now)
    compile_policy_now(policy_id=held.pk, now=now + 2 * HOUR)
    answer = api.post(at(held, verb), {"block_digest": digest})
    assert (answer.status_code, error_of(answer)["code"]) == (409, "outdated")
    assert held.snapshots.count() == 1


def test_an_approval_is_a_conflict_where_the_lists_moved_before_the_compile(
    api: APIClient, held: Policy, now: datetime
) -> None:
    digest = api.get(at(held)).json()["block_digest"]
    protect_network(network="6.2.0.1", reason="a hospital", actor="test", now=now)
    answer = api.post(at(held, "approve/"), {"block_digest": digest})
    assert (answer.status_code, error_of(answer)["code"]) == (409, "outdated")


def test_while_a_worker_is_at_the_policy_it_is_busy(
    api: APIClient, held: Policy, now: datetime
) -> None:
    digest = api.get(at(held)).json()["block_digest"]
    soon = timezone.now() + timedelta(minutes=5)
    Policy.objects.filter(pk=held.pk).update(claimed_by="a worker", claimed_until=soon)
    answer = api.post(at(held, "approve/"), {"block_digest": digest})
    assert (answer.status_code, error_of(answer)["code"]) == (409, "busy")


def test_nobody_approves_what_breaks_an_absolute_rule(api: APIClient, now: datetime) -> None:
    policy = hold(now=now, more=["92.0.0.0/7"])
    shown = api.get(at(policy)).json()
    assert shown["may_be_approved"] is False
    answer = api.post(at(policy, "approve/"), {"block_digest": shown["block_digest"]})
    assert answer.status_code == 400
    assert "nobody may let this pass" in error_of(answer)["detail"]


def test_where_nothing_is_held_nothing_is_found(api: APIClient, now: datetime) -> None:
    policy = make_policy(now=now)
    assert api.get(at(policy)).status_code == 404
    for verb in ("approve/", "discard/"):
        assert api.post(at(policy, verb), {"block_digest": "0" * 64}).status_code == 404
    assert api.get(f"/api/v1/policies/{policy.pk}/").json()["candidate"] is None


@pytest.mark.parametrize("verb", ["approve/", "discard/"])
def test_who_may_only_look_decides_nothing(
    bob: User, charlie: User, held: Policy, verb: str
) -> None:
    digest = Candidate.objects.get().block_digest
    assert signed_in(bob).get(at(held)).status_code == 200
    assert signed_in(charlie).get(at(held)).status_code == 403
    for user in (bob, charlie):
        answer = signed_in(user).post(at(held, verb), {"block_digest": digest})
        assert answer.status_code == 403
    assert not Candidate.objects.get().is_discarded
