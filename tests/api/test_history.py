"""Back to an earlier snapshot, and on again, over the API."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from policies.models import Change, Policy
from policies.services import change_policy
from tests.api.conftest import error_of, signed_in
from tests.factories import make_policy, publish, republish

HOUR = timedelta(hours=1)


@pytest.fixture
def policy(db: None, now: datetime) -> Policy:
    """A policy with two snapshots."""
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    publish(policy, now=now)
    republish(policy, "5.7.0.0/24", now=now + HOUR)
    return policy


def test_returns_to_a_snapshot_and_follows_the_sources_again(
    api: APIClient, policy: Policy
) -> None:
    first = policy.snapshots.get(number=1)
    answer = api.post(f"/api/v1/snapshots/{first.pk}/return/")
    shown = answer.json()
    assert answer.status_code == 200, shown
    assert (shown["state"], shown["pinned"]["number"], shown["pinned_by"]) == (
        "pinned", 1, "api:alice",
    )  # fmt: skip
    assert shown["current"]["number"] == 3
    assert shown["pinned_at"] is not None
    current = api.get(f"/api/v1/snapshots/{shown['current']['id']}/").json()
    assert current["note"] == "return to snapshot 1 by api:alice"
    assert current["block_digest"] == first.block_digest
    answer = api.post(f"/api/v1/policies/{policy.pk}/release/")
    assert (answer.status_code, answer.json()["pinned"]) == (202, None)
    assert list(Change.objects.filter(actor="api:alice").values_list("verb", flat=True)) == [
        "release", "return",
    ]  # fmt: skip


def test_a_snapshot_that_the_guard_of_today_forbids_does_not_come_back(
    api: APIClient, policy: Policy, now: datetime
) -> None:
    change_policy(policy=policy, changes={"widest4": 25}, actor="test", now=now)
    first = policy.snapshots.get(number=1)
    answer = api.post(f"/api/v1/snapshots/{first.pk}/return/")
    assert answer.status_code == 400
    assert "snapshot 1 cannot be published" in error_of(answer)["detail"]
    assert api.get(f"/api/v1/policies/{policy.pk}/").json()["pinned"] is None


def test_only_a_pinned_policy_can_be_released(api: APIClient, policy: Policy) -> None:
    answer = api.post(f"/api/v1/policies/{policy.pk}/release/")
    assert (answer.status_code, "not pinned" in error_of(answer)["detail"]) == (400, True)


def test_who_may_not_change_policies_pins_and_releases_nothing(
    bob: User, charlie: User, policy: Policy
) -> None:
    first = policy.snapshots.get(number=1)
    for user in (bob, charlie):
        for url in (f"snapshots/{first.pk}/return/", f"policies/{policy.pk}/release/"):
            assert signed_in(user).post(f"/api/v1/{url}").status_code == 403
    charlie.user_permissions.set(Permission.objects.filter(codename__endswith="_snapshot"))
    url = f"/api/v1/snapshots/{first.pk}/return/"
    assert signed_in(User.objects.get(pk=charlie.pk)).post(url).status_code == 403
    policy.refresh_from_db()
    assert policy.pinned is None
