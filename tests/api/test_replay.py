from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from policies.models import Policy, Snapshot
from tests.logs.replay_site import ReplaySite, make_replay

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(db: None) -> ReplaySite:
    return make_replay(now=timezone.now())


def ask(user: User, policy: Policy, code: int = 200, **body: Any) -> dict[str, Any]:
    client = APIClient()
    client.force_authenticate(user)
    answer = client.post(f"/api/v1/policies/{policy.pk}/replay/", body, format="json")
    assert answer.status_code == code, answer.content
    told: dict[str, Any] = answer.json()
    return told


def test_a_replay_tells_what_would_be_dropped(alice: User, site: ReplaySite) -> None:
    told = ask(alice, site.policy)
    assert (told["result"], told["let_through"], told["dropped"]) == ("drops", 7, 1)
    half = told["would_drop"]
    assert (half["connections"], half["inside_hosts"], half["outside_addresses"]) == (6, 2, 2)
    assert [(one["key"], one["connections"]) for one in half["hosts"]] == [
        ("10.1.2.4", 5), ("10.1.2.5", 1),
    ]  # fmt: skip
    assert half["addresses"][0]["entry"] == "6.0.0.0/16"
    assert half["lists"][0]["key"] == site.policy.sources.get().name
    assert half["ports"][0]["key"] == "443/tcp"
    assert half["samples"][0]["action"] == "allowed"
    assert {one["device_nickname"] for one in half["samples"]} == {"fmc-berlin", "fmc-oslo"}
    assert told["would_pass"]["connections"] == 0
    assert "guard allows" in told["findings"][0]
    assert Snapshot.objects.count() == 1


def test_a_replay_is_narrowed_by_what_is_sent(alice: User, site: ReplaySite) -> None:
    told = ask(alice, site.policy, devices=["fmc-oslo"], rows=1)
    assert told["would_drop"]["connections"] == 2
    told = ask(alice, site.policy, what="1")
    assert (told["result"], told["already"]) == ("unchanged", 0)
    assert ask(alice, site.policy, what="1", against="nothing")["result"] == "unchanged"
    assert ask(alice, site.policy, last="24h", rows=1)["would_drop"]["hosts"][1:] == []


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"what": "later"}, "what"),
        ({"source": "nobody"}, "source"),
        ({"devices": ["nobody"]}, "devices"),
        ({"last": "9d"}, "last"),
        ({"against": "x"}, "against"),
        ({"rows": 0}, "rows"),
        ({"what": "77"}, "non_field_errors"),
    ],
)
def test_what_cannot_be_asked_is_told_by_its_name(
    alice: User, site: ReplaySite, body: dict[str, Any], name: str
) -> None:
    told = ask(alice, site.policy, code=400, **body)
    assert {one["attr"] for one in told["errors"]} <= {name, f"{name}.0"}


def test_to_replay_is_to_read(bob: User, charlie: User, site: ReplaySite) -> None:
    assert ask(bob, site.policy)["result"] == "drops"
    ask(charlie, site.policy, code=403)
    ask(bob, Policy(pk=999), code=404)
