"""Policies, sources and protected addresses: written by services, refusals beside their field."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from policies.models import Change, Policy, ProtectedAddress, Snapshot, Source
from policies.services import refresh_policy
from policies.states import Role
from tests.console.pages import address, make_site
from tests.factories import make_device, make_policy, make_source, publish

pytestmark = pytest.mark.django_db
GUARD = {
    "widest4": "8",
    "widest6": "16",
    "max_share": "5",
    "shrink_limit": "50",
    "growth_limit": "200",
    "reject_limit": "10",
    "stale_entries": "keep",
    "protect_critical": "on",
    "empty_list_address": "192.0.2.1",
}
LIST = '{"entries": ["192.0.2.0/24"]}'
SOURCE = {
    "kind": "memory",
    "shrink_limit": "50",
    "severity": "3",
    "refresh_minutes": "60",
    "is_enabled": "on",
}


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return dict(answer.context["adminform"].form.errors)


def roles(policy: Policy) -> list[tuple[str, int]]:
    return sorted(policy.policy_sources.values_list("role", "source_id"))


def test_a_policy_is_made_with_its_sources(alice: Client, now: datetime) -> None:
    block, allow = (make_source(entries=[one], now=now) for one in ("9.9.9.0/24", "9.9.9.9"))
    data = {**GUARD, "name": "edge", "block_sources": block.pk, "allow_sources": allow.pk}
    assert alice.post(address(Policy, "add"), data).status_code == 302
    policy = Policy.objects.get(name="edge")
    assert roles(policy) == [(Role.ALLOW, allow.pk), (Role.BLOCK, block.pk)]
    assert policy.due_at is not None
    assert Change.objects.get(subject="policy edge").actor == "console:alice"


def test_a_policy_is_changed_and_compiled_anew(alice: Client, now: datetime) -> None:
    policy, other = make_policy(now=now), make_source(entries=["9.9.9.9"], now=now)
    Policy.objects.update(due_at=None)
    data = {**GUARD, "name": policy.name, "widest4": "12", "block_sources": other.pk}
    assert alice.post(address(Policy, "change", policy.pk), data).status_code == 302
    policy.refresh_from_db()
    assert (policy.widest4, roles(policy)) == (12, [(Role.BLOCK, other.pk)])
    assert policy.due_at is not None


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("name", "../x"),
        ("name", "taken"),
        ("widest4", "0"),
        ("widest6", "129"),
        ("max_share", "101"),
        ("empty_list_address", "nowhere"),
    ],
)
def test_a_policy_that_cannot_be_is_refused_beside_its_field(
    name: str, wrong: str, alice: Client, now: datetime
) -> None:
    make_policy(now=now, name="taken")
    data = {**GUARD, "name": "edge", name: wrong}
    assert name in errors(alice.post(address(Policy, "add"), data))
    assert not Policy.objects.filter(name="edge").exists()


def test_a_source_cannot_block_and_allow_at_once(alice: Client, now: datetime) -> None:
    source = make_source(entries=["9.9.9.9"], now=now)
    data = {**GUARD, "name": "edge", "block_sources": source.pk, "allow_sources": source.pk}
    refused = errors(alice.post(address(Policy, "add"), data))
    assert "stands twice" in refused["allow_sources"][0]


def test_a_policy_that_a_device_follows_cannot_be_deleted(alice: Client, now: datetime) -> None:
    site = make_site(now=now)
    url = address(Policy, "delete", site.policy.pk)
    assert site.device.nickname in alice.get(url).content.decode()
    alice.post(url, {"post": "yes"})
    assert Policy.objects.filter(pk=site.policy.pk).exists()


def test_a_policy_nobody_follows_is_deleted(alice: Client, now: datetime) -> None:
    policy = make_policy(now=now)
    publish(policy, now=now)
    alice.post(address(Policy, "delete", policy.pk), {"post": "yes"})
    assert not Policy.objects.exists()
    assert Change.objects.filter(verb="delete", subject=f"policy {policy.name}").exists()


def test_the_policy_page_says_why_it_is_held_and_who_follows(alice: Client, now: datetime) -> None:
    policy = make_policy(now=now, block=["92.0.0.0/7"])
    make_device(policy=policy, now=now, nickname="fmc-held")
    refresh_policy(policy=policy, clock=lambda: now)
    shown = alice.get(address(Policy, "change", policy.pk)).content.decode()
    for words in ("held by the guard", "92.0.0.0/7", "fmc-held", "No snapshot was published yet"):
        assert words in shown, words


def test_a_policy_of_one_device_takes_its_sources_from_there(alice: Client, now: datetime) -> None:
    policy = make_policy(now=now, is_private=True)
    before = roles(policy)
    data = {**GUARD, "name": "renamed", "block_sources": "", "note": "mine"}
    assert alice.post(address(Policy, "change", policy.pk), data).status_code == 302
    policy.refresh_from_db()
    assert (policy.note, roles(policy)) == ("mine", before)
    assert policy.name != "renamed"


def test_a_source_is_made_and_changed(alice: Client) -> None:
    data = {**SOURCE, "name": "mine", "settings": LIST}
    assert alice.post(address(Source, "add"), data).status_code == 302
    source = Source.objects.get()
    assert source.settings == {"entries": ["192.0.2.0/24"]}
    url = address(Source, "change", source.pk)
    assert alice.post(url, {**data, "refresh_minutes": "30"}).status_code == 302
    source.refresh_from_db()
    assert source.refresh_minutes == 30


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ('{"entries": ', "valid JSON"),
        ('{"entries": "x"}', "entries must be a list"),
        ('{"entry": []}', "is not a setting here"),
        ("[]", ""),
        ("7", ""),
    ],
)
def test_settings_that_cannot_work_are_refused_beside_the_field(
    typed: str, reason: str, alice: Client
) -> None:
    answer = alice.post(address(Source, "add"), {**SOURCE, "name": "x", "settings": typed})
    assert reason in " ".join(errors(answer)["settings"])
    assert not Source.objects.exists()


def test_a_source_in_use_cannot_be_deleted(alice: Client, now: datetime) -> None:
    policy = make_policy(now=now)
    source = policy.sources.get()
    url = address(Source, "delete", source.pk)
    assert policy.name in alice.get(url).content.decode()
    alice.post(url, {"post": "yes"})
    assert Source.objects.filter(pk=source.pk).exists()


def test_an_address_is_protected_and_let_go(alice: Client) -> None:
    data = {"network": "203.0.113.7", "reason": "the hospital"}
    assert alice.post(address(ProtectedAddress, "add"), data).status_code == 302
    row = ProtectedAddress.objects.get()
    assert (row.network, row.origin) == ("203.0.113.7", "")
    alice.post(address(ProtectedAddress, "delete", row.pk), {"post": "yes"})
    assert not ProtectedAddress.objects.exists()


def test_an_address_with_host_bits_is_refused_beside_the_field(alice: Client) -> None:
    data = {"network": "203.0.113.7/24", "reason": "the hospital"}
    refused = errors(alice.post(address(ProtectedAddress, "add"), data))
    assert "203.0.113.7/24" in refused["network"][0]


def test_what_a_device_keeps_protected_is_changed_there(alice: Client, now: datetime) -> None:
    make_site(now=now)
    row = ProtectedAddress.objects.get()
    url = address(ProtectedAddress, "change", row.pk)
    assert alice.get(url).status_code == 200
    assert alice.post(url, {"network": "203.0.113.9", "reason": "x"}).status_code == 403
    assert alice.post(address(ProtectedAddress, "delete", row.pk), {"post": "y"}).status_code == 403


def test_a_snapshot_shows_its_numbers_cuts_and_digests(alice: Client, now: datetime) -> None:
    snapshot = make_site(now=now).snapshot
    shown = alice.get(address(Snapshot, "change", snapshot.pk)).content.decode()
    assert snapshot.block_digest in shown
    assert snapshot.sources[0]["digest"] in shown
    for reason, number in snapshot.cuts:
        if number:
            assert f"{number:,}" in shown, reason


@pytest.mark.parametrize("model", [Policy, Source, ProtectedAddress])
def test_who_may_only_look_changes_nothing(model: type, victor: Client, now: datetime) -> None:
    make_site(now=now)
    row = model.objects.order_by("pk").first()  # type: ignore[attr-defined]
    before = Change.objects.count()
    for page in ("change", "delete"):
        assert victor.post(address(model, page, row.pk), {"post": "yes"}).status_code == 403
    assert victor.post(address(model, "add"), {}).status_code == 403
    assert Change.objects.count() == before
