"""Accept change once: offered where a shrink or growth limit holds something back."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from devices.models import Device
from policies.models import Change, Policy, Source
from policies.services import refresh_policy
from tests.console.pages import address
from tests.factories import make_device, make_policy, publish

pytestmark = pytest.mark.django_db
MANY = [f"5.{n}.0.0/16" for n in range(0, 40, 2)]
MEANS = "lets one change beyond the shrink and growth limits pass"


def _held(now: datetime) -> Policy:
    policy = make_policy(now=now, block=MANY)
    publish(policy, now=now)
    policy.sources.update(settings={"entries": MANY[:3]})
    refresh_policy(policy=policy, clock=lambda: now)
    policy.refresh_from_db()
    return policy


def _row(model: type, policy: Policy, *, now: datetime) -> int:
    return make_device(policy=policy, now=now).pk if model is Device else policy.pk


@pytest.mark.parametrize("model", [Policy, Device])
def test_the_button_is_there_while_a_change_is_held_and_no_longer(
    model: type, alice: Client, victor: Client, now: datetime
) -> None:
    policy = _held(now)
    pk = _row(model, policy, now=now)
    page, action = address(model, "change", pk), f'action="{address(model, "accept", pk)}"'
    assert action in alice.get(page).content.decode()
    assert action not in victor.get(page).content.decode()
    policy.sources.update(settings={"entries": MANY})
    refresh_policy(policy=policy, clock=lambda: now)
    assert action not in alice.get(page).content.decode()


@pytest.mark.parametrize("model", [Policy, Device])
def test_accepting_says_what_it_does_and_is_written_down(
    model: type, alice: Client, now: datetime
) -> None:
    policy = _held(now)
    url = address(model, "accept", _row(model, policy, now=now))
    assert alice.get(url).status_code == 405
    assert not Source.objects.exclude(accepted_until=None).exists()
    assert MEANS in alice.post(url, follow=True).content.decode()
    policy.refresh_from_db()
    assert None not in (policy.accepted_until, policy.sources.get().accepted_until)
    change = Change.objects.get(verb="accept")
    assert (change.actor, change.subject) == ("console:alice", f"policy {policy.name}")


@pytest.mark.parametrize("model", [Policy, Device])
def test_the_action_accepts_once_for_each_policy_that_is_held(
    model: type, alice: Client, now: datetime
) -> None:
    held, calm = _held(now), make_policy(now=now)
    for policy in (held, held, calm):
        make_device(policy=policy, now=now)
    chosen = list(model.objects.values_list("pk", flat=True))  # type: ignore[attr-defined]
    data = {"action": "accept_once", "_selected_action": chosen}
    shown = alice.post(address(model, "changelist"), data, follow=True).content.decode()
    assert shown.count(MEANS) == 1
    assert f"{calm}: nothing to accept" in shown
    assert Change.objects.get(verb="accept").subject == f"policy {held.name}"
    assert list(Policy.objects.exclude(accepted_until=None)) == [held]


def test_nothing_is_accepted_while_updates_are_off(alice: Client, now: datetime) -> None:
    policy = _held(now)
    Policy.objects.update(is_paused=True)
    url = address(Policy, "accept", policy.pk)
    assert "policy updates are off" in alice.post(url, follow=True).content.decode()
    assert not Change.objects.filter(verb="accept").exists()


def test_a_row_that_is_gone_is_not_found(alice: Client) -> None:
    assert alice.post(address(Policy, "accept", 7)).status_code == 404


@pytest.mark.parametrize("model", [Policy, Device])
def test_who_may_not_change_policies_accepts_nothing(
    model: type, victor: Client, now: datetime
) -> None:
    rights = Permission.objects.filter(codename="change_device")
    User.objects.get(username="victor").user_permissions.add(*rights)
    policy = _held(now)
    pk = _row(model, policy, now=now)
    assert victor.post(address(model, "accept", pk)).status_code == 403
    data = {"action": "accept_once", "_selected_action": [pk]}
    victor.post(address(model, "changelist"), data)
    assert not Policy.objects.exclude(accepted_until=None).exists()


def test_who_changes_policies_and_sees_devices_accepts_on_the_page_of_a_device(
    victor: Client, now: datetime
) -> None:
    rights = Permission.objects.filter(codename="change_policy")
    User.objects.get(username="victor").user_permissions.add(*rights)
    pk = _row(Device, _held(now), now=now)
    assert victor.post(address(Device, "accept", pk)).status_code == 302
    assert Policy.objects.get().accepted_until is not None
