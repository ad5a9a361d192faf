"""What the guard holds is tried on past connections before somebody decides on it."""

from __future__ import annotations

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Page, expect

from policies.models import Policy
from policies.states import PolicyState
from tests.logs.replay_site import ReplaySite, make_replay

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def site(console: Page) -> ReplaySite:
    cache.clear()
    return make_replay(now=timezone.now())


def test_a_change_is_replayed_and_then_approved(console: Page, site: ReplaySite) -> None:
    policy = f"/admin/policies/policy/{site.policy.pk}/change/"
    console.goto(policy)
    told = console.locator("#replay-part")
    expect(told).to_contain_text(
        "It would have dropped 6 connections that were let through, of 2 inside hosts"
    )
    told.get_by_role("link", name="Which hosts, which addresses").click()
    expect(console.locator("#verdict")).to_contain_text("2 inside hosts affected")
    expect(console.locator("#would_drop-hosts tbody tr").first).to_contain_text("10.1.2.4")
    expect(console.locator("#would_drop-addresses")).to_contain_text("6.0.0.0/16")

    console.get_by_label("On the devices").fill("fmc-oslo")
    console.get_by_role("button", name="Show").click()
    expect(console.locator("#verdict")).to_contain_text(
        "2 connections that were let through, of 1 inside host"
    )
    console.get_by_label("Try", exact=True).select_option("1")
    console.get_by_role("button", name="Show").click()
    expect(console.locator("#verdict")).to_contain_text("nothing changes")
    console.get_by_label("Try", exact=True).select_option("held")
    console.get_by_role("button", name="Show").click()

    console.locator("#would_drop-addresses tbody").get_by_role("link", name="2").click()
    expect(console.locator("#connections")).to_contain_text("6.0.0.9")
    console.goto(f"/admin/policies/{site.policy.pk}/replay/")
    console.get_by_role("link", name="Decide: approve or discard").click()
    console.get_by_role("button", name="Approve and publish").click()
    expect(console.get_by_text(re.compile("approved, and published"))).to_be_visible()
    console.wait_for_load_state("networkidle")  # the parts of its page
    assert Policy.objects.get(pk=site.policy.pk).state == PolicyState.CURRENT


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(theme: str, console: Page, site: ReplaySite) -> None:
    console.evaluate("(theme) => localStorage.setItem('adminTheme', theme)", json.dumps(theme))
    console.goto(f"/admin/policies/{site.policy.pk}/replay/?last=30d")
    expect(console.locator("#would_drop-hosts")).to_be_visible()
    found = Axe().run(console).response["violations"]
    serious = [one for one in found if one["impact"] in {"serious", "critical"}]
    assert not serious, json.dumps(serious, indent=1)[:4000]
