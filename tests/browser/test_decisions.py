"""A person at the console decides on what the guard holds, and goes back in history."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.factories import hold, make_policy, publish, republish

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOUR = timedelta(hours=1)


def test_approves_what_the_guard_holds(console: Page) -> None:
    policy = hold(now=timezone.now() - 2 * HOUR)
    console.goto(f"/admin/policies/policy/{policy.pk}/change/")
    expect(console.get_by_role("heading", name="Held by the guard")).to_be_visible()
    console.get_by_role("button", name="Approve and publish").click()
    expect(console.get_by_text("approved, and published as snapshot 2")).to_be_visible()
    expect(console.get_by_role("heading", name="Held by the guard")).to_have_count(0)


def test_returns_to_a_snapshot_and_releases_the_policy(console: Page) -> None:
    now = timezone.now()
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    first = publish(policy, now=now - 2 * HOUR)
    republish(policy, "5.7.0.0/24", now=now - HOUR)
    console.goto(f"/admin/policies/snapshot/{first.pk}/change/")
    console.get_by_role("link", name="Return to this snapshot").click()
    console.get_by_role("button", name="Return to snapshot 1").click()
    expect(console.locator("#headline")).to_contain_text("by console:alice: snapshot 1 stays")
    console.get_by_role("button", name="Release").click()
    expect(console.get_by_text("It follows its sources again")).to_be_visible()


def test_a_test_with_a_mistake_shows_its_reason_beside_the_field(console: Page) -> None:
    policy = make_policy(now=timezone.now())
    console.goto(f"/admin/policies/policy/{policy.pk}/change/")
    console.locator("#id_must_hold").fill("5.6.0.7 must be blocked\n5.6.0.8 perhaps")
    console.get_by_role("button", name="Save", exact=True).click()
    reason = console.locator("#id_must_hold").locator("xpath=ancestor::div[2]")
    expect(reason).to_contain_text("line 2: write")
    assert not policy.tests.exists()
