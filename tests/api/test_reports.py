"""Differences, effects of allow entries and the worth of sources, over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import storages
from rest_framework.test import APIClient

from policies.models import Policy, Snapshot, Source
from policies.states import PolicyState, Role
from tests.api.conftest import error_of, signed_in
from tests.factories import make_two_snapshots, republish

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def policy(now: datetime) -> Policy:
    """A policy with two snapshots."""
    return make_two_snapshots(now=now)


def snapshot(policy: Policy, number: int) -> Snapshot:
    return policy.snapshots.get(number=number)


def difference(policy: Policy, number: int = 2) -> str:
    return f"/api/v1/snapshots/{snapshot(policy, number).pk}/difference/"


def test_a_snapshot_is_compared_with_the_one_before(api: APIClient, policy: Policy) -> None:
    body = api.get(difference(policy)).json()
    assert (body["before"]["number"], body["after"]["number"]) == (1, 2)
    assert body["block"] == {
        "added": {"addresses4": "2", "addresses6": "0", "prefixes": 1},
        "removed": {"addresses4": "1", "addresses6": "0", "prefixes": 1},
    }
    assert [(one["name"], one["role"]) for one in body["causes"]] == [
        (policy.sources.get(policy_sources__role=Role.BLOCK).name, "block")
    ]
    assert body["results"] == [
        {"change": "added", "prefix": "8.1.1.0/31"},
        {"change": "removed", "prefix": "7.7.7.7"},
    ]
    assert (body["count"], body["next"], body["previous"], body["list"]) == (2, None, None, "block")


def test_prefixes_come_in_pages_that_lead_to_each_other(api: APIClient, policy: Policy) -> None:
    first = api.get(difference(policy), {"page_size": 1}).json()
    assert [one["prefix"] for one in first["results"]] == ["8.1.1.0/31"]
    second = api.get(first["next"]).json()
    assert [one["prefix"] for one in second["results"]] == ["7.7.7.7"]
    assert (second["next"], api.get(second["previous"]).json()) == (None, first)
    assert api.get(difference(policy), {"page": 3, "page_size": 1}).status_code == 404


def test_any_two_snapshots_are_compared(api: APIClient, policy: Policy) -> None:
    against = snapshot(policy, 2).pk
    body = api.get(difference(policy, 1), {"against": against}).json()
    assert [one["change"] for one in body["results"]] == ["added", "removed"]
    assert body["results"][0]["prefix"] == "7.7.7.7"
    assert api.get(difference(policy), {"list": "allow"}).json()["count"] == 0


def test_the_text_has_a_line_for_each_prefix(api: APIClient, policy: Policy) -> None:
    answer = api.get(f"{difference(policy)}text/")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.streaming
    assert b"".join(answer.streaming_content) == b"+8.1.1.0/31\n-7.7.7.7\n"  # type: ignore[attr-defined]


def test_a_candidate_is_compared_with_what_is_in_force(
    api: APIClient, policy: Policy, now: datetime
) -> None:
    url = f"/api/v1/policies/{policy.pk}/candidate/difference/"
    assert "holds nothing" in error_of(api.get(url))["detail"]
    republish(policy, "5.6.0.0/24", "14.0.0.0/7", now=now + 2 * HOUR)
    assert policy.state == PolicyState.HELD
    body = api.get(url).json()
    assert (body["before"]["number"], body["after"]) == (2, None)
    text = b"".join(api.get(f"{url}text/").streaming_content)  # type: ignore[attr-defined]
    assert text == b"+14.0.0.0/7\n-8.1.1.0/31\n"
    older = api.get(url, {"against": snapshot(policy, 1).pk}).json()
    assert [one["prefix"] for one in older["results"]] == ["14.0.0.0/7", "7.7.7.7"]


@pytest.mark.parametrize(
    ("parameters", "attr"),
    [
        ({"against": "x"}, "against"),
        ({"against": "999999"}, "against"),
        ({"against": "9" * 30}, "against"),
        ({"list": "both"}, "list"),
        ({"page": "0"}, "page"),
        ({"page_size": "501"}, "page_size"),
        ({"format": "csv"}, "format"),
    ],
    ids=str,
)
def test_a_difference_that_means_nothing_is_refused_with_the_reason(
    parameters: dict[str, str], attr: str, api: APIClient, policy: Policy
) -> None:
    answer = api.get(difference(policy), parameters)
    assert (answer.status_code, error_of(answer)["attr"]) == (400, attr)


def test_the_first_snapshot_has_none_before_it(api: APIClient, policy: Policy) -> None:
    answer = api.get(difference(policy, 1))
    assert answer.status_code == 400
    assert "no earlier snapshot" in error_of(answer)["detail"]


def test_every_allow_entry_is_told_with_its_effect(api: APIClient, policy: Policy) -> None:
    url = f"/api/v1/snapshots/{snapshot(policy, 2).pk}/allow-effects/"
    body = api.get(url).json()
    allow = policy.sources.get(policy_sources__role=Role.ALLOW)
    assert body["lists"] == [
        {"source": allow.pk, "name": allow.name, "entries": 2, "idle": 1, "trouble": ""}
    ]
    assert body["results"][0] == {
        "source": allow.pk, "name": allow.name, "entry": "5.6.0.1", "line": 1,
        "effect": "cut 1 block", "blocks": 1, "removed": 0, "addresses": "1",
    }  # fmt: skip
    idle = api.get(url, {"idle": "true"}).json()
    assert [(one["entry"], one["effect"]) for one in idle["results"]] == [("9.1.1.1", "no overlap")]
    assert api.get(url, {"idle": "yes"}).status_code == 400
    assert len(api.get(url, {"page_size": 1, "page": 2}).json()["results"]) == 1


def test_an_older_snapshot_says_that_it_cannot_tell(api: APIClient, policy: Policy) -> None:
    Snapshot.objects.update(before_digest="")
    answer = api.get(f"/api/v1/snapshots/{snapshot(policy, 2).pk}/allow-effects/")
    assert (answer.status_code, error_of(answer)["code"]) == (404, "not_kept")


def test_a_source_is_told_with_its_worth(api: APIClient, policy: Policy) -> None:
    source = policy.sources.get(policy_sources__role=Role.BLOCK)
    body = api.get(f"/api/v1/sources/{source.pk}/worth/", {"among": "site"}).json()
    assert (body["name"], body["among"]) == (source.name, "site")
    assert (body["entries"], body["entries_only"]) == (2, 1)
    assert body["only"] == {"addresses4": "257", "addresses6": "0", "prefixes": 9}
    (shared,) = body["shared"]
    assert (shared["entries"], shared["addresses4"]) == (1, "1")
    assert shared["share4"] == pytest.approx(1 / 258)
    assert api.get(f"/api/v1/sources/{source.pk}/worth/").json()["shared"] == []
    assert api.get(f"/api/v1/sources/{source.pk}/worth/", {"among": "all"}).status_code == 400


def test_a_source_without_a_list_has_no_worth_yet(api: APIClient, policy: Policy) -> None:
    source = policy.sources.first()
    assert source is not None
    Source.objects.update(list_digest="")
    answer = api.get(f"/api/v1/sources/{source.pk}/worth/")
    assert (answer.status_code, error_of(answer)["code"]) == (404, "not_kept")


def test_a_lost_file_is_told_and_is_no_failure_of_the_program(
    api: APIClient, policy: Policy
) -> None:
    row = snapshot(policy, 2)
    for digest in {row.block_digest, row.before_digest}:
        storages["sets"].delete(f"{digest[:2]}/{digest}")
    for path in (difference(policy), f"{difference(policy)}text/"):
        answer = api.get(path)
        assert (answer.status_code, error_of(answer)["code"]) == (404, "not_readable")
    answer = api.get(f"/api/v1/snapshots/{row.pk}/allow-effects/")
    assert (answer.status_code, error_of(answer)["code"]) == (404, "not_readable")


def test_only_whoever_may_view_them_is_told(bob: User, charlie: User, policy: Policy) -> None:
    source = policy.sources.first()
    assert source is not None
    paths = [
        difference(policy),
        f"{difference(policy)}text/",
        f"/api/v1/snapshots/{snapshot(policy, 2).pk}/allow-effects/",
        f"/api/v1/sources/{source.pk}/worth/",
    ]
    looking, nobody = signed_in(bob), signed_in(charlie)
    for path in paths:
        assert looking.get(path).status_code == 200
        assert nobody.get(path).status_code == 403
        assert APIClient().get(path).status_code == 401
