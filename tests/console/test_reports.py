"""The pages that answer what changed, what allow entries do, and what a source is worth."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.core.files.storage import storages
from django.test import Client
from django.urls import reverse

from console import reports
from policies.models import Policy, Snapshot, Source
from policies.states import PolicyState, Role
from tests.console.pages import address
from tests.console.test_why import plain
from tests.factories import make_policy, make_two_snapshots, publish, republish

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def show(client: Client, name: str, *args: int, **query: str | int) -> str:
    answer = client.get(reverse(f"console:{name}", args=args), query)
    assert answer.status_code == 200
    return plain(answer.content.decode())


@pytest.fixture
def policy(now: datetime) -> Policy:
    """A policy with two snapshots."""
    return make_two_snapshots(now=now)


def snapshot(policy: Policy, number: int) -> Snapshot:
    return policy.snapshots.get(number=number)


def test_a_snapshot_leads_to_its_reports(alice: Client, policy: Policy) -> None:
    row = snapshot(policy, 2)
    html = alice.get(address(Snapshot, "change", row.pk)).content.decode()
    for page in ("difference", "effects"):
        assert reverse(f"console:{page}", args=[row.pk]) in html


def test_a_source_with_a_list_leads_to_its_worth(alice: Client, policy: Policy) -> None:
    source = policy.sources.first()
    assert source is not None
    page, worth = address(Source, "change", source.pk), reverse("console:worth", args=[source.pk])
    assert worth in alice.get(page).content.decode()
    Source.objects.update(list_digest="")
    assert worth not in alice.get(page).content.decode()


def test_what_changed_is_told_with_its_cause(alice: Client, policy: Policy) -> None:
    shown = show(alice, "difference", snapshot(policy, 2).pk)
    name = policy.sources.get(policy_sources__role=Role.BLOCK).name
    assert "From edge #1 to edge #2" in shown
    assert "Block list 2 IPv4, 0 IPv6 1 1 IPv4, 0 IPv6 1" in shown
    assert f"{name} block 2 IPv4, 0 IPv6 1 IPv4, 0 IPv6" in shown
    assert "+8.1.1.0/31 -7.7.7.7" in shown


def test_prefixes_are_told_in_pages(
    alice: Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "PAGE", 1)
    pk = snapshot(policy, 2).pk
    first, second = (show(alice, "difference", pk, page=page) for page in (1, 2))
    assert ("+8.1.1.0/31" in first, "-7.7.7.7" in first, "1 to 1 of 2 Next" in first) == (
        True,
        False,
        True,
    )
    assert ("+8.1.1.0/31" in second, "Previous 2 to 2 of 2" in second) == (False, True)
    for odd in ("0", "99", "x", "9" * 30):
        assert "of 2" in show(alice, "difference", pk, page=odd)


def test_any_other_snapshot_may_be_chosen(alice: Client, policy: Policy) -> None:
    shown = show(alice, "difference", snapshot(policy, 1).pk, against=snapshot(policy, 2).pk)
    assert "From edge #2 to edge #1" in shown
    assert "+7.7.7.7 -8.1.1.0/31" in shown


def test_the_only_snapshot_has_nothing_to_be_compared_with(alice: Client, policy: Policy) -> None:
    snapshot(policy, 1).delete()
    assert "There is nothing to compare with" in show(
        alice, "difference", snapshot(policy, 2).pk, against="x"
    )


def test_the_text_is_one_click_away(alice: Client, policy: Policy) -> None:
    page = reverse("console:difference", args=[snapshot(policy, 2).pk])
    html = alice.get(page).content.decode()
    text = f"/api/v1/snapshots/{snapshot(policy, 2).pk}/difference/text/"
    assert f"{text}?against={snapshot(policy, 1).pk}&amp;list=block" in html
    query: dict[str, str | int] = {"against": snapshot(policy, 1).pk, "list": "block"}
    answer = alice.get(text, query)
    assert answer.getvalue() == b"+8.1.1.0/31\n-7.7.7.7\n"


def test_what_the_guard_holds_is_compared_with_what_is_in_force(
    alice: Client, policy: Policy, now: datetime
) -> None:
    page = reverse("console:candidate-difference", args=[policy.pk])
    assert alice.get(page).status_code == 404
    republish(policy, "5.6.0.0/24", "14.0.0.0/7", now=now + 2 * HOUR)
    assert policy.state == PolicyState.HELD
    assert page in alice.get(address(Policy, "change", policy.pk)).content.decode()
    shown = show(alice, "candidate-difference", policy.pk)
    assert "From edge #2 to candidate of edge" in shown
    assert "+14.0.0.0/7 -8.1.1.0/31" in shown


def test_every_allow_entry_is_told_with_its_effect(alice: Client, policy: Policy) -> None:
    pk = snapshot(policy, 2).pk
    shown = show(alice, "effects", pk)
    assert "5.6.0.1 1 cut 1 block 0 1" in shown
    assert "9.1.1.1 2 no overlap 0 0" in shown
    idle = show(alice, "effects", pk, idle="true")
    assert ("5.6.0.1" in idle, "9.1.1.1 2 no overlap" in idle) == (False, True)


def test_a_snapshot_that_allows_nothing_teaches(alice: Client, now: datetime) -> None:
    row = publish(make_policy(now=now, block=["5.6.7.8"]), now=now)
    assert "Nothing is allowed" in show(alice, "effects", row.pk)


def test_a_source_is_told_with_its_worth(alice: Client, policy: Policy) -> None:
    source = policy.sources.get(policy_sources__role=Role.BLOCK)
    allow = policy.sources.get(policy_sources__role=Role.ALLOW)
    assert "2 of 2 entries stand in no other list" in show(alice, "worth", source.pk)
    shown = show(alice, "worth", source.pk, among="site")
    assert "1 of 2 entries stand in no other list" in shown
    assert f"{allow.name} 1 0.4 % 0.0 %" in shown


@pytest.mark.parametrize("page", ["difference", "effects", "worth"])
def test_a_lost_file_is_told_on_the_page(page: str, alice: Client, policy: Policy) -> None:
    row = snapshot(policy, 2)
    source = policy.sources.get(policy_sources__role=Role.BLOCK)
    for digest in {row.block_digest, row.before_digest, source.entries_digest}:
        storages["sets"].delete(f"{digest[:2]}/{digest}")
    shown = show(alice, page, source.pk if page == "worth" else row.pk)
    assert "No such file" in shown


@pytest.mark.parametrize("page", ["difference", "candidate-difference", "effects", "worth"])
def test_a_row_that_is_not_there_is_no_error(page: str, alice: Client) -> None:
    assert alice.get(reverse(f"console:{page}", args=[999_999])).status_code == 404
